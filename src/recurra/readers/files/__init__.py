"""What readers of every kind of file share; knows no format.

- `encodings`: Bytes of a text file become text: byte-order marks, encodings, line ends
- `links`: Links in a folder of data: followed inside of it, never out of it
- `subtitles`: Subtitles, SubRip's ``.srt`` and WebVTT's ``.vtt``: what each caption says, without numbers, times and marks
- `unpacked_size`: What a file may unfold to: one bound for every container that is smaller on disk than in memory
"""
