"""A record becomes numbers of shape (time, input_size); no trainable weights.

- `alignment`: Which steps of a sequence a row of frames stands for: labels per step become labels per row, and back
- `beats`: Heartbeats in an electrocardiogram: the R waves are found, and each beat becomes a row of intervals
- `block`: `Block`, some windows of a signal with what several features need of them, and what such a feature offers
- `blocks`: Blocks of consecutive samples: what a network reads in one step where single samples would be too many
- `chain`: `Chain`, the features of a model in order, from a raw sequence to what the network reads
- `deltas`: How fast each number changes from row to row, as it is used beside cepstral coefficients
- `embeddings`: `WordVectors`, words with a vector each, read from the files of GloVe, word2vec and fastText
- `exact`: Sums in one fixed order, so that a frame gives the same bits alone, in a block, and in a stream
- `frame_cache`: Features of frames kept on disk
- `frames`: Clips become features: frames through an image network, a clip at a time, kept on disk
- `missing`: Missing values: the last value seen stands in, and a mask channel tells the network so
- `ngrams`: A text as the words, pairs of words and runs of letters in it, weighted by how rare they are
- `onnx_network`: An image network in an ONNX file, run by onnxruntime on frames
- `parts`: The names of features: what ``features=`` of an estimator may say, and what it means
- `places`: Maps of an image network averaged over places of the frame, each frame the same bits in any company
- `scaling`: Scaling per channel, learned on the training part only
- `series`: A time series becomes rows for a forecasting network: transformed, seasonally adjusted, scaled
- `spectral`: What the spectrum of a window says: log power, mel bands, cepstrum, mean frequency, entropy
- `statistics`: What the samples of a window say without a spectrum: statistics, motion in the frame of gravity
- `streaming`: Features fed chunk by chunk: what each feature's stream offers, and the chain of them
- `symbols`: `Symbols`, text as whole numbers and back, by characters, words, parts of words
- `text`: `Words`, a text becomes one row per token: its number or its vector, and its letters
- `window_parts`: The features computed from windows, by name
- `windows`: `Windows`, a signal is cut into overlapping windows, and each becomes a row of numbers, by itself
"""
