"""Bytes of a text file become text: byte-order marks, encodings, line ends."""

import codecs
import contextlib
import re
import stat
from pathlib import Path

import numpy as np

from recurra.errors import DataError, MissingDataError, UsageError


def read_text(path: Path, *, encoding: str = "utf-8") -> str:
    """Return the text of a file, without byte-order marks: some programs write one before the one there is.

    Raises
    ------
    MissingDataError
        If there is no such file.
    DataError
        If it is empty, binary, or not in this encoding.
    """
    try:
        check_no_device(path)
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingDataError(f"{path}: there is no such file.") from None
    return decode(data, who=str(path), encoding=encoding)


def check_no_device(path: Path) -> None:
    """Raise DataError at a device, or a link to one: ``/dev/zero`` never ends.

    Raises
    ------
    OSError
        If there is no such file.
    """
    mode = path.stat().st_mode
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise DataError(f"{path}: is a device, which is not read. Give a file.")


def decode(data: bytes, *, who: str, encoding: str = "utf-8") -> str:
    """Return bytes as text whose lines end in line feeds; see `read_text` for the errors.

    A byte-order mark says more about the encoding than who passes ``encoding``.
    """
    if not data.strip():
        raise DataError(f"{who}: the file is empty ({len(data)} bytes). Check that writing it was finished.")
    if not _marked(data) and (found := _no_text(data)):
        raise DataError(f"{who}: is not a text file: {found}")
    try:
        text = data.decode(_marked(data) or encoding)
    except LookupError:
        raise UsageError(
            f"{who}: there is no encoding {encoding!r}. Try encoding='latin-1' or 'utf-16'."
        ) from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{who}: is not {encoding} text: byte {error.start} is 0x{data[error.start]:02x}. "
            f"{_advice_on_encoding(data)}, or save it as UTF-8."
        ) from None
    single_byte = re.match(r"(latin|iso8859|cp125)", codecs.lookup(_marked(data) or encoding).name)
    if single_byte and not data.isascii() and _is_utf8(data):  # no text of these looks like UTF-8 by chance
        raise DataError(f"{who}: is UTF-8 text, not {encoding}. Pass encoding='utf-8'.")
    if codecs.lookup(encoding).name == "iso8859-1" and not _marked(data) and _likely(data) == "cp1252":
        values = np.frombuffer(data, np.uint8)
        place = int(np.flatnonzero((values >= _SIGNS_OF_CP1252.start) & (values < _SIGNS_OF_CP1252.stop))[0])
        raise DataError(
            f"{who}: is not {encoding} text: byte {place} is 0x{data[place]:02x}, a control character there. "
            "Pass encoding='cp1252'."
        )
    if "\0" in text:
        raise DataError(
            f"{who}: is not a text file: it holds a zero byte at position {text.index(chr(0))}. "
            "Check the file's ending, or pass encoding='utf-16-le' if it is text."
        )
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


# How files of other programs begin, and what to do with them.
_BEGINNINGS = {
    b"PK\x03\x04": "it is a ZIP archive, as spreadsheets (.xlsx) are; save the sheet as CSV, or unpack it.",
    b"\xd0\xcf\x11\xe0": "it is a file of an older office program, such as .xls; save the sheet as CSV.",
    b"%PDF": "it is a PDF; save the table in it as CSV.",
    b"\x1f\x8b": "it is packed by gzip; unpack it first.",
    b"BZh": "it is packed by bzip2; unpack it first.",
    b"\x89PNG": "it is a picture (PNG); give it the ending .png.",
    b"\xff\xd8\xff": "it is a picture (JPEG); give it the ending .jpg.",
    b"RIFF": "it is a sound or a video (RIFF); give it the ending .wav or .avi.",
    b"\x89HDF": "it is an HDF5 file; MATLAB's have the ending .mat, of others save the table as CSV.",
    b"PAR1": "it is a Parquet file; give it the ending .parquet.",
    b"SQLite format 3": "it is a database of SQLite; save the table as CSV.",
    b"\x93NUMPY": "it is an array of numpy; give it the ending .npy.",
}
# Bytes that no text has but for a zero byte, which is told with its place; so many of the first tell a binary file.
_CONTROLS = bytes({*range(1, 32)} - {*b"\t\n\v\f\r\x1a\x1b"})
_LOOKED_AT, _MOST_CONTROLS = 4096, 0.02


def _no_text(data: bytes) -> str:
    """Return what bytes are that are no text, and what to do with them; empty where they may be text."""
    head = data[:_LOOKED_AT]
    controls = len(head) - len(head.translate(None, _CONTROLS))
    words = head.isascii() and not controls and b"\0" not in head  # a text may begin with RIFF
    for beginning, advice in _BEGINNINGS.items():
        if head.startswith(beginning) and not words:
            return advice
    if controls > _MOST_CONTROLS * len(head) and b"\0" not in head[1::2][:8]:
        return "its bytes are those of a program. Check the file and its ending."
    return ""


def _marked(data: bytes) -> str | None:
    """Return the encoding that a byte-order mark at the beginning says, None if there is none."""
    marks = {
        b"\xef\xbb\xbf": "utf-8",
        b"\xff\xfe\x00\x00": "utf-32",
        b"\xff\xfe": "utf-16",
        b"\xfe\xff": "utf-16",
    }
    return next((codec for mark, codec in marks.items() if data.startswith(mark)), None)


# Bytes that are quotation marks, dashes or the euro sign as Windows writes them, and control characters in Latin-1.
_SIGNS_OF_CP1252 = slice(0x80, 0xA0)
# More of the letters than this are no ASCII: not a Western language. So many kana among the rest: Japanese.
_MOST_ACCENTED, _KANA = 1 / 3, 0.2


def _likely(data: bytes) -> str | None:
    """Return the encoding that bytes are likely to be in; None where the languages of several come into question."""
    if _is_utf8(data):
        return "utf-8"
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256)
    high = int(counts[0x80:].sum())
    letters = high + int(counts[ord("A") : ord("Z") + 1].sum() + counts[ord("a") : ord("z") + 1].sum())
    if high > _MOST_ACCENTED * letters:
        for name in ("cp932", "euc_jp"):
            with contextlib.suppress(UnicodeDecodeError):
                signs = [sign for sign in data.decode(name) if not sign.isascii()]
                if sum("\u3040" <= sign <= "\u30ff" for sign in signs) > _KANA * len(signs):
                    return name
        return None
    with contextlib.suppress(UnicodeDecodeError):
        data.decode("cp1252")
        return "cp1252" if counts[_SIGNS_OF_CP1252].any() else "latin-1"
    return "latin-1"


def _advice_on_encoding(data: bytes) -> str:
    found = _likely(data)
    if found is not None:
        return f"Pass encoding='{found}'"
    return (
        "Most of its letters are of no Western language. Pass the encoding= of the program that wrote it, such as 'cp932' "
        "(Japanese), 'gb18030' (Chinese), 'cp949' (Korean) or 'cp1251' (Cyrillic)"
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
