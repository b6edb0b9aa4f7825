"""What is asked of a front that is fed step by step."""

from abc import ABC, abstractmethod

import numpy as np


class RunningFront(ABC):
    """A front fed one step of several sequences at a time; as it stands here it remembers nothing."""

    @abstractmethod
    def step(self, x: np.ndarray) -> np.ndarray:
        """Take in rows (n, input_size) of the first n sequences; return rows (n, output_size)."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return views of everything remembered, the first axis of each over the batch."""
        return {}

    def reset(self) -> None:
        """Forget every step."""
        return
