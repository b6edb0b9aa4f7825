"""What stands before the recurrence at prediction; twins in `recurra.nn.fronts`.

- `convolutions`: Convolutions over whole sequences of unequal length, with numpy
- `front`: Trainable layers before the recurrence, computed with numpy
- `random_kernels`: Shares of steps at which fixed dilated convolutions exceed thresholds, natively or with numpy
- `resampling`: A sequence as it would be without gaps, and at another rate, on straight lines between its values
- `shapelets`: How near shapelets, short pieces of other sequences, come to the windows of a sequence, natively or with numpy
- `small_cnn`: A small convolutional network over each frame, with numpy; the twin of `recurra.nn.fronts.small_cnn`
- `step_by_step`: What is asked of a front that is fed step by step
- `text`: Front of texts with numpy; the twin of `recurra.nn.fronts.text`
"""
