"""The public surface, and that importing it costs nothing."""

import subprocess
import sys

import pytest

import recurra

PUBLIC = {
    "AnomalyDetector",
    "Dataset",
    "Forecaster",
    "Ragged",
    "Record",
    "SequenceClassifier",
    "SequenceLabeler",
    "SequenceRegressor",
    "Streams",
    "TextClassifier",
    "TextRegressor",
    "TextGenerator",
    "Translator",
    "WordVectors",
    "__version__",
    "VideoClassifier",
    "accelerate",
    "datasets",
    "decelerate",
    "draw",
    "errors",
    "evaluate",
    "import_weights",
    "kernels",
    "load",
    "load_model",
    "look",
    "nn",
    "studio",
    "train",
    "tune",
}


def test_public_names_are_pinned():
    assert set(recurra.__all__) == PUBLIC
    assert set(recurra._LAZY) == PUBLIC - {"__version__"}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_resolves(name):
    assert getattr(recurra, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError,
        match="module 'recurra' has no attribute 'SequenceClasifier'. Did you mean 'SequenceClassifier'",
    ):
        recurra.SequenceClasifier  # noqa: B018


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy():
    loaded = run("import sys, recurra; print(*sys.modules)").split()
    assert not {"numpy", "torch", "sklearn", "scipy", "matplotlib", "click"} & set(loaded)


def test_import_takes_under_50_ms_over_a_bare_interpreter():
    # processor time: a busy machine makes every clock on the wall slow
    code = "import time; t = time.process_time(); import recurra; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(5)) < 0.050
