"""Predictions of many files, each into a file of its own, by as many processes as are at it."""

import glob
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recurra.checks import counted, did_you_mean_file
from recurra.datasets import catalog
from recurra.errors import DataError, MissingDataError, RecurraError, UsageError
from recurra.runs.folder.opening import model_file
from recurra.runs.predict import Wanted, predicted
from recurra.runs.workers.replicas import is_replica
from recurra.runs.workers.work_locks import claim
from recurra.store import write_text

# What the predictions in a folder are of, and where files that are being read are claimed.
ABOUT, CLAIMS = ".recurra-predictions.json", ".claims"
SECONDS_TO_LOOK_AGAIN = 0.2


@dataclass(frozen=True)
class Files:
    """Files to predict, and where their answers go.

    Parameters
    ----------
    answers : dict of Path to Path
        From each input to its output.
    """

    answers: Mapping[Path, Path]

    @classmethod
    def of(cls, data: Sequence[str], out: Path, suffix: str) -> "Files":
        """Return the files that paths and patterns name; ``**`` stands for any folders.

        Raises
        ------
        MissingDataError
            If a pattern matches no file.
        """
        answers: dict[Path, Path] = {}
        for pattern in data:
            root = _before_the_pattern(pattern)
            found = [
                Path(name) for name in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(name)
            ]
            if not found and os.path.isdir(pattern):
                raise MissingDataError(
                    f"{pattern}: it is a folder; name its files, such as '{Path(pattern) / '*'}'."
                )
            if not found and pattern in catalog.names():
                raise UsageError(
                    f"{pattern}: is the name of a data set, whose answers go into one file: give -o {pattern}.csv, not a "
                    "folder."
                )
            if not found:
                near = did_you_mean_file(Path(pattern).name, os.listdir(root) if root.is_dir() else [])
                raise MissingDataError(f"{pattern}: there is no such file.{near}")
            answers |= {name: out / f"{name.relative_to(root)}{suffix}" for name in found}
        if len(set(answers.values())) < len(answers):
            raise UsageError(
                "predict: two files would have the same output; predict them into different folders."
            )
        return cls(answers)


def _before_the_pattern(pattern: str) -> Path:
    """Return the folder below which outputs are named like inputs."""
    parts = Path(pattern).parts
    plain = next((n for n, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:plain])


def predict_files(
    run: Any,
    files: Files,
    out: Path,
    *,
    wanted: Wanted,
    options: Mapping[str, Any],
    as_text: Callable[[list[dict[str, Any]]], str],
    told: Callable[[int], None] = lambda done: None,
) -> int:
    """Predict each file that has no output yet, and return how many rows this process wrote.

    An output is written whole or not at all. Other processes that do the same, on other machines too, take other files; a
    file whose process died is taken up by another.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    wanted, options
        See `recurra.runs.predict.predicted`.
    as_text : callable
        From rows to the content of an output.
    told : callable
        Is given the number of files done since it was last called, by whomever.

    Raises
    ------
    UsageError
        If the folder holds predictions of another model, or with other options.
    DataError
        Naming the first of the files that could not be predicted, once all others are.
    """
    _check_same(run, out, wanted, options)
    left, rows, failed = dict(files.answers), 0, {}  # type: tuple[dict[Path, Path], int, dict[Path, str]]
    while left:
        for source, target in list(left.items()):
            if not target.exists():
                lock = claim(out / CLAIMS / target.relative_to(out))
                if lock is None:
                    continue
                try:
                    if not target.exists():
                        found = predicted(run, (str(source),), wanted, options).rows
                        target.parent.mkdir(parents=True, exist_ok=True)
                        write_text(target, as_text(found))
                        rows += len(found)
                except RecurraError as error:
                    failed[source] = str(error)
                finally:
                    lock.release()
            del left[source]
            told(1)
        if left:
            time.sleep(SECONDS_TO_LOOK_AGAIN)
    if not is_replica():
        shutil.rmtree(out / CLAIMS, ignore_errors=True)
    if failed:
        source, why = next(iter(failed.items()))
        raise DataError(
            f"predict: {len(failed)} of {counted(len(files.answers), 'file')} {'has' if len(failed) == 1 else 'have'} no "
            f"answers; the first is {source}: {why}"
        )
    return rows


def _check_same(run: Any, out: Path, wanted: Wanted, options: Mapping[str, Any]) -> None:
    """Note what the folder holds predictions of; UsageError if it is of something else."""
    asked = {name: value for name, value in asdict(wanted).items() if name != "progress"}
    about = json.loads(
        json.dumps({"model": hashlib.sha256(model_file(run).read_bytes()).hexdigest(), **asked, **options})
    )
    out.mkdir(parents=True, exist_ok=True)
    path = out / ABOUT
    if not path.exists():
        write_text(path, json.dumps(about) + "\n")
        return
    if json.loads(path.read_text()) != about:
        raise UsageError(
            f"predict: {out} holds predictions of another model, or with other options. Give another folder, or remove it."
        )
