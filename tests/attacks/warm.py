"""A small run that can be repeated hundreds of times: children forked from a parent that has imported everything.

Scripts of this folder import it as a neighbour; it is no test.
"""

import contextlib
import io
import os
import signal
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: a process with threads must not fork

import numpy as np

from recurra import store
from recurra.cli.main import run
from recurra.training import checkpoints

N_SEQUENCES = 40
WORDS = ("--hidden-size", "3", "--max-epochs", "3", "--batch-size", "8", "--seed", "1", "--quiet")


def write_data(path, n=N_SEQUENCES):
    """Write a long table of ``n`` sequences of two classes."""
    rng = np.random.default_rng(0)
    rows = ["id,t,a,b,label"]
    for i in range(n):
        for t in range(rng.integers(3, 7)):
            a, b = rng.normal(size=2) + (i % 2)
            rows.append(f"s{i:02d},{t},{a:.4f},{b:.4f},{'up' if i % 2 else 'down'}")
    Path(path).write_text("\n".join(rows) + "\n")


def train_words(data, folder, *, test="0"):
    """Return the command line of the small run; without a test part unless ``test`` says so."""
    table = ("--id", "id", "--time", "t", "--label", "label")
    return ["train", str(data), "-o", str(folder), "--test", test, *table, *WORDS]


def every_step():
    """Let every batch be followed by a checkpoint."""
    checkpoints.EVERY_SECONDS = 0.0
    checkpoints.PAUSE = 0.0


def here(args):
    """Run a command line in this process, which loads everything children need; return the seconds it took."""
    began = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        code = run(args)
    assert code == 0, said.getvalue()
    return time.monotonic() - began


def fork(args, log, *, first=None):
    """Run a command line in a forked child, its output in a file; return the child's id."""
    child = os.fork()
    if child:
        return child
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    code = 99
    with contextlib.suppress(BaseException):
        if first is not None:
            first()
        code = run(args)
    sys.stdout.flush()
    os._exit(code)


def wait(child):
    """Return the exit code of a child, minus the signal that ended it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def killed_after(child, seconds):
    """Kill a child with SIGKILL after some time; return whether it was still alive."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return wait(child) == -signal.SIGKILL


def same_weights(one, other):
    """Whether two model files hold the same arrays, bit for bit."""
    a, b = store.load(one)[1], store.load(other)[1]
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)


def checkpoints_of(folder):
    """Return the checkpoint files of a run, also of one that grows beside the run it replaces."""
    beside = folder.with_name(f".{folder.name}.new")
    return [p for place in (folder, beside) for p in sorted((place / "checkpoints").glob("step-*.recurra"))]


def versions():
    """Return what a result was made with."""
    import platform

    import torch

    import recurra

    return {
        "recurra": recurra.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
    }
