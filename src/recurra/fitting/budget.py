"""What is done with ``budget_s``: a few recipes are compared inside the training data, the rest goes into members."""

import hashlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from recurra.errors import StoreError, UsageError
from recurra.fitting.manifest import plain_params
from recurra.fitting.task import Member, Start, TrainingData
from recurra.fitting.train_member import train_member
from recurra.recipes.recipe import CONVOLUTIONS, MANY, left_to_data
from recurra.serving.models.fitted_model import FittedModel
from recurra.store import write_text

# Of the budget, for the comparison; the rest trains what was chosen.
SHARE_TO_COMPARE = 0.4
FOLDS = 3
# A recipe takes the place of the usual one only where its loss is lower by so many standard errors of the difference: with
# one, of three that are no better some one wins by chance four times in ten, with two seven times in a hundred.
STANDARD_ERRORS = 2.0
MOST_MEMBERS = 12
MOST_BEGUN = 1000
# What was decided, beside the checkpoints.
FILE = "decided.json"
# Options that may differ when a training with a budget goes on.
FREE = ("budget_s", "random_state", "verbose")

_log = logging.getLogger(__name__)


@dataclass
class Budget:
    """The time that a training may take, and what it was spent on so far.

    Parameters
    ----------
    seconds : float
    spent : float
        Before this process.
    begun : int
        Members that were begun before this process.
    compared : str
        What was compared and what was chosen, in a sentence; empty where nothing was.
    path : path or None
        Where it is kept, beside the checkpoints.
    kept : dict
        What else is kept there.
    verbose : int
        Of the estimator.
    """

    seconds: float
    spent: float = 0.0
    begun: int = 0
    compared: str = ""
    path: Path | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    verbose: int = 0
    began: float = field(default_factory=time.perf_counter)

    def used(self) -> float:
        """Return the seconds used so far."""
        return self.spent + time.perf_counter() - self.began

    def room_for_another(self, members: Sequence[Member]) -> bool:
        """Whether one more member, as slow as the slowest so far, ends in time."""
        if len(members) < self.begun:  # one that was begun before a stop is brought to its end
            return True
        if len(members) >= MOST_MEMBERS:
            return False
        slowest = max(member.result.train_seconds for member in members)
        return self.used() + 1.1 * slowest <= self.seconds

    def begin(self, number: int) -> None:
        """Say and keep that a member is begun."""
        self.begun = max(self.begun, number + 1)
        self.tell(f"member {number + 1}")
        self.keep()

    def keep(self) -> None:
        """Write what a later process needs to go on."""
        if self.path is not None:
            found = {
                **self.kept,
                "spent": self.used(),
                "begun": self.begun,
                "compared": self.compared,
            }
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps(found))

    def tell(self, what: str) -> None:
        """Say what is done, with the time used and left, where training says how far it is."""
        used = self.used()
        said = f"budget: {what}, {used:.0f} of {self.seconds:.0f} s used, {max(self.seconds - used, 0):.0f} s left"
        _log.info("%s", said)
        if self.verbose == 2 or (self.verbose == 1 and sys.stderr.isatty()):
            print(said, file=sys.stderr, flush=True)


def decide(
    options: Any,
    task: Any,
    data: TrainingData,
    start: Start,
    usual: dict[str, Any],
    *,
    resume: bool,
    workers: int = 1,
) -> tuple[dict[str, Any], Budget]:
    """Return the options of the recipe that did best, and what is left of the budget.

    Parameters
    ----------
    options : estimator
        With its options as they were given, ``budget_s`` among them.
    usual : dict
        What the recipe decides without a budget.
    resume : bool
        Whether what was decided before is taken from the folder of checkpoints.
    workers : int
        Processes that train together.
    """
    seconds = options.budget_s
    if workers > 1:
        raise UsageError(
            f"{start.who}: budget_s={seconds!r} chooses by the clock of one process, and {workers} workers must choose "
            "alike. Leave one of them out."
        )
    if start.fitted is not None:
        raise UsageError(
            f"{start.who}: budget_s={seconds!r} chooses a recipe and members for a new training, and this one goes on from "
            "fitted weights. Set budget_s=None, or call fit without resume=True."
        )
    path = None if options.checkpoint_dir is None else Path(options.checkpoint_dir) / FILE
    names = [name for name in plain_params(options) if name not in FREE]
    own = _identity(options, data, start, names)
    budget = Budget(float(seconds), path=path, verbose=int(options.verbose))
    if path is not None and path.exists():
        if resume:
            return _read(budget, path, options, data, start)
        path.unlink()  # of a training that came to its end
    candidates = [usual, *_others(options, usual, data)]
    chosen = _compare(options, task, data, start, candidates, budget) if len(candidates) > 1 else usual
    budget.kept = {"of": own, "options": chosen, "names": names}
    budget.keep()
    return chosen, budget


def _identity(options: Any, data: TrainingData, start: Start, names: Collection[str]) -> str:
    """Return a digest of the data, the options of these names and the seed that a choice was made with."""
    digest = hashlib.blake2b(digest_size=16)
    given = data.given
    params = plain_params(options)
    words = {name: value for name, value in params.items() if name in names}
    digest.update(json.dumps([start.seed, words], sort_keys=True, default=str).encode())
    for key in given.contents():
        digest.update(key if isinstance(key, bytes) else str(key).encode())
    for part in (given.y, given.weights, given.groups):
        digest.update(json.dumps(part, default=lambda array: np.asarray(array).tolist()).encode())
    return digest.hexdigest()


