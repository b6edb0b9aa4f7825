"""Phrases that several reports share: shares in per cent, and what a training history says of the training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.evaluation.drawing.charts import is_number
from recurra.evaluation.report.context import ReportContext

# Below these a figure is called uncertain; conventions of this report, not of statistics.
FEW_SEQUENCES = 30
FEW_OF_A_CLASS = 5
WIDE_INTERVAL = 0.2
POOR_CALIBRATION = 0.1


def percent(share: float, digits: int = 0) -> str:
    """Return ``97 %``, with a digit where rounding would claim a perfect or an empty share."""
    for d in (digits, digits + 1, digits + 2):
        text = f"{100 * share:.{d}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            break
    return f"{text} %"


def span(low: float, high: float, digits: int = 0) -> str:
    """Return ``87.1 to 93.1 %``."""
    return f"{percent(low, digits).removesuffix(' %')} to {percent(high, digits)}"


def too_few(noun: str, right: tuple[int, int] | None = None) -> str:
    """Return, in place of an interval, `` (5 of 7 right; too few sequences or groups to tell ...)``."""
    counts = "" if right is None else f"{right[0]:,} of {right[1]:,} right; "
    return f" ({counts}too few {noun}s or groups to tell how sure the figure is)"


def judged_on(n: int, noun: str) -> str:
    """Return ``Judged on 370 test sequences``."""
    return f"Judged on {n:,} test {noun if n == 1 else noun + 's'}"


def size_findings(n: int, intervals: Mapping[str, tuple[float, float]], noun: str = "sequence") -> list[str]:
    """Return a sentence where the test part is small, and one where the accuracy is known badly."""
    out = []
    if n < FEW_SEQUENCES:
        out.append(
            f"The test part has only {n} {noun if n == 1 else noun + 's'}; another part could give "
            f"quite another figure."
        )
    low, high = intervals.get("accuracy", (0.0, 0.0))
    if high - low > WIDE_INTERVAL:
        out.append(
            f"The 95 % interval of the accuracy is {100 * (high - low):.0f} points wide; more test data "
            f"would narrow it."
        )
    return out


def training_findings(context: ReportContext) -> list[str]:
    """Return sentences on how the training went: stopped too early, or mostly clipped."""
    history: Sequence[Mapping[str, Any]] = [r for r in context.history if is_number(r.get("train_loss"))]
    out = []
    # Without a validation part the last epoch is kept, best or not.
    judged = any(is_number(row.get("valid_loss")) for row in history)
    best = context.best_epoch
    if judged and len(history) >= 5 and best is not None and best >= history[-1]["epoch"]:
        out.append("The last epoch was the best: training longer may help.")
    clipped = [row["clipped_share"] for row in history if is_number(row.get("clipped_share"))]
    if clipped and np.mean(clipped) > 0.5:
        out.append(
            f"{percent(float(np.mean(clipped)))} of the gradients were clipped: try a smaller learning rate."
        )
    return out
