"""How `fit` goes on from a checkpoint: which one, and whether it is of the same data and words."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.errors import DataError, UsageError

# Words that may differ when training goes on: they change how long it goes on and what is seen of it.
FREE = ("callbacks", "checkpoint_dir", "device", "max_epochs", "network", "random_state", "verbose")


def find(estimator: Any, resume: bool) -> Any:
    """Return the newest checkpoint in ``checkpoint_dir``, None where training begins anew.

    Raises
    ------
    UsageError
        If training is to begin anew where another one has not come to its end.
    """
    if estimator.checkpoint_dir is None:
        return None
    from recurra.training import checkpoints

    found = checkpoints.newest(estimator.checkpoint_dir)
    if resume or found is None:
        return found
    if not found.finished:
        raise UsageError(
            f"{type(estimator).__name__}: checkpoint_dir {str(estimator.checkpoint_dir)!r} holds the checkpoints of a "
            "training that has not come to its end. Go on with fit(..., resume=True), or give another folder."
        )
    return None


def identity(estimator: Any, words: Mapping[str, Any], examples: Any, validation: Any) -> dict[str, Any]:
    """Return what a training is of: its words, its seed, and a digest of what is learned from.

    Parameters
    ----------
    words : mapping
        The constructor's words as the model file keeps them.
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
        for array in (part.lengths, targets, *([] if weights is None else [weights]), *part.inputs):
            digest.update(np.ascontiguousarray(array).data)
    return {"data": digest.hexdigest(), "seed": estimator.seed_, "words": json.loads(json.dumps(kept))}


def _same_file(name: str, before: Any, value: Any) -> bool:
    """Whether two paths name one file, written in full or as seen from where the user stood; its content is digested."""
    both = isinstance(before, str) and isinstance(value, str)
    return name in ("backbone", "vectors") and both and os.path.basename(before) == os.path.basename(value)


def check(estimator: Any, found: Any, now: Mapping[str, Any]) -> None:
    """Raise unless a checkpoint is of the data and words of now.

    Raises
    ------
    UsageError
        If a word differs.
    DataError
        If the data differ.
    """
    who, then = type(estimator).__name__, found.identity
    for name, value in now["words"].items():
        before = then.get("words", {}).get(name)
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


def random_state(estimator: Any, found: Any) -> Any:
    """Return the estimator's word, or the checkpoint's seed where the word draws a new one at every call."""
    word = estimator.random_state
    return word if found is None or isinstance(word, int | np.integer) else found.identity.get("seed")


def keep(
    estimator: Any,
    found: Any,
    words: Mapping[str, Any],
    examples: Any,
    validation: Any,
    *,
    fitted: bool,
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
    """
    if estimator.checkpoint_dir is None:
        return None, []
    from recurra.training import checkpoints

    now = identity(estimator, words, examples, validation)
    if found is not None and fitted and found.finished:
        found = None
    if found is None:  # what is left there came to its end, or is broken
        checkpoints.remove(estimator.checkpoint_dir)
    else:
        check(estimator, found, now)
    writer = checkpoints.Checkpoints(estimator.checkpoint_dir, identity=now, after=found)
    return None if found is None else found.state, [writer]
