"""What readers of every kind of file share; knows no format.

- `children`: What of a folder of data is read: nothing hidden, no runs of ours, and no link that leads out of it
- `encodings`: Bytes of a text file become text: byte-order marks, encodings, line ends
- `subtitles`: Subtitles, SubRip's ``.srt`` and WebVTT's ``.vtt``: what each caption says, without numbers, times and marks
- `unpacked_size`: What a file may unfold to: one bound for every container that is smaller on disk than in memory
"""
