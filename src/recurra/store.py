"""Arrays with a JSON manifest as one safe file: models, checkpoints and stream states.

The file is a plain safetensors file. Its header's ``__metadata__`` holds one string, ``recurra``, of three lines:
the format ("recurra-1"), a SHA-256 over the manifest and every array, and the manifest as JSON. One string, because
safetensors writes several in any order and the same content shall give the same bytes. Reading runs no code,
follows no path, and allocates nothing that the file merely claims: sizes are compared with the bytes present
before anything is built.
"""

import contextlib
import errno
import functools
import hashlib
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as to_safetensors

from recurra.errors import StoreError

FORMAT = "recurra-1"
SUFFIX = ".recurra"
PARTIAL = ".part"  # ends the name of a file that is being written, which begins with a dot

# Far above any real file of ours (a header entry takes about 100 bytes), far below what could hurt a reader.
MAX_HEADER_BYTES = 16 * 2**20
MAX_ARRAYS = 20_000
MAX_DEPTH = 64
MAX_DIMENSIONS = 16
# An empty list takes two bytes as JSON and sixty in memory, so what a header may hold is counted before it is parsed.
MAX_BRACKETS = 250_000
MAX_COMMAS = 500_000

# A whole string, or a bracket outside of one; what begins a string that never ends is skipped to the end.
_BRACKETS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)

# How a descriptor of a process is named; without a number of the process, one of this process.
_DESCRIPTOR = re.compile(r"(?:/dev|/proc/(?:self|thread-self|(\d+))(?:/task/\d+)?)/fd/(\d+)")

DTYPES: dict[str, np.dtype] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


