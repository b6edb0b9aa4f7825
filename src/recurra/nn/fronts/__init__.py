"""Trainable layers before the recurrence; twins in `recurra.kernels.fronts`.

- `convolutions`: Convolutions over whole sequences of unequal length, before the recurrence
- `front`: Trainable layers before the recurrence, each described by a dictionary with a ``name``
- `small_cnn`: A small convolutional network over each frame, trained with the recurrence behind it
- `text`: Front of texts: a vector for each word, what a small recurrent network makes of its letters
"""
