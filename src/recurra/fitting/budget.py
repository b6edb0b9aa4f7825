"""What is done with ``budget_s``: a few recipes are compared inside the training data, the rest goes into members."""

import json
import logging
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import StoreError
from recurra.fitting.task import Member, Start, TrainingData
from recurra.fitting.train_member import train_member
from recurra.serving.models.fitted_model import FittedModel

# Of the budget, for the comparison; the rest trains what was chosen.
SHARE_TO_COMPARE = 0.4
FOLDS = 3
# A recipe takes the place of the usual one only where its loss is lower by so many standard errors of the difference.
STANDARD_ERRORS = 1.0
MOST_MEMBERS = 12
# What was decided, beside the checkpoints.
FILE = "decided.json"

_log = logging.getLogger(__name__)


@dataclass
class Budget:
    """The time that a training may take, and what it was spent on so far.

    Parameters
    ----------
    seconds : float or None
        None where there is no limit, and no comparison.
    spent : float
        Before this process.
    """

    seconds: float | None
    spent: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def used(self) -> float:
        """Return the seconds used so far."""
        return self.spent + time.perf_counter() - self.began

    def room_for_another(self, members: Sequence[Member]) -> bool:
        """Whether one more member, as slow as the slowest so far, ends in time."""
        if self.seconds is None or len(members) >= MOST_MEMBERS:
            return False
        slowest = max(member.result.train_seconds for member in members)
        return self.used() + 1.1 * slowest <= self.seconds


def decide(
    options: Any, task: Any, data: TrainingData, start: Start, usual: dict[str, Any], *, resume: bool
) -> tuple[dict[str, Any], Budget]:
    """Return the options of the recipe that did best, and what is left of the budget.

    Parameters
    ----------
    options : estimator
        With its options as they were given.
    usual : dict
        What the recipe decides without a budget.
    resume : bool
        Whether what was decided before is taken from the folder of checkpoints.
    """
    seconds = getattr(options, "budget_s", None)
    if seconds is None:
        return usual, Budget(None)
    path = None if options.checkpoint_dir is None else Path(options.checkpoint_dir) / FILE
    if resume and path is not None and path.exists():
        return _read(path, float(seconds))
    budget = Budget(float(seconds))
    candidates = [usual, *_others(options, usual)] if start.fitted is None else [usual]
    chosen = _compare(options, task, data, start, candidates, budget) if len(candidates) > 1 else usual
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"options": chosen, "spent": budget.used()}))
    return chosen, budget


def _read(path: Path, seconds: float) -> tuple[dict[str, Any], Budget]:
    try:
        found = json.loads(path.read_text())
        return dict(found["options"]), Budget(seconds, spent=float(found["spent"]))
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path}: is damaged. Give another checkpoint_dir to begin anew.") from None


def _others(options: Any, usual: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is compared with the usual recipe; nothing where options of the network were given."""
    if len(usual) < 2:
        return []
    found = [{**usual, "cell": "gru"}, {**usual, "hidden_size": 32, "dropout": 0.5}]
    if "frontend" in options.get_params(deep=False) and _is_of_numbers(usual):
        found.insert(0, {**usual, "frontend": None if usual.get("frontend") else "convolutions"})
    return found


def _is_of_numbers(usual: Mapping[str, Any]) -> bool:
    """Whether the recipe is one for numbers; that for texts leaves the epochs as they are."""
    return "max_epochs" in usual


def _compare(
    options: Any,
    task: Any,
    data: TrainingData,
    start: Start,
    candidates: Sequence[dict[str, Any]],
    budget: Budget,
) -> dict[str, Any]:
    """Return the candidate with the lowest loss on folds that it did not see; the first unless another is surely better."""
    given = data.given
    parts = _folds(given, data.target.task == "classification", start.seed)
    assert budget.seconds is not None
    until = SHARE_TO_COMPARE * budget.seconds
    losses: dict[int, list[np.ndarray]] = {number: [] for number in range(len(candidates))}
    longest = 0.0
    for fold, (learn, held) in enumerate(parts):  # all candidates on a fold before the next
        for number, own in enumerate(candidates):
            if budget.used() + longest > until:
                return _best(candidates, losses)
            began = time.perf_counter()
            model = _trained(options, task, replace(data, given=given.take(learn)), start, own)
            losses[number].append(loss_of(model, data.target, given.take(held)))
            longest = max(longest, time.perf_counter() - began)
            _log.info(
                "budget: fold %d of %d, recipe %d of %d: loss %.4g, %.0f of %.0f s used",
                *(fold + 1, len(parts), number + 1, len(candidates)),
                *(losses[number][-1].mean(), budget.used(), budget.seconds),
            )
    return _best(candidates, losses)


def _folds(given: Any, stratified: bool, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return parts to learn from and to judge on; none where there are too few groups."""
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    grouped = given.groups is not None
    count = len(set(given.groups.tolist())) if grouped else len(given.sequences)
    if count < FOLDS:
        return []
    of_groups, of_records = (StratifiedGroupKFold, StratifiedKFold) if stratified else (GroupKFold, KFold)
    splitter = (of_groups if grouped else of_records)(FOLDS, shuffle=True, random_state=seed % 2**32)
    y = given.y if stratified else np.zeros(len(given.sequences))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer sequences than folds
        return list(splitter.split(np.zeros((len(y), 1)), y, given.groups))


def _trained(
    options: Any, task: Any, data: TrainingData, start: Start, own: Mapping[str, Any]
) -> FittedModel:
    """Return a model of one network trained on a part, without checkpoints, callbacks or a word."""
    quiet = {"verbose": 0, "callbacks": (), "checkpoint_dir": None}
    before = options.get_params(deep=False)
    options.set_params(**{**own, **quiet})
    try:
        prepared = replace(task.prepare(options, data, start), members=1)
        return prepared.model([train_member(options, prepared, start, 0, None, resume=False)])
    finally:
        options.set_params(**{name: before[name] for name in {**own, **quiet}})


def loss_of(model: FittedModel, target: Any, held: Any) -> np.ndarray:
    """Return the loss of each sequence held out: minus the logarithm of the true class, or the squared error."""
    if target.task == "regression":
        true = target.encode(held.y) if target.per_step else np.asarray(held.y)
        found = model.predict(held.sequences)
        if target.per_step:
            return np.array(
                [np.mean((np.ravel(a) - np.ravel(b)) ** 2) for a, b in zip(true, found, strict=True)]
            )
        return ((found.reshape(len(true), -1) - true.reshape(len(true), -1)) ** 2).mean(axis=1)
    proba = model.predict_proba(held.sequences)
    if target.task == "classification":
        return -np.log(np.maximum(proba[np.arange(len(proba)), held.y], 1e-6))
    return np.array(
        [
            -np.log(np.maximum(p[np.arange(len(p)), own], 1e-6)).mean()
            for p, own in zip(proba, held.y, strict=True)
        ]
    )


def _best(candidates: Sequence[dict[str, Any]], losses: Mapping[int, list[np.ndarray]]) -> dict[str, Any]:
    """Return the candidate that is better than the first by more than chance, on the folds that both were judged on."""
    best, lowest = 0, 0.0
    for number in range(1, len(candidates)):
        both = min(len(losses[0]), len(losses[number]))
        if not both:
            continue
        difference = np.concatenate(losses[number][:both]) - np.concatenate(losses[0][:both])
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        if difference.mean() + STANDARD_ERRORS * error < lowest:
            best, lowest = number, float(difference.mean() + STANDARD_ERRORS * error)
    return candidates[best]
