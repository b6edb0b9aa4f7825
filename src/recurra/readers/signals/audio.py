"""Sound files: WAV, FLAC and OGG, by the package soundfile."""

import struct
from pathlib import Path

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import DataError
from recurra.readers.files.unpacked_size import Unfolding
from recurra.readers.signals.recording import Recording, cut_short, first_bytes

SUFFIXES = (".wav", ".flac", ".ogg")

_BLOCK = 1 << 20  # frames read at once: what a header claims is never allocated beforehand

# A number takes 8 bytes here and a few bits of speech in OGG, a hundredth of a bit of silence in FLAC.
_RATIO = 800


def read_audio(path: Path) -> Recording:
    """Read a sound file.

    Parameters
    ----------
    path : Path
        ``.wav``, ``.flac`` or ``.ogg``.

    Returns
    -------
    Recording
        Values in [-1, 1].

    Raises
    ------
    MissingExtraError
        If soundfile is not installed.
    DataError
        If the file is no sound file, cut, or unfolds beyond the bound of `recurra.readers.files.unpacked_size`.
    """
    first_bytes(path, 12)
    try:
        import soundfile
    except ImportError:
        raise missing_extra("soundfile", "audio", f"{path}: reading sound") from None
    if path.suffix.lower() == ".wav":
        _check_wav(path)
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate, promised = float(file.samplerate), int(file.frames)
            blocks = []
            unfolding = Unfolding(path, path.stat().st_size, ratio=_RATIO, advice="Cut it into parts.")
            while len(block := file.read(_BLOCK, dtype="float64", always_2d=True)):
                unfolding.add(block.nbytes)
                blocks.append(block)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(
            f"{path}: cannot be read as sound: {reason}. It may be cut or of another kind."
        ) from None
    values = np.concatenate(blocks) if blocks else np.zeros((0, 1))
    if len(values) < promised < 2**62:  # a streamed OGG does not say how long it is
        raise cut_short(path, promised, len(values), "samples")
    return Recording(values, rate, _names(values.shape[1]))


def _names(channels: int) -> list[str]:
    if channels == 1:
        return ["sound"]
    return ["left", "right"] if channels == 2 else [f"sound {i + 1}" for i in range(channels)]


def _check_wav(path: Path) -> None:
    """Compare the bytes of sound a WAV header promises with those there are; libsndfile takes what it finds."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] not in (b"RIFF", b"RF64") or head[8:12] != b"WAVE":
            return  # libsndfile says what it is, or that it is nothing
        while len(chunk := stream.read(8)) == 8:
            kind, length = struct.unpack("<4sI", chunk)
            if kind == b"data":
                # A recorder that streams writes 0 or the largest number for "until the end".
                if length not in (0, 0xFFFFFFFF) and stream.tell() + length > size:
                    raise cut_short(path, length, size - stream.tell(), "bytes of sound")
                return
            stream.seek(length + length % 2, 1)
