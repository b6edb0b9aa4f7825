"""Learning-rate schedules: pure functions from how far training is to a factor of the learning rate.

Only "plateau" remembers anything. `Schedule` puts them under one roof for the loop.
"""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from recurra.checks import check_choice, check_number, did_you_mean, listing
from recurra.errors import UsageError

# In all of them: epoch counts from 0, step counts optimizer steps from 0, steps_per_epoch and max_epochs from
# 1.


def constant(*, epoch: int, step: int, steps_per_epoch: int, max_epochs: int) -> float:
    """Return 1."""
    return 1.0


def step(
    *,
    epoch: int,
    step: int,
    steps_per_epoch: int,
    max_epochs: int,
    step_size: int | None = None,
    gamma: float = 0.1,
) -> float:
    """Multiply by ``gamma`` every ``step_size`` epochs (a third of all epochs if not given)."""
    every = max(1, math.ceil(max_epochs / 3)) if step_size is None else step_size
    return float(gamma ** (epoch // every))


def cosine(*, epoch: int, step: int, steps_per_epoch: int, max_epochs: int, final: float = 0.0) -> float:
    """Fall from 1 to ``final`` on half a cosine over all steps.

    References
    ----------
    .. [1] Loshchilov, Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, arXiv:1608.03983.
    """
    return final + (1 - final) * _half_cosine(step / (steps_per_epoch * max_epochs))


def onecycle(
    *,
    epoch: int,
    step: int,
    steps_per_epoch: int,
    max_epochs: int,
    rise: float = 0.3,
    start: float = 1 / 25,
    final: float = 4e-6,
) -> float:
    """Rise from ``start`` to 1 in the first ``rise`` of the steps, then fall to ``final``, on half cosines.

    The defaults are torch's (``pct_start=0.3``, ``div_factor=25``, ``final_div_factor=1e4``).

    References
    ----------
    .. [1] Smith, Topin, "Super-convergence: very fast training of neural networks using large learning
    rates",
       2018, arXiv:1708.07120.
    """
    total = steps_per_epoch * max_epochs
    peak = rise * total - 1
    if step <= peak and peak > 0:
        return 1 + (start - 1) * _half_cosine(step / peak)
    first = max(peak, 0.0)
    return final + (1 - final) * _half_cosine((step - first) / max(total - 1 - first, 1e-9))


def warmup(
    *,
    epoch: int,
    step: int,
    steps_per_epoch: int,
    max_epochs: int,
    share: float = 0.1,
    then: str = "constant",
) -> float:
    """Rise linearly over the first ``share`` of the steps, then stay ("constant") or fall to 0 ("cosine")."""
    total = steps_per_epoch * max_epochs
    rising = max(1, round(share * total))
    if step < rising:
        return (step + 1) / rising
    return 1.0 if then == "constant" else _half_cosine((step - rising) / max(1, total - rising))


def plateau(
    *, epoch: int, step: int, steps_per_epoch: int, max_epochs: int, factor: float = 0.5, patience: int = 5
) -> float:
    """Multiply by ``factor`` after more than ``patience`` epochs without a lower loss; see
    `Schedule.epoch_end`.
    """
    return 1.0


NAMED: dict[str, Callable[..., float]] = {
    f.__name__: f for f in (constant, step, cosine, plateau, onecycle, warmup)
}

# A loss counts as lower if it is so by this share of the best, as torch's ReduceLROnPlateau has it.
PLATEAU_THRESHOLD = 1e-4

_LIMITS: dict[str, dict[str, Any]] = {
    "step_size": {"integer": True, "low": 1},
    "gamma": {"low": 0, "low_open": True},
    "final": {"low": 0, "high": 1},
    "rise": {"low": 0, "high": 1, "low_open": True, "high_open": True},
    "start": {"low": 0, "high": 1},
    "share": {"low": 0, "high": 1},
    "factor": {"low": 0, "high": 1, "low_open": True, "high_open": True},
    "patience": {"integer": True, "low": 0},
}


class Schedule:
    """A named schedule for one training run.

    Parameters
    ----------
    lr_schedule : str or mapping
        A name ("constant", "step", "cosine", "plateau", "onecycle", "warmup"), or a mapping with ``name`` and
        any options of the function of that name.
    steps_per_epoch, max_epochs : int
        At least 1.
    """

    def __init__(
        self, lr_schedule: str | Mapping[str, Any], *, steps_per_epoch: int, max_epochs: int
    ) -> None:
        self.name, self.options = check_schedule(lr_schedule)
        self.steps_per_epoch = steps_per_epoch
        self.max_epochs = max_epochs
        self._best = math.inf
        self._bad_epochs = 0
        self._scale = 1.0

    def factor(self, *, epoch: int, batch: int) -> float:
        """Return the factor for a batch; both count from 0."""
        return self._scale * NAMED[self.name](
            epoch=epoch,
            step=epoch * self.steps_per_epoch + batch,
            steps_per_epoch=self.steps_per_epoch,
            max_epochs=self.max_epochs,
            **self.options,
        )

    def epoch_end(self, loss: float) -> None:
        """Take note of an epoch's loss, as torch's ReduceLROnPlateau does; other schedules than "plateau"
        ignore it.
        """
        if self.name != "plateau":
            return
        # A threshold below 0 would be needed for negative losses; ours are at least 0.
        if loss < self._best * (1 - PLATEAU_THRESHOLD):
            self._best, self._bad_epochs = loss, 0
            return
        self._bad_epochs += 1
        if self._bad_epochs > self.options.get("patience", 5):
            self._scale *= self.options.get("factor", 0.5)
            self._bad_epochs = 0

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs."""
        return {"best": self._best, "bad_epochs": self._bad_epochs, "scale": self._scale}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self._best, self._bad_epochs, self._scale = state["best"], state["bad_epochs"], state["scale"]


def check_schedule(lr_schedule: Any) -> tuple[str, dict[str, Any]]:
    """Return name and options; raise UsageError for one that does not exist or is out of range."""
    who = "TrainingConfig"
    if isinstance(lr_schedule, str) and lr_schedule in NAMED:
        return lr_schedule, {}
    options = dict(lr_schedule) if isinstance(lr_schedule, Mapping) else {"name": lr_schedule}
    name = options.pop("name", None)
    check_choice(who, "lr_schedule", name, list(NAMED))
    known = [
        w
        for w in inspect.signature(NAMED[name]).parameters
        if w not in inspect.signature(constant).parameters
    ]
    for word, value in options.items():
        if word not in known:
            choice = f"its options are {listing(known)}" if known else "it has no options"
            raise UsageError(
                f"{who}: lr_schedule {name!r} has no option {word!r}; {choice}.{did_you_mean(word, known)}"
            )
        if word == "then":
            check_choice(who, "lr_schedule option 'then'", value, ["constant", "cosine"])
        elif value is not None or word != "step_size":
            check_number(who, f"lr_schedule option {word!r}", value, **_LIMITS[word])
    return name, options


def _half_cosine(done: float) -> float:
    """Return 1 at 0, 0 at 1."""
    return (1 + math.cos(math.pi * min(max(done, 0.0), 1.0))) / 2