def _read(
    budget: Budget, path: Path, options: Any, data: TrainingData, start: Start
) -> tuple[dict[str, Any], Budget]:
    """Return what was decided; an option that was not there then must be as it is where it is not given."""
    now = [name for name in plain_params(options) if name not in FREE]
    try:
        found = json.loads(path.read_bytes())
        of, chosen, compared = found["of"], dict(found["options"]), str(found["compared"])
        names = found.get("names", now)
        new = [name for name in now if name not in names]
        spent, begun = float(found["spent"]), int(found["begun"])
        if not (0 <= spent < float("inf") and 0 <= begun <= MOST_BEGUN):
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise StoreError(f"{path}: is damaged. Give another checkpoint_dir to begin anew.") from None
    if len(left_to_data(options, new)) < len(new) or of != _identity(options, data, start, names):
        raise UsageError(
            f"{start.who}: {path} was decided for other data, options or another seed. Go on with the same, or give another "
            "checkpoint_dir."
        )
    budget.spent, budget.begun, budget.compared = spent, begun, compared
    budget.kept = {"of": of, "options": chosen, "names": names}
    return chosen, budget


def _others(options: Any, usual: Mapping[str, Any], data: TrainingData) -> list[dict[str, Any]]:
    """Return what is compared with the usual recipe; nothing where options of the network were given."""
    if len(usual) < 2:
        return []
    found = [{**usual, "cell": "gru"}, {**usual, "hidden_size": 32, "dropout": 0.5}]
    if "frontend" not in options.get_params(deep=False) or not _is_of_numbers(usual):
        return found
    tells_classes = usual.get("wide") and data.target.task == "classification"
    if tells_classes and len(data.given.sequences) <= MANY:
        return [{**usual, **CONVOLUTIONS}, *found]
    return [{**usual, "frontend": None if usual.get("frontend") else "convolutions"}, *found]


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
    for number, fold in _order(candidates, len(parts)):
        if budget.used() + longest > until:
            break
        learn, held = parts[fold]
        began = time.perf_counter()
        model = _trained(options, task, replace(data, given=given.take(learn)), start, candidates[number])
        losses[number].append(loss_of(model, data.target, given.take(held)))
        longest = max(longest, time.perf_counter() - began)
        budget.tell(
            f"fold {fold + 1} of {len(parts)}, recipe {number + 1} of {len(candidates)}, "
            f"loss {losses[number][-1].mean():.3g}"
        )
    return _chosen(candidates, losses, budget)


def _order(candidates: Sequence[Mapping[str, Any]], folds: int) -> list[tuple[int, int]]:
    """Return candidate and fold of each training: all candidates on a fold before the next, on all folds those that the
    lower loss decides between before the others.
    """
    first = [number for number, own in enumerate(candidates) if number == 0 or _is_even(own)]
    first = first if len(first) > 1 else list(range(len(candidates)))
    rest = [number for number in range(len(candidates)) if number not in first]
    return [(number, fold) for part in (first, rest) for fold in range(folds) for number in part]


def _is_even(own: Mapping[str, Any]) -> bool:
    """Whether a candidate needs no more than the lower loss to take the place of the usual one."""
    return all(own.get(name) == value for name, value in CONVOLUTIONS.items())


def _chosen(
    candidates: Sequence[dict[str, Any]], losses: Mapping[int, list[np.ndarray]], budget: Budget
) -> dict[str, Any]:
    """Return the best candidate, and note what was compared."""
    best = _best(candidates, losses)
    usual = candidates[0]
    figures = []
    for own, found in zip(candidates, losses.values(), strict=True):
        if found:
            figures.append(f"{_apart(own, usual)} {np.concatenate(found).mean():.3g}")
    if len(figures) > 1:
        folds = "1 fold" if len(losses[0]) == 1 else f"{len(losses[0])} folds"
        budget.compared = (
            f"Compared in {budget.used():.0f} s by the loss on up to {folds} held out in turn: "
            f"{', '.join(figures)}; taken was {_apart(best, usual)}."
        )
    return best


def _apart(own: Mapping[str, Any], usual: Mapping[str, Any]) -> str:
    """Return what is not as usual."""
    found = [f"{name}={value!r}" for name, value in own.items() if name not in usual or usual[name] != value]
    return " and ".join(found) or "the usual recipe"


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
    from recurra.training.distributed.workers import Workers

    quiet = {"verbose": 0, "callbacks": (), "checkpoint_dir": None}
    before = options.get_params(deep=False)
    options.set_params(**{**own, **quiet})
    try:
        prepared = replace(task.prepare(options, data, start), members=1)
        return prepared.model(
            [train_member(options, prepared, start, 0, None, resume=False, workers=Workers())]
        )
    finally:
        options.set_params(**{name: before[name] for name in {**own, **quiet}})


def loss_of(model: FittedModel, target: Any, held: Any) -> np.ndarray:
    """Return the loss of each sequence held out: minus the logarithm of the true class, or the squared error."""
    if target.task == "regression":
        true = target.encode(held.y) if target.per_step else np.asarray(held.y)
        found = model.predict(held)
        if target.per_step:
            return np.array(
                [np.mean((np.ravel(a) - np.ravel(b)) ** 2) for a, b in zip(true, found, strict=True)]
            )
        return ((found.reshape(len(true), -1) - true.reshape(len(true), -1)) ** 2).mean(axis=1)
    proba = model.predict_proba(held)
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
        if len(difference) < 2:
            continue
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        bound = difference.mean() + (0 if _is_even(candidates[number]) else STANDARD_ERRORS) * error
        if bound < lowest:
            best, lowest = number, float(bound)
    return candidates[best]
