"""A record becomes numbers of shape (time, input_size); no trainable weights.

- `chain`: `Chain`, the features of a model in order, from a raw sequence to what the network reads
- `frames/`: Frames of clips become features, by an image network, kept on disk
- `prepared_rows`: `PreparedRows`, rows of many sequences that are made when they are asked for
- `registry`: The names of features: what ``features=`` of an estimator may say, and what it means
- `rows/`: What is done row by row, and what every feature shares: alignment, streams, sums in a fixed order
- `known`: `Known`, what comes with a series beside its values
- `local_clock`: A series on the clock of its time zone
- `series`: A time series becomes rows for a forecasting network: transformed, seasonally adjusted, scaled
- `static`: Static inputs: values that belong to a whole sequence, such as an age or a kind of sensor
- `texts/`: Texts become rows: symbols, tokens, word vectors, and counts of words and letters
- `windows/`: Windows of a signal and heartbeats: what is computed from stretches of samples
"""
