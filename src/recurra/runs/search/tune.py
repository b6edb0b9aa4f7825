"""`recurra.tune`, from data to the best run, trained again and judged once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recurra.checks import check_number, counted, without_idle
from recurra.errors import DataError, TrainingError, UsageError
from recurra.options import options_of
from recurra.recipes.recipe import decided, facts_of_part
from recurra.records import Dataset
from recurra.runs.data.identity import fingerprint
from recurra.runs.data.sources import divide_options
from recurra.runs.data.split import divide
from recurra.runs.execute import Run, Tell, execute
from recurra.runs.folder.opening import check_place, open_run
from recurra.runs.folder.ownership import owned, unfinished
from recurra.runs.plan import Prepared, default_folder, prepare
from recurra.runs.resume import resume_run
from recurra.runs.search.choice import choose
from recurra.runs.search.page import write_page
from recurra.runs.search.space import Range, named, space
from recurra.runs.search.study import BEST, CLAIMS, PAGE, SEARCH, Claimed, Study
from recurra.runs.search.trial import INNER_SHARE, StopEarly, attempted, run_trial
from recurra.runs.tasks import options_class
from recurra.runs.workers.replicas import is_replica
from recurra.runs.workers.work_locks import claim

# Task -> the figure that decides, and whether less of it is better.
FIGURES: Mapping[str, tuple[str, bool]] = {
    "classify": ("log_loss", True),
    "regress": ("rmse", True),
    "label": ("macro_f1", False),
    "translate": ("character_error_rate", True),
    "forecast": ("mae", True),
    "anomaly": ("average_precision", False),
    "generate": ("bits_per_character", True),
}
SECONDS_TO_LOOK_AGAIN = 0.5


@dataclass(frozen=True)
class Search:
    """What a search came to.

    Parameters
    ----------
    path : Path
        Its folder; ``trials/`` has a run folder each.
    trials : list of dict
        ``trial``, ``state``, ``value``, ``seconds``, ``parameters`` of each; trial 0 is the training without a search.
    figure : str
        What decided, judged on a share held out of the training part.
    best : dict
        That of ``trials`` that is trained again: that with the best figure, where it is better than the first, which has the
        defaults, by more than chance; else the first.
    why : str
        Says so in a sentence.
    importances : dict of str to float
        Which share of the differences each option explains; empty where too few trials tell.
    run : Run or None
        The best options trained on the whole training part, and judged on the test part; None where another process has
        done that.
    """

    path: Path
    trials: list[dict[str, Any]]
    figure: str
    best: dict[str, Any]
    why: str
    importances: dict[str, float]
    run: Run | None

    def __repr__(self) -> str:
        return f"Search({str(self.path)!r}, {self.figure} {self.best['value']:.4g} of {counted(len(self.trials), 'trial')})"


def tune(
    data: Any,
    task: str | None = None,
    *,
    test: Any = None,
    by: str | None = None,
    out: Any = None,
    trials: int = 50,
    budget_s: float | None = None,
    search: Sequence[str] = (),
    seed: int = 0,
    tell: Tell | None = None,
    **options: Any,
) -> Search:
    """Search for options that do better, train the best again, and judge it once.

    Each trial is an ordinary run that learns from four fifths of the training part and is judged on the rest; the test
    part is read by none. The first has the defaults, and is trained again unless another is better by more than chance.
    Calls with the same folder and the same words work on one search, at the same time, on machines that share the folder,
    or one after the other: a trial whose process died is taken up where it stood.

    Parameters
    ----------
    data : path, name, frame, arrays or Dataset
        As for `recurra.train`, like the next three.
    task : str, optional
        What is to be learned.
    test : float or path, optional
        The part that is judged once, in the end.
    by : {"group", "time", "record"}, optional
        How shares are held out; see `Dataset.split`.
    out : path, optional
        Folder of the search; ``runs/`` and the name of the data with ``-search`` by default.
    trials : int, default=50
        How many there are to be in all, at least 1; the first has the defaults.
    budget_s : float, optional
        Seconds of this call after which it begins no trial; the best is then trained.
    search : sequence of str
        Ranges in place of the usual ones, and of other options: ``hidden_size=16..256,log``, ``cell=lstm|gru``.
    seed : int, default=0
        Decides split and first weights, the same in all trials. Which options are tried is drawn anew.
    tell : callable, optional
        Is given each line about what happens.
    **options
        As for `recurra.train`; those of the estimator are the same in all trials.

    Returns
    -------
    Search
        All trials, the best of them, and its training.

    Raises
    ------
    UsageError
        If an option or a range makes no sense, or the folder holds a search of something else.
    DataError
        If the runs of a task have no figure to compare.
    MissingExtraError
        If Optuna is not installed.

    Examples
    --------
    >>> found = recurra.tune("japanese-vowels", trials=20, out="runs/search")  # doctest: +SKIP
    >>> found.best["parameters"]  # doctest: +SKIP
    """
    tell = tell or (lambda line: None)
    check_number("tune", "trials", trials, integer=True, low=1)
    if budget_s is not None:
        check_number("tune", "budget_s", budget_s, low=0, low_open=True)
    data_options, own = divide_options("tune", options)
    if "callbacks" in own or "checkpoint_dir" in own:
        raise UsageError(
            "tune: callbacks and checkpoint_dir are of one training; a search has many. Leave them out."
        )
    folder = (
        default_folder(data).with_name(f"{default_folder(data).name}-search") if out is None else Path(out)
    )
    if not any((folder / name).exists() for name in (SEARCH, CLAIMS)):
        check_place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare(
        data,
        task,
        folder / BEST,
        data_options,
        {**own, "verbose": 0},
        test=test,
        by=by,
        seed=seed,
        searched=named(search),
    )
    if prepared.plan.task == "anomaly" and prepared.dataset.y is None:
        raise DataError(
            "tune: the data have no labels, and without them there is no telling which trial finds anomalies better. Give "
            "data that say which steps are anomalous, or train with options of your own."
        )
    work = _Work(prepared, own, time.monotonic(), budget_s, tell)
    return work.searched(folder, trials, space(prepared.plan.task, prepared.plan.kind, search, own))


@dataclass(frozen=True)
class _Work:
    """One process at a search."""

    prepared: Prepared
    fixed: Mapping[str, Any]
    began: float
    budget: float | None
    tell: Tell

    def searched(self, folder: Path, trials: int, ranges: Mapping[str, Range]) -> Search:
        """Work at trials until there are enough, and at what follows."""
        if not ranges:
            raise UsageError(
                "tune: every option is given, and none is left to search. Leave some out, or name one by search=."
            )
        figure, smaller_is_better = FIGURES[self.prepared.plan.task]
        about = {
            "task": self.prepared.plan.task,
            "data": fingerprint(self.prepared.split),
            "seed": self.prepared.plan.seed,
            "options": {name: repr(value) for name, value in sorted(self.fixed.items())},
            "search": {name: str(where) for name, where in ranges.items()},
            "figure": figure,
        }
        study = Study(
            folder,
            about,
            suggest=lambda trial: {name: where.suggested(trial, name) for name, where in ranges.items()},
            smaller_is_better=smaller_is_better,
        )
        base = self._base()
        while True:
            claimed = study.next(trials, begin=self._time_for_another(study))
            if claimed is not None:
                self._work(study, claimed, base, trials)
            elif not study.under_way():
                break
            else:
                time.sleep(SECONDS_TO_LOOK_AGAIN)
        best = study.best()
        if best is None:
            raise TrainingError(
                f"tune: none of {counted(len(study.rows()), 'trial')} gave a figure; see {folder / 'trials'}."
            )
        rows = study.rows()
        choice = choose(
            folder,
            rows,
            best["trial"],
            part=self._inner_part(),
            task=self.prepared.plan.task,
            figure=figure,
        )
        best = rows[choice.trial]
        run = self._trained(folder, best, base)
        search = Search(folder, rows, figure, best, choice.why, study.importances(), run)
        if run is not None:
            write_page(folder / PAGE, search, ranges, smaller_is_better=smaller_is_better)
        return search

    def _by(self) -> str | None:
        """How the share is held out on which trials are judged."""
        return self.prepared.plan.by or ("time" if self.prepared.plan.kind == "series" else None)

    def _inner_part(self) -> Dataset:
        """Return the share of the training part on which every trial is judged."""
        found = divide(
            self.prepared.split.train,
            test=INNER_SHARE,
            by=self._by(),
            seed=self.prepared.plan.seed,
            options={},
        )
        assert found.test is not None
        return found.test

    def _work(self, study: Study, claimed: Claimed, base: Mapping[str, Any], trials: int) -> None:
        """Train and judge a trial."""
        plan, tried = self.prepared.plan, study.parameters(claimed)
        stop = StopEarly(claimed.trial, self.began + (self.budget or float("inf")))
        given = self._options(base, tried)
        metrics, why = attempted(
            lambda: run_trial(
                claimed.folder,
                self.prepared.split.train,
                given,
                stop,
                task=plan.task,
                by=self._by(),
                seed=plan.seed,
            )
        )
        figure, _ = FIGURES[plan.task]
        value = metrics.get(figure)
        study.tell(claimed, value, pruned=stop.pruned)
        judged = "no figure" if value is None else f"{figure.replace('_', ' ')} {value:.4g}"
        shown = why or ("stopped early" if stop.pruned else judged)
        words = ", ".join(f"{name}={_short(one)}" for name, one in tried.items()) or "the defaults"
        self.tell(f"Trial {claimed.number + 1} of {trials}: {shown} with {words}")

    def _options(self, base: Mapping[str, Any], tried: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a trial, without those that change nothing beside what it tries."""
        given = {**(base if tried else {}), **self.fixed, **tried}
        return without_idle(given, options_of(type(self.prepared.estimator)))

    def _time_for_another(self, study: Study) -> bool:
        """Whether one more trial, as slow as the slowest, and the training of the best after it, end in time."""
        if self.budget is None:
            return True
        slowest = max((row["seconds"] or 0 for row in study.rows()), default=0)
        return time.monotonic() - self.began + 2 * slowest <= self.budget

    def _base(self) -> dict[str, Any]:
        """Return what a training without options decides on a network; the trials begin from there."""
        plan, train = self.prepared.plan, self.prepared.split.train
        if plan.task == "forecast":
            return {"statistical": True} if "statistical" not in self.fixed else {}
        if plan.task == "anomaly":
            return {"neighbours": True} if "neighbours" not in self.fixed else {}
        kinds = {"classify": "classification", "regress": "regression", "label": "labeling"}
        if plan.task not in kinds or plan.kind not in ("sequence", "text"):
            return {}
        known = options_of(options_class(plan.task, plan.kind))
        found = decided(self.prepared.estimator, facts_of_part(train, kinds[plan.task]))
        return {name: value for name, value in found.items() if name in known}

    def _trained(self, folder: Path, best: Mapping[str, Any], base: Mapping[str, Any]) -> Run | None:
        """Train the best options on the whole training part and judge them, unless another process does or has."""
        lock = None if is_replica() else claim(folder / CLAIMS / BEST)
        if lock is None:
            return None
        try:
            place = folder / BEST
            if unfinished(place) is not None:
                return resume_run(place, None if self._named() else self.prepared.dataset, tell=self.tell)
            if (place / "metrics.json").exists():
                open_run(place)
                return None
            tried = best["parameters"]
            given = self._options(base, tried)
            plan = replace(self.prepared.plan, options={**given, "verbose": 0})
            estimator = type(self.prepared.estimator)(**{**given, "verbose": 0, "random_state": plan.seed})
            with owned(place):
                return execute(replace(self.prepared, plan=plan, estimator=estimator), self.tell)
        finally:
            lock.release()

    def _named(self) -> bool:
        return self.prepared.plan.source is not None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else repr(value)
