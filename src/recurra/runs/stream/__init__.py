"""Streams: rows and frames that come one after another, answered at once.

- `lines`: lines of JSON or CSV become rows of numbers.
- `frames`: frames of a clip, or raw pixels from a pipe.
- `texts`: texts, one a line, and what answers them.
- `recorded`: recordings and texts of files that are read as a whole.
- `session`: what answers them, and the loop that does.
- `opening`: the session and the reader that the network of a run needs.
"""
