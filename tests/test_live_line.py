"""Progress is drawn where somebody sees it: on a terminal, in a notebook, else nowhere."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from recurra import live_line

# IPython with a kernel, as behind a notebook, but what it displays is printed as JSON at the end.
NOTEBOOK = """
import json, sys
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.display_pub = CapturingDisplayPublisher()
shell.add_traits(kernel=__import__("traitlets").Any())
shell.kernel = object()
import numpy as np
import recurra

X = [np.ones((5, 2)) * (k % 2) for k in range(24)]
options = dict(hidden_size=4, max_epochs=3, wide=False, random_state=0)
recurra.SequenceClassifier(**options).fit(X, [k % 2 for k in range(24)])
recurra.SequenceClassifier(verbose=0, **options).fit(X, [k % 2 for k in range(24)])
print(json.dumps(shell.display_pub.outputs))
"""


def test_a_notebook_gets_a_bar_that_is_drawn_over():
    pytest.importorskip("IPython")
    done = subprocess.run([sys.executable, "-c", NOTEBOOK], capture_output=True, text=True, check=True)
    outputs = json.loads(done.stdout.splitlines()[-1])
    # One display, changed in place ever after; nothing of the fit that was to be silent.
    assert [output["update"] for output in outputs] == [False, *[True] * (len(outputs) - 1)]
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    first, last = outputs[1]["data"], outputs[-1]["data"]
    assert '<progress value="1.0000" max="1"' in last["text/html"]
    assert '<progress value="1.0000"' not in first["text/html"]
    assert "epoch 3/3  loss" in last["text/plain"]
    assert "━" not in last["text/plain"]  # the bar is there already
    assert "epoch" not in done.stderr


def test_without_notebook_and_terminal_nothing_is_opened(monkeypatch):
    assert not live_line.in_notebook()
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert live_line.open_live_line() is None
    assert not live_line.can_be_seen()


def test_a_terminal_gets_a_line_that_is_not_wrapped():
    screen = io.StringIO()
    line = live_line.TerminalLine(Console(file=screen, force_terminal=True, width=20))
    line.update("a" * 30, 0.5)
    line.close()
    assert "a" * 19 + "…" in screen.getvalue()
    assert "a" * 20 not in screen.getvalue()
