"""`fit`: the one way in which every estimator is trained."""

from dataclasses import replace
from typing import Any, TypeVar

from recurra.checks import check_torch, checked_numbers
from recurra.fitting import budget as budgets
from recurra.fitting import resuming
from recurra.fitting.option_checks import check_together
from recurra.fitting.task import Member, Start
from recurra.fitting.train_member import train_member
from recurra.inputs.request import Request
from recurra.options import options_of

E = TypeVar("E", bound=Any)


def fit(estimator: E, request: Request, *, resume: bool = False) -> E:
    """Train an estimator.

    The steps are the same for all: check the options, find the checkpoint, read and check the data, decide what was left
    to them, split, learn target and features, build, train, keep. Those that differ are in the estimator's task.

    Parameters
    ----------
    estimator : Estimator
        With a ``task``; gets ``model_``, ``seed_`` and what its ``_learned`` sets.
    request : Request
        What its ``fit`` was called with.
    resume : bool, default=False
        Go on: an estimator that is not fitted from the newest checkpoint in ``checkpoint_dir``, or from the beginning if
        there is none yet; a fitted one from its weights, features and classes, or from where this very training was
        interrupted.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """
    who, task, as_given = type(estimator).__name__, estimator.task, estimator.get_params(deep=False)
    check_torch(f"{who}.fit")
    # numpy's numbers are those of Python while it is trained: model files and configurations are JSON
    changed = checked_numbers(who, as_given, options_of(type(estimator)))
    check_together(who, as_given | changed)
    import torch

    from recurra.training.distributed.workers import join

    # modes that the caller has switched on are for predictions
    with torch.inference_mode(False), torch.enable_grad():
        try:
            estimator.set_params(**changed)
            workers = join(estimator.shards)
            seed, fitted, found = resuming.begin(estimator, resume, leads=workers.leads)
            if workers.count > 1:
                seed = workers.shared(seed)
            start = Start(who, seed, fitted)
            data = task.read(estimator, request, start)
            decided, budget = task.decide(estimator, data, start), None
            if found is not None:  # an earlier version may have decided otherwise
                decided |= {k: v for k, v in found.identity.get("words", {}).items() if k in decided}
            if getattr(estimator, "budget_s", None) is not None:
                decided, budget = budgets.decide(
                    estimator, task, data, start, decided, resume=resume, workers=workers.count
                )
            changed |= decided
            estimator.set_params(**decided)
            start = replace(start, decided=decided, compared=budget.compared if budget else "")
            prepared = task.prepare(estimator, data, start)
            if budget and prepared.ahead:
                budget.tell("linear part")
                prepared.ahead()
            members: list[Member] = []
            while len(members) < prepared.members or (budget and budget.room_for_another(members)):
                if budget:
                    budget.begin(len(members))
                members.append(
                    train_member(
                        estimator, prepared, start, len(members), found, resume=resume, workers=workers
                    )
                )
            if budget:
                budget.keep()
            estimator.model_ = prepared.model(members)
        finally:
            estimator.set_params(**{name: as_given[name] for name in changed})
        estimator._learned()
        task.remember(estimator, data, start)
        return estimator
