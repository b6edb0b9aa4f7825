"""`TrainingConfig`: everything that decides how a network is trained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from recurra.checks import check_values, did_you_mean, listing
from recurra.errors import UsageError
from recurra.options import OPTIMIZERS, OPTIONS, SCHEDULES, Option
from recurra.training.optimizers import check_optimizer
from recurra.training.schedules.curriculum import Curriculum, as_curriculum
from recurra.training.schedules.learning_rate import check_schedule

# Ranges; what is not here has a check of its own.
_OPTIONS = ("max_epochs", "batch_size", "learning_rate", "weight_decay", "grad_clip", "patience", "shards")
_RANGES = {name: OPTIONS[name] for name in _OPTIONS} | {
    "seed": Option("seed", 0, kind="int", low=0, high=2**63 - 1),
    "verbose": Option("verbose", 0, kind="choice", choices=(0, 1, 2)),
}


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Raises
    ------
    UsageError
        If a value is out of its range or a name unknown.
    """

    max_epochs: int = 50  # passes over the data, at least 1
    batch_size: int = 32  # most sequences a batch has
    optimizer: str | type[torch.optim.Optimizer] = (
        "adam"  # "adam", "adamw", "sgd", "rmsprop" or a torch optimizer class
    )
    learning_rate: float = 1e-3  # step size before the schedule's factor; Adam's usual one
    lr_schedule: str | Mapping[str, Any] = "constant"  # a name of schedules.py, or {"name": ..., its options}
    weight_decay: float = 0.0  # per step, as the optimizer understands it (decoupled for "adamw")
    grad_clip: float | None = (
        1.0  # greatest global gradient norm; on, because recurrent gradients explode; None: off
    )
    curriculum: int | Mapping[str, Any] | Curriculum | None = (
        None  # first length, or the fields of curriculum.py, for lengths that grow; None: all lengths at once
    )
    patience: int | None = None  # epochs without a lower validation loss before stopping; None: never
    shards: int = 1  # parts of a batch whose gradients are computed alone, see `recurra.training.distributed`
    seed: int = 0  # decides order and dropout, 0 to 2**63 - 1
    device: str = "cpu"  # a torch device
    verbose: int = 0  # 0 silent, 1 a live line on a terminal, 2 a log line an epoch

    def __post_init__(self) -> None:
        check_device(self.device)
        check_values("TrainingConfig", vars(self), _RANGES)
        if self.optimizer not in OPTIMIZERS:
            check_optimizer(self.optimizer, weight_decay=self.weight_decay)
        if self.lr_schedule not in SCHEDULES:
            check_schedule(self.lr_schedule)
        if self.curriculum is not None:
            as_curriculum(self.curriculum)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields; an optimizer class by its full name, which `from_dict` does not take back."""
        out = asdict(self)
        if isinstance(self.optimizer, type):
            out["optimizer"] = f"{self.optimizer.__module__}.{self.optimizer.__qualname__}"
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingConfig":
        """Return the configuration with these fields, the others at their defaults.

        Raises
        ------
        UsageError
            If a field does not exist.
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise UsageError(
                    f"TrainingConfig.from_dict: {name!r} is no setting; known are "
                    f"{listing(known, len(known))}."
                    f"{did_you_mean(name, known)}"
                )
        return cls(**values)


def check_device(device: str) -> None:
    """Raise UsageError unless torch knows the device and this machine has it."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError):
        raise UsageError(
            f"TrainingConfig: device must be a torch device such as 'cpu' or 'cuda'; got {device!r}."
        ) from None
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"TrainingConfig: device is {device!r}, but torch finds no CUDA device here. Use device='cpu'."
        )
