"""Which steps of a sequence a row of frames stands for: labels per step become labels per row, and back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Alignment:
    """Row k is made of the steps from ``k * hop`` to ``k * hop + window - 1`` and stands for those nearest its middle.

    Parameters
    ----------
    window, hop : int
        Steps, at least 1.
    """

    window: int
    hop: int

    def then(self, other: "Alignment") -> "Alignment":
        """Return the alignment of rows made of this one's rows."""
        return Alignment(self.window + (other.window - 1) * self.hop, self.hop * other.hop)

    def rows(self, steps: int) -> int:
        """Return the rows that so many steps give."""
        return max(0, 1 + (steps - self.window) // self.hop)

    def middles(self, rows: int) -> np.ndarray:
        """Return the step in the middle of each row: int64 array of shape (rows,)."""
        return np.arange(rows) * self.hop + self.window // 2

    def row_of(self, steps: int, rows: int) -> np.ndarray:
        """Return the row whose middle is nearest to each step: int64 array of shape (steps,)."""
        nearest = (2 * np.arange(steps) - (self.window - 1) + self.hop) // (2 * self.hop)
        return np.clip(nearest, 0, rows - 1)

    def answered(self, rows: int) -> int:
        """Return how many steps, from the first on, are known once so many rows are."""
        if not rows:
            return 0
        return max(0, -(-(2 * self.hop * rows + self.window - 1 - self.hop) // 2))

    @property
    def delay(self) -> int:
        """Steps by which the last step that is known lies behind the newest, at most."""
        return self.window + self.hop - 1 - self.answered(1)
