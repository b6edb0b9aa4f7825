"""Windows of a signal and heartbeats: what is computed from stretches of samples.

- `block`: `Block`, some windows of a signal with what several features need of them, and what such a feature offers
- `heartbeats`: Heartbeats in an electrocardiogram: the R waves are found, and each beat becomes a row of intervals
- `sample_blocks`: Blocks of consecutive samples
- `sliding`: `Windows`, a signal is cut into overlapping windows, and each becomes a row of numbers, by itself
- `spectral`: What the spectrum of a window says: log power, power in bands, mel bands, cepstrum, mean frequency, entropy
- `statistics`: What the samples of a window say without a spectrum: statistics, motion in the frame of gravity
- `views`: What a detector looks at: values as they are, or what is left of them where a recording grows or wanders
- `window_features`: The registry of features computed from windows: `statistics`, `spectral`, ... by name
"""
