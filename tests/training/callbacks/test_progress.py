import io
import logging
import re

import pytest
from rich.console import Console

from recurra.training.callbacks import progress
from recurra.training.config import TrainingConfig
from recurra.training.loop import train
from recurra.training.losses import cross_entropy


def run(make_network, make_examples, *, verbose=0, callbacks=(), **words):
    return train(
        make_network(),
        make_examples(),
        config=TrainingConfig(max_epochs=3, batch_size=8, verbose=verbose, **words),
        loss=cross_entropy(),
        validation=make_examples(seed=1),
        score=lambda outputs, examples: {"balanced_accuracy": 0.5},
        callbacks=callbacks,
    )


@pytest.mark.parametrize("verbose", [0, 1])
def test_silent_where_standard_error_is_no_terminal(make_network, make_examples, capfd, verbose):
    run(make_network, make_examples, verbose=verbose)
    assert capfd.readouterr() == ("", "")


def test_one_line_an_epoch_to_standard_error(make_network, make_examples, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a program that set up no logging
    run(make_network, make_examples, verbose=2)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 4
    assert re.fullmatch(
        r"epoch 2/3  loss 0\.\d+  valid loss 0\.\d+  balanced accuracy 0\.500  [\d,]+ steps/s", lines[1]
    )
    assert re.fullmatch(r"stopped: max_epochs, best epoch 3, \d\.\d s", lines[3])
    assert progress.logger.handlers == []
    assert progress.logger.level == logging.NOTSET


def test_lines_go_to_whoever_listens(make_network, make_examples, caplog, capfd):
    with caplog.at_level(logging.INFO, "recurra.training"):
        run(make_network, make_examples, verbose=2)
    assert len(caplog.records) == 4
    assert capfd.readouterr().err == ""


def test_live_line_on_a_terminal(make_network, make_examples, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_DRAWINGS", 0)
    screen = io.StringIO()
    live = progress.LineOfTraining(Console(file=screen, force_terminal=True, width=140))
    run(make_network, make_examples, callbacks=[live], patience=9)
    drawn = screen.getvalue()
    assert re.search(r"epoch 1/3  ━+╌+  loss 0\.\d+  [\d,]+ steps/s  at most 0:\d\d left", drawn)
    assert re.search(r"epoch 3/3  ━{20}  loss 0\.\d+  valid loss 0\.\d+  balanced accuracy 0\.500", drawn)
    assert drawn.rstrip().endswith("\x1b[?25h")  # the cursor is back


def test_a_terminal_gets_the_live_line(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert isinstance(progress.make_progress(1), progress.LineOfTraining)
