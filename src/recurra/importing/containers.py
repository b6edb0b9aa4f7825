"""What kind of file a file is, by its first bytes; zip files read within limits."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import DataError, MissingDataError, StoreError
from recurra.readers.files.unpacked_size import Unfolding

MOST_FILE_BYTES = 8 << 30
MOST_CONFIG_BYTES = 4 << 20
MOST_MEMBERS = 20_000

_HDF5 = b"\x89HDF\r\n\x1a\n"


def contents(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    MissingDataError
        If there is none.
    DataError
        If it is a folder, or larger than any network.
    """
    if not path.exists():
        raise MissingDataError(f"{path}: there is no such file.")
    if path.is_file() and path.stat().st_size > MOST_FILE_BYTES:
        raise DataError(f"{path}: has {path.stat().st_size:,} bytes; at most {MOST_FILE_BYTES:,} are read.")
    try:
        return store.read_bytes(path, what="file of a network")
    except StoreError as error:
        raise DataError(str(error)) from None


def kind_of(path: Path, data: bytes) -> str:
    """Return "keras", "npz", "torch", "torchscript", "hdf5", "matlab", "safetensors" or "onnx".

    Raises
    ------
    DataError
        If it is none of them.
    """
    if not data:
        raise DataError(f"{path}: is empty. Get it again.")
    if data[:2] == b"PK":
        return _kind_of_zip(path, data)
    if data[:8] == _HDF5:
        return "hdf5"
    if data[512:520] == _HDF5 or data[:10].startswith(b"MATLAB 5.0") or path.suffix.lower() == ".mat":
        return "matlab"
    if path.suffix.lower() == ".safetensors":
        return "safetensors"
    if path.suffix.lower() == ".onnx":
        return "onnx"
    if path.suffix.lower() in (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib"):
        raise DataError(
            f"{path}: is a pickle, which could run anything when it is opened; save the weights with "
            "torch.save(model.state_dict(), path) of torch 1.6 or newer, or as safetensors."
        )
    raise DataError(
        f"{path}: is no file of a network that is known: .keras, .h5, .onnx, .pt, .safetensors, .npz, or the .mat that "
        "recurra_layers.m writes."
    )


def _kind_of_zip(path: Path, data: bytes) -> str:
    names = [name for name, _ in members(path, data).items()]
    if "config.json" in names and "model.weights.h5" in names:
        return "keras"
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        return "torchscript"
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    raise DataError(
        f"{path}: is a zip file without a network that is known; a .keras file or one of torch's is."
    )


def members(path: Path, data: bytes) -> Mapping[str, zipfile.ZipInfo]:
    """Return what a zip file holds, by name; sizes that it claims are within limits."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = archive.infolist()
    except (
        zipfile.BadZipFile,
        ValueError,
        OSError,
        EOFError,
        NotImplementedError,
        UnicodeDecodeError,
    ) as error:
        raise _damaged(path, error) from None
    if len(found) > MOST_MEMBERS:
        raise DataError(f"{path}: holds {len(found):,} files; at most {MOST_MEMBERS:,} are read.")
    Unfolding(path, len(data)).add(sum(member.file_size for member in found))
    return {member.filename: member for member in found}


def member(path: Path, data: bytes, name: str) -> bytes:
    """Return one file of a zip file."""
    claimed = members(path, data)[name].file_size
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as file:
            found = file.read(claimed + 1)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise _damaged(path, error) from None
    if len(found) != claimed:
        raise DataError(
            f"{path}: {name} has not the size that the zip file claims; it is damaged, get it again."
        )
    return found


def _damaged(path: Path, error: BaseException) -> DataError:
    return DataError(f"{path}: cannot be read as a zip file: {reason(error)}. It may be cut; get it again.")


def reason(error: BaseException) -> str:
    """Return the first line of an error, without its stop."""
    text = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return text if len(text) <= 200 else f"{text[:197]}..."


def parsed(path: Path, text: bytes | str, what: str) -> Any:
    """Return JSON, of a size and depth that a description has.

    Raises
    ------
    DataError
    """
    if len(text) > MOST_CONFIG_BYTES:
        raise DataError(f"{path}: {what} has {len(text):,} bytes; at most {MOST_CONFIG_BYTES:,} are read.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: {what} is no JSON: {reason(error)}. Get it again.") from None
