"""What cannot be done without torch, or another package, says which package it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

import every_task
from every_task import TASKS, fit, make

WITHOUT = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import numpy as np, recurra
from recurra.errors import MissingExtraError
from every_task import SEQUENCES, TASKS, TEXTS, fit, make

def said(call):
    try:
        call()
    except MissingExtraError as error:
        print(error)

"""


def run(package, code):
    head = f"import sys; sys.path.insert(0, {str(Path(every_task.__file__).parent)!r})\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + WITHOUT.format(package=package) + code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_training_without_torch():
    found = run("torch", "for name in TASKS:\n    said(lambda: fit(make(name)))")
    assert [line.split(",")[0] for line in found] == [f"{name}.fit needs the package torch" for name in TASKS]
    assert all(line.endswith("a saved model predicts, evaluates and streams.") for line in found)


def test_a_saved_model_predicts_and_says_what_needs_torch(tmp_path):
    for name in ("SequenceClassifier", "TextClassifier"):
        fit(make(name, max_epochs=1)).save(tmp_path / f"{name}.recurra")
    code = f"""
for name, one in (("SequenceClassifier", SEQUENCES[0]), ("TextClassifier", TEXTS[0])):
    model = recurra.load_model({str(tmp_path)!r} + f"/{{name}}.recurra")
    assert len(model.predict([one])) == 1
    assert model.trace(one).layers
    said(lambda: model.explain(one))
    said(lambda: model.gradient_flow(*TASKS[name][1]))
    said(lambda: recurra.draw)
"""
    found = run("torch", code)
    assert [line.split(" needs")[0] for line in found] == [
        "SequenceClassifier.explain",
        "SequenceClassifier.gradient_flow",
        "recurra.draw",
        "TextClassifier.explain with method='integrated_gradients'",
        "TextClassifier.gradient_flow",
        "recurra.draw",
    ]


@pytest.mark.parametrize("package", ["sklearn", "torch"])
def test_a_public_name_says_which_package_it_needs(package):
    name = {"sklearn": "SequenceClassifier", "torch": "accelerate"}[package]
    code = f"import sys\nsaid(lambda: recurra.{name})"
    head = WITHOUT.format(package=package).replace(
        "from every_task import SEQUENCES, TASKS, TEXTS, fit, make\n", ""
    )
    done = subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True)
    assert (
        done.stdout
        == f"recurra.{name} needs the package {package}, which is not installed: pip install recurra\n"
    )
