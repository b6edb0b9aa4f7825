"""Named public data sets, one file each, and `load_any`, which also reads paths, frames and arrays.

Examples
--------
>>> import recurra
>>> data = recurra.datasets.load("japanese-vowels", split="train")
>>> data
Dataset(270 sequences, length 7 to 26, 12 channels, 9 classes)
"""

from recurra.datasets.catalog import info, load, names
from recurra.datasets.fetch import Source, SourceFile
from recurra.datasets.loading import load_any

__all__ = ["Source", "SourceFile", "info", "load", "load_any", "names"]