def dumps(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the bytes of a file.

    Parameters
    ----------
    manifest : mapping
        Anything JSON can hold, with string keys; NaN and infinities are refused.
    arrays : mapping of str to ndarray
        Numbers or booleans, any shape.

    Raises
    ------
    StoreError
        If `loads` would refuse it for its size.
    """
    text = json.dumps(manifest, sort_keys=True, allow_nan=False, separators=(",", ":"))
    if text.count(",") > MAX_COMMAS or text.count("[") + text.count("{") > MAX_BRACKETS:
        raise StoreError(
            f"recurra.store: a file says at most {MAX_COMMAS} things beside its arrays, and this one would say "
            f"{text.count(',')}: it could not be read again. Keep less, such as a smaller max_vocabulary."
        )
    # ascontiguousarray would turn a scalar into a vector of one.
    plain = {name: np.array(arrays[name], order="C", copy=None) for name in sorted(arrays)}
    return to_safetensors(plain, metadata={"recurra": f"{FORMAT}\n{_digest(text, plain)}\n{text}"})


def loads(data: bytes, *, who: str = "data") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return manifest and arrays of the bytes of a file.

    Raises
    ------
    StoreError
        If anything disagrees: cut, changed, foreign, of a newer format, or beyond the limits above.
    """
    header, body = _header(data, who)
    metadata = header.pop("__metadata__", None)
    envelope = metadata.get("recurra") if isinstance(metadata, dict) else None
    if not isinstance(envelope, str):
        raise StoreError(f"{who}: not a recurra file: the header carries no recurra manifest.")
    form, _, rest = envelope.partition("\n")
    if form != FORMAT:
        raise StoreError(
            f"{who}: has format {form[:40]!r}, this version of recurra reads {FORMAT!r}. Update recurra."
        )
    stated, _, text = rest.partition("\n")
    if len(header) > MAX_ARRAYS:
        raise StoreError(f"{who}: claims {len(header)} arrays, more than the {MAX_ARRAYS} a file may hold.")
    arrays = _arrays(header, body, who)
    if _digest(text, arrays) != stated:
        raise StoreError(
            f"{who}: the checksum does not agree with the content: the file was changed or damaged. Use a backup."
        )
    manifest = _json(text.encode(), who)
    if not isinstance(manifest, dict):
        raise StoreError(f"{who}: the manifest must be a JSON object; got {type(manifest).__name__}.")
    return manifest, arrays


def save(path: str | os.PathLike[str], manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a file so that a crash at any instant leaves the old file or the new one, whole."""
    write_bytes(path, dumps(manifest, arrays))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return manifest and arrays of a file; see `loads` for the errors."""
    return loads(read_bytes(path, what="model file"), who=str(path))


def read_bytes(path: str | os.PathLike[str], *, what: str = "file") -> bytes:
    """Return the bytes of a file or a pipe; a device such as ``/dev/zero``, which never ends, is refused.

    Raises
    ------
    StoreError
        If it is a folder or a device.
    OSError
        If it cannot be read.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise StoreError(f"{path}: is a folder, not a {what}.")
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise StoreError(f"{path}: is a device, not a {what}.")
    return Path(path).read_bytes()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that it is there whole or not at all; the one way in which recurra writes what a user names.

    A regular file is replaced in one step: temporary neighbour, fsync, rename, fsync of the folder. It keeps its
    permissions; a read-only one is refused. A link is followed: the file it leads to is replaced, and made if it is not
    there; the link stays. (A hard link is one more name of the old content, and keeps that.) Devices and pipes
    are written into as they are, and so are the process's own descriptors (``/dev/stdout``, ``/dev/fd/3``).

    Raises
    ------
    OSError
        Naming the file, whichever step failed; a regular file is then what it was before.
    """
    target = Path(path)
    try:
        _write(target, data)
    except OSError as error:  # write and fsync do not know the name
        raise OSError(error.errno, error.strerror, str(target)) from error


def _write(target: Path, data: bytes) -> None:
    own = _own_descriptor(target)
    if own is not None:
        return _pour(os.dup(own), data)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return _replace(destination(target), data)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        return _pour(os.open(target, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), data)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return _replace(destination(target), data)


def destination(path: Path) -> Path:
    """Return where a regular file is written: where a link leads, else the path itself."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _own_descriptor(path: Path) -> int | None:
    """Return the number of the descriptor of this process that a path means, None for any other path.

    Opened by its name it would be opened anew, at its beginning, and what else the process writes there would run over it.
    """
    place = os.path.abspath(path)
    for _ in range(40):  # as many links as Linux follows
        if found := _DESCRIPTOR.fullmatch(place):
            return int(found[2]) if found[1] in (None, str(os.getpid())) else None
        if not os.path.islink(place):
            return None
        place = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))
    return None


def _pour(descriptor: int, data: bytes) -> None:
    """Write into what is no regular file and close it."""
    with open(descriptor, "wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[file.write(left) or 0 :]


def _replace(target: Path, data: bytes) -> None:
    # A name may have 255 bytes; that of its neighbour must not have more.
    begin = target.name.encode()[:200].decode(errors="ignore")
    temporary = target.with_name(f".{begin}.{secrets.token_hex(8)}{PARTIAL}")
    permissions = _permissions(target)
    # The system takes the umask from what is asked for; to ask for the umask one must change it, for all threads.
    begun_with = functools.partial(os.open, mode=0o666 if permissions is None else 0o600)
    try:  # the name is known before there is a file: Ctrl-C may come at any moment, also on the way out of a call
        with open(temporary, "xb", opener=begun_with) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if permissions is not None:
            os.chmod(temporary, permissions)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError), _directory(target.parent) as folder:  # absent on some systems
        os.fsync(folder)


def _permissions(target: Path) -> int | None:
    """Return those of the file that is replaced, None if there is none."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except OSError:
        return None


def make_lasting(path: str | os.PathLike[str]) -> None:
    """Let what was appended to a file outlast a power cut."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def check_place(path: str | os.PathLike[str] | None) -> None:
    """Raise FileNotFoundError if the folder a file is to be written into is not there, before the work for it is done.

    Parameters
    ----------
    path : path or None
        None is no file.
    """
    if path is not None and not Path(path).parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 text file; see `write_bytes`."""
    write_bytes(path, text.encode())


@contextlib.contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _header(data: bytes, who: str) -> tuple[dict[str, Any], memoryview]:
    if len(data) < 8:
        raise StoreError(f"{who}: not a recurra file: it has {len(data)} bytes, a header alone takes more.")
    size = int.from_bytes(data[:8], "little")
    if size > MAX_HEADER_BYTES:
        raise StoreError(
            f"{who}: not a recurra file, or damaged: its header claims {size} bytes (at most {MAX_HEADER_BYTES})."
        )
    if size > len(data) - 8:
        raise StoreError(
            f"{who}: cut short: the header claims {size} bytes, {len(data) - 8} are there. Use a backup."
        )
    header = _json(data[8 : 8 + size], who)
    if not isinstance(header, dict):
        raise StoreError(f"{who}: not a recurra file: its header is no JSON object.")
    return header, memoryview(data)[8 + size :]


def _json(data: bytes, who: str) -> Any:
    """Parse JSON; refuse repeated keys, and nesting or numbers of things that would exhaust stack or memory."""
    brackets = data.count(b"[") + data.count(b"{")
    if brackets > MAX_BRACKETS or data.count(b",") > MAX_COMMAS:
        raise StoreError(
            f"{who}: not a recurra file, or damaged: its JSON claims more things than any file of recurra's holds."
        )
    depth = 0
    for found in _BRACKETS.finditer(data) if brackets > MAX_DEPTH else ():
        if found.group() in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise StoreError(f"{who}: damaged: its JSON is nested more than {MAX_DEPTH} deep.")
        elif found.group() in b"]}":
            depth -= 1

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise StoreError(f"{who}: damaged: a key appears twice in its JSON.")
        return out

    try:
        return json.loads(data, object_pairs_hook=unique)
    except StoreError:
        raise
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{who}: not a recurra file, or damaged: its JSON cannot be read ({str(error)[:80]})."
        ) from None


def _arrays(header: Mapping[str, Any], body: memoryview, who: str) -> dict[str, np.ndarray]:
    spans = []
    arrays = {}
    for name, entry in header.items():
        dtype, shape, first, last = _entry(name, entry, who)
        if last > len(body):
            raise StoreError(
                f"{who}: cut short: array {name[:80]!r} ends at byte {last}, {len(body)} are there. Use a backup."
            )
        spans.append((first, last))
        # A copy, so that an array is aligned and does not keep the whole file alive.
        arrays[name] = np.frombuffer(body[first:last], dtype=dtype).reshape(shape).copy()
    spans.sort()
    ends = [0, *(last for _, last in spans)]
    if [first for first, _ in spans] != ends[:-1] or ends[-1] != len(body):
        raise StoreError(f"{who}: damaged: its arrays overlap or leave gaps.")
    return arrays


def _entry(name: str, entry: Any, who: str) -> tuple[np.dtype, tuple[int, ...], int, int]:
    problem = StoreError(f"{who}: damaged: the header's entry for array {name[:80]!r} makes no sense.")
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise problem
    shape, offsets = entry["shape"], entry["data_offsets"]
    whole = all(
        isinstance(numbers, list) and all(type(n) is int and 0 <= n < 2**62 for n in numbers)
        for numbers in (shape, offsets)
    )
    if not whole or len(offsets) != 2 or len(shape) > MAX_DIMENSIONS or str(entry["dtype"]) not in DTYPES:
        raise problem
    dtype = DTYPES[str(entry["dtype"])]
    # numpy refuses (0, 2**62): it multiplies what is not 0.
    too_long = math.prod(n for n in shape if n) * dtype.itemsize >= 2**62
    if too_long or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise problem
    return dtype, tuple(shape), offsets[0], offsets[1]
