"""Runs whose reports are words alone, for tests of what does not stand in a report."""

import contextlib
from pathlib import Path

import pytest

from recurra.evaluation.results.evaluation import Evaluation
from recurra.runs.folder import results
from recurra.runs.folder.files import FIGURES
from recurra.store import write_text

SAVE, WRITE_FIGURES = Evaluation.save, results.write_figures


@contextlib.contextmanager
def charts(*, drawn):
    """Let runs of this process draw the charts of their reports, or write the words of a report alone.

    Charts take nine tenths of a small run's time. Every chart and every page is drawn in tests/evaluation, and by the
    tests of train, eval and of each kind of data.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evaluation, "save", SAVE if drawn else _save_words)
        patch.setattr(results, "write_figures", WRITE_FIGURES if drawn else _make_folder)
        yield


def _save_words(evaluation, path):
    write_text(path, evaluation.summary())
    return Path(path)


def _make_folder(run, *_):
    run.to_write(FIGURES).mkdir(exist_ok=True)
