"""MNIST read row by row: the first 10,000 training digits and the official 10,000 test digits."""

import gzip
import io
from pathlib import Path

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find, is_here
from recurra.errors import DataError
from recurra.records import Dataset, Record

_MIRROR = "https://storage.googleapis.com/cvdf-datasets/mnist/"
_FIRST = 10_000


def _file(name: str, sha256: str) -> SourceFile:
    return SourceFile(name, sha256, download=_MIRROR + name)


_TEST = (
    _file("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    _file("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
_TRAIN = (
    _file("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    _file("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
)
# The first 10,000 of the training file, smaller to keep; there is no address that answers with it.
_TRAIN_PART = SourceFile(
    "train-first-10000.npz", "0217e13bd0668deb198aa7d305edbf0331eb89f8a6e7dd226e03d1aa3a9bd4ef"
)

SOURCE = Source(
    name="handwritten-digits",
    title="10,000 + 10,000 handwritten digits (MNIST), read row by row",
    folder="mnist-10k",
    files=(*_TRAIN, *_TEST),
    page="https://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0",
    citation="LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998",
)


def images(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 of shape (10000, 28, 28), and the digits, of one side of the official split."""
    if part == "train" and is_here(_only(_TRAIN_PART)):
        with np.load(find(_only(_TRAIN_PART), _TRAIN_PART), allow_pickle=False) as arrays:
            return arrays["images"], arrays["labels"].astype(np.int64)
    files = _TRAIN if part == "train" else _TEST
    pictures, digits = (_idx(find(SOURCE, file)) for file in files)
    return pictures[:_FIRST], digits[:_FIRST].astype(np.int64)


def read() -> Dataset:
    """Return the records in the order of the files; a step is a row of 28 points from 0, paper, to 1, ink."""
    records = []
    for part in ("train", "test"):
        pictures, digits = images(part)
        rows = (pictures / np.float32(255)).astype(np.float32)
        records += [
            Record(values, label=int(digit), name=f"{part}/{index}", part=part)
            for index, (values, digit) in enumerate(zip(rows, digits, strict=True))
        ]
    return Dataset(records)


def _only(file: SourceFile) -> Source:
    return Source(
        SOURCE.name, SOURCE.title, SOURCE.folder, (file,), SOURCE.page, SOURCE.licence, SOURCE.citation
    )


def _idx(path: Path) -> np.ndarray:
    """Read an IDX file of bytes: a magic number, the sizes, the values."""
    with gzip.open(path) as stream:
        data = io.BytesIO(stream.read())
    magic = data.read(4)
    if magic[:3] != b"\0\0\x08":
        raise DataError(f"{path}: is no IDX file of bytes.")
    shape = np.frombuffer(data.read(4 * magic[3]), ">u4").tolist()
    return np.frombuffer(data.read(), np.uint8).reshape(shape)
