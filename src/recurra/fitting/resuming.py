"""How `fit` goes on from a checkpoint: which one, and whether it is of the same data and words."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError
from recurra.options import options_of

# Words that may differ when training goes on: they change how long it goes on and what is seen of it.
FREE = (
    "budget_s",
    "callbacks",
    "checkpoint_dir",
    "device",
    "max_epochs",
    "network",
    "random_state",
    "verbose",
)


@dataclass(frozen=True)
class Place:
    """Where the checkpoints of one network are.

    Parameters
    ----------
    who : str
        The estimator's class, for messages.
    folder : path or None
        None where none are kept.
    seed : int
        Of the network.
    """

    who: str
    folder: Any
    seed: int


def folder_of(options: Any, member: int) -> Any:
    """Return the folder for checkpoints of a member: that of the option, and one below it for all but the first."""
    folder = options.checkpoint_dir
    if folder is not None and member:
        folder = Path(folder) / f"member-{member}"
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def begin(estimator: Any, resume: bool, *, leads: bool) -> tuple[int, Any, Any]:
    """Return the seed of a training, the model that it goes on from, and its newest checkpoint; None for what is not.

    Parameters
    ----------
    leads : bool
        Whether this process looks for checkpoints, see `recurra.training.distributed.workers`.

    Raises
    ------
    NotFittedError
        If training is to go on, and there is neither a model nor a folder of checkpoints.
    UsageError
        If ``random_state`` is none, or training is to begin anew where another one has not come to its end.
    """
    folder = estimator.checkpoint_dir
    found = newest(Place(type(estimator).__name__, folder, 0), resume) if leads else None
    fitted = None
    if resume:
        if folder is None:
            estimator._check_fitted()
        fitted = getattr(estimator, "model_", None)
    elif folder is not None and hasattr(estimator, "model_"):
        del estimator.model_  # should this training be interrupted, it is the one to go on with
    random_state = estimator.random_state
    if found is not None and not isinstance(random_state, int | np.integer):
        random_state = found.identity.get("seed")  # the option would draw a new one at every call
    return seed_of(random_state), fitted, found


def newest(place: Place, resume: bool) -> Any:
    """Return the newest checkpoint of a place, None where training begins anew.

    Raises
    ------
    UsageError
        If training is to begin anew where another one has not come to its end.
    """
    if place.folder is None:
        return None
    from recurra.training import checkpoints

    found = checkpoints.newest(place.folder)
    if resume or found is None:
        return found
    if not found.finished:
        raise UsageError(
            f"{place.who}: checkpoint_dir {str(place.folder)!r} holds the checkpoints of a training that has not come to "
            "its end. Go on with fit(..., resume=True), or give another folder."
        )
    return None


def identity(seed: int, words: Mapping[str, Any], examples: Any, validation: Any) -> dict[str, Any]:
    """Return what a training is of: its options, its seed, and a digest of what is learned from.

    Parameters
    ----------
    words : mapping
        The options as the model file keeps them.
    examples, validation : Examples, Examples or None
        As the network reads them.
    """
    kept = {name: value for name, value in words.items() if name not in FREE}
    digest = hashlib.blake2b(digest_size=16)
    for part in (examples, validation):
        digest.update(b"part")
        if part is None:
            continue
        targets, weights = part.rows()
        about = [part.lengths, targets] if weights is None else [part.lengths, targets, weights]
        for array in chain(about, part.inputs):  # which may be made one by one, and more than memory holds
            digest.update(np.ascontiguousarray(array).data)
    return {"data": digest.hexdigest(), "seed": seed, "words": json.loads(json.dumps(kept))}


def _same_file(name: str, before: Any, value: Any) -> bool:
    """Whether two paths name one file, written in full or as seen from where the user stood; its content is digested."""
    both = isinstance(before, str) and isinstance(value, str)
    return name in ("backbone", "vectors") and both and os.path.basename(before) == os.path.basename(value)


def check(who: str, found: Any, now: Mapping[str, Any], kind: type) -> None:
    """Raise unless a checkpoint is of the data and words of now.

    Parameters
    ----------
    kind : type
        Of the estimator: the default of an option is what a checkpoint of an earlier version, which did not know it, was
        written with.

    Raises
    ------
    UsageError
        If a word differs.
    DataError
        If the data differ.
    """
    then = found.identity
    defaults = {name: option.default for name, option in options_of(kind).items()}
    for name, value in now["words"].items():
        words = then.get("words", {})
        before = words[name] if name in words else json.loads(json.dumps(defaults.get(name), default=str))
        if before != value and not _same_file(name, before, value):
            raise UsageError(
                f"{who}: {name} is {value!r}, but {found.path} was written with {before!r}. "
                "Give the same words to go on, or another checkpoint_dir to begin anew."
            )
    if then.get("seed") != now["seed"]:
        raise UsageError(
            f"{who}: random_state is {now['seed']!r}, but {found.path} was written with {then.get('seed')!r}. "
            "Give the same to go on, or another checkpoint_dir to begin anew."
        )
    if then.get("data") != now["data"]:
        raise DataError(
            f"{who}: the data are not those that {found.path} was written with. "
            "Give the same data to go on, or another checkpoint_dir to begin anew."
        )


def seed_of(random_state: Any) -> int:
    """Return the seed, without touching a global generator.

    Raises
    ------
    UsageError
        If it is none.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    whole = isinstance(random_state, int | np.integer) and not isinstance(random_state, bool)
    if whole and random_state >= 0:
        return int(random_state)
    raise UsageError(
        f"random_state must be None, a whole number of at least 0 or a generator; got {random_state!r}."
    )


def keep(
    place: Place,
    found: Any,
    words: Mapping[str, Any],
    examples: Any,
    validation: Any,
    *,
    fitted: bool,
    kind: type,
) -> tuple[Any, list[Any]]:
    """Return the state to go on from, if any, and the callback that writes checkpoints, if they are wanted.

    A fitted estimator goes on from its weights, unless the checkpoint is of a training that has not come to its end.

    Parameters
    ----------
    found : Checkpoint or None
        The newest one.
    words, examples, validation
        See `identity`.
    fitted : bool
        Whether training goes on from fitted weights.
    kind
        See `check`.
    """
    if place.folder is None:
        return None, []
    from recurra.training import checkpoints

    now = identity(place.seed, words, examples, validation)
    if found is not None and fitted and found.finished:
        found = None
    if found is None:  # what is left there came to its end, or is broken
        checkpoints.remove(place.folder)
    else:
        check(place.who, found, now, kind)
    writer = checkpoints.Checkpoints(place.folder, identity=now, after=found)
    return None if found is None else found.state, [writer]
