"""The folder of a search: its trials in a journal that many processes write, on one machine or on several.

A process takes what one that died left behind before it draws new options.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import MissingExtraError, StoreError, UsageError
from recurra.folder_lock import FolderLock
from recurra.runs.workers.work_locks import claim, in_turn
from recurra.store import write_text

SEARCH, JOURNAL, TRIALS, CLAIMS, BEST, PAGE = (
    "search.json", "search.journal", "trials", ".claims", "best", "search.html",
)  # fmt: skip
# Trials that are never stopped early, and epochs of each of the others before it may be.
TRIALS_TO_COMPARE, EPOCHS_TO_COMPARE = 5, 3


@dataclass
class Claimed:
    """A trial that this process works at.

    Parameters
    ----------
    number : int
        From 0; trial 0 has the options of a training without a search.
    trial : optuna.Trial
        With its parameters.
    folder : Path
        Its run folder.
    lock : FolderLock
        Given back at its end.
    """

    number: int
    trial: Any
    folder: Path
    lock: FolderLock


def trial_folder(folder: Path, number: int) -> Path:
    """Return the run folder of a trial of the search in a folder."""
    return folder / TRIALS / f"{number:04d}"


class Study:
    """The trials of a search.

    Parameters
    ----------
    folder : Path
        Where the search stands; made if it is not there.
    about : mapping
        What the search is of: whoever joins it must have the same.
    suggest : callable
        From a trial of Optuna to its parameters.
    smaller_is_better : bool
        Of the figure that decides.

    Raises
    ------
    UsageError
        If another search stands there.
    MissingExtraError
        If Optuna is not installed.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        *,
        suggest: Callable[[Any], dict[str, Any]],
        smaller_is_better: bool,
    ) -> None:
        self.folder, self._suggest = folder, suggest
        self._optuna = _optuna()
        with in_turn(folder / CLAIMS):
            self._join(dict(about))
            backend = self._optuna.storages.journal.JournalFileBackend(str(folder / JOURNAL))
            self._study = self._optuna.create_study(
                study_name="recurra",
                storage=self._optuna.storages.JournalStorage(backend),
                direction="minimize" if smaller_is_better else "maximize",
                # No seed: two processes would try the same.
                sampler=self._optuna.samplers.TPESampler(constant_liar=True),
                pruner=self._optuna.pruners.MedianPruner(TRIALS_TO_COMPARE, EPOCHS_TO_COMPARE),
                load_if_exists=True,
            )

    def _join(self, about: dict[str, Any]) -> None:
        path = self.folder / SEARCH
        if not path.exists():
            write_text(path, json.dumps(about, indent=1) + "\n")
            return
        try:
            found = json.loads(path.read_text())
            differing = [name for name in about if found[name] != json.loads(json.dumps(about[name]))]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoreError(f"{path}: is damaged. Begin another search with out=.") from None
        if differing:
            name = differing[0]
            raise UsageError(
                f"tune: {self.folder} holds a search with {name}={found[name]!r}; got {about[name]!r}. Give the same to go "
                "on with it, or another folder."
            )

    def next(self, trials: int, *, begin: bool) -> Claimed | None:
        """Return a trial to work at: one that was left behind, else a new one; None if there is neither.

        Parameters
        ----------
        trials : int
            How many there are to be in all.
        begin : bool
            Whether a new one may be begun.
        """
        with in_turn(self.folder / CLAIMS):
            known = self._study.get_trials(deepcopy=False)
            for old in known:
                if not old.state.is_finished() and (lock := claim(self._claims(old.number))):
                    return self._claimed(self._optuna.trial.Trial(self._study, old._trial_id), lock)
            if len(known) >= trials or not begin:
                return None
            trial = self._study.ask()
            lock = claim(self._claims(trial.number))
            assert lock is not None
            return self._claimed(trial, lock)

    def _claimed(self, trial: Any, lock: FolderLock) -> Claimed:
        return Claimed(trial.number, trial, trial_folder(self.folder, trial.number), lock)

    def _claims(self, number: int) -> Path:
        return self.folder / CLAIMS / f"{number:04d}"

    def parameters(self, claimed: Claimed) -> dict[str, Any]:
        """Return what a trial tries; nothing for the first."""
        return self._suggest(claimed.trial) if claimed.number else {}

    def tell(self, claimed: Claimed, value: float | None, *, pruned: bool = False) -> None:
        """Note how a trial ended: with a figure, stopped early, or with none because it failed."""
        states = self._optuna.trial.TrialState
        state = states.PRUNED if pruned else states.FAIL if value is None else states.COMPLETE
        self._study.tell(claimed.number, value if state is states.COMPLETE else None, state=state)
        claimed.lock.release()

    def under_way(self) -> int:
        """Return how many trials have begun and not ended."""
        return sum(not trial.state.is_finished() for trial in self._study.get_trials(deepcopy=False))

    def rows(self) -> list[dict[str, Any]]:
        """Return each trial: ``trial``, ``state``, ``value``, ``seconds``, ``parameters``."""
        return [
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                "value": trial.value,
                "seconds": None if trial.duration is None else trial.duration.total_seconds(),
                "parameters": dict(trial.params),
            }
            for trial in self._study.get_trials(deepcopy=False)
        ]

    def best(self) -> dict[str, Any] | None:
        """Return the row of the trial with the best figure, the first of equal ones; None if none has one."""
        rows = [row for row in self.rows() if row["state"] == "complete"]
        sign = 1 if self._study.direction.name == "MINIMIZE" else -1
        return min(rows, key=lambda row: sign * row["value"], default=None)

    def importances(self) -> dict[str, float]:
        """Return which share of the differences each parameter explains; nothing where too few trials tell."""
        done = [row for row in self.rows() if row["state"] == "complete" and row["parameters"]]
        if len(done) < TRIALS_TO_COMPARE:
            return {}
        try:
            found = self._optuna.importance.get_param_importances(
                self._study, params=sorted(done[0]["parameters"])
            )
        except (RuntimeError, ValueError):  # all figures are the same
            return {}
        return {name: float(share) for name, share in found.items()}


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingExtraError(
            "tune: needs the package optuna. Install it with: pip install 'recurra[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
