"""What a file may unfold to: one bound for every container that is smaller on disk than in memory.

Zip files and ``.npz``, MATLAB and HDF5 variables, Parquet columns, compressed sound: each claims, or turns out to be, larger
than the bytes it came in. Each reader adds up here what it is about to unfold, before it does.
"""

from typing import Any

from recurra.errors import DataError

LIMIT_BYTES = 8 << 30
# Numbers written as text shrink to a tenth, silence to a thousandth; a bomb is all silence.
LIMIT_RATIO = 200
SMALL_BYTES = 64 << 20  # below this, no ratio can do harm


class Unfolding:
    """Adds up what a file unfolds to.

    Parameters
    ----------
    path : path
        The file, for messages.
    packed : int
        Bytes it has on disk.
    ratio : int
        How many times as large it may become.
    advice : str
        What to do about a refusal; one sentence.
    """

    def __init__(
        self,
        path: Any,
        packed: int,
        *,
        ratio: int = LIMIT_RATIO,
        advice: str = "If you trust it, unpack it yourself.",
    ) -> None:
        self._path, self._packed, self._ratio, self._advice = path, packed, ratio, advice
        self.total = 0

    def add(self, size: int) -> None:
        """Take note of bytes that are about to be unfolded.

        Raises
        ------
        DataError
            If all together are more than `LIMIT_BYTES`, or more than `SMALL_BYTES` and than ``ratio`` times the file.
        """
        self.total += int(size)
        if self.total > LIMIT_BYTES:
            raise DataError(
                f"{self._path}: unfolds to {self.total:,} bytes; at most {LIMIT_BYTES:,} are read. {self._advice}"
            )
        if self.total > SMALL_BYTES and self.total > self._ratio * self._packed:
            raise DataError(
                f"{self._path}: unfolds from {self._packed:,} to {self.total:,} bytes, more than {self._ratio} to 1, as a "
                f"zip bomb does. {self._advice}"
            )
