"""A verb without the package it needs names the extra that brings it."""

import subprocess
import sys

import pytest

HIDE = """
import importlib.abc, importlib.util, sys
class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Hidden())
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == {package!r} else find(name, package)
from recurra.cli.main import main
sys.argv = ["recurra", *{words!r}]
sys.exit(main())
"""


def without(package, *words):
    code = HIDE.format(package=package, words=[str(word) for word in words])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_export_names_the_extra(trained, tmp_path):
    done = without("onnx", "export", trained("folder").path, "-o", tmp_path / "a.onnx")
    assert done.returncode == 1
    assert done.stderr == "Error: export to ONNX needs the package onnx: pip install 'recurra[onnx]'\n"


@pytest.mark.parametrize(
    ("package", "install"),
    [
        ("onnxruntime", "pip install 'recurra[onnx]'"),
        ("starlette", "pip install 'recurra[studio]'"),
        ("optuna", "pip install 'recurra[tune]'"),
        ("numpy", "pip install recurra"),
        ("nowhere", "pip install nowhere"),
    ],
)
def test_any_other_is_found_among_the_requirements(package, install, capsys):
    from recurra.cli import main

    assert (
        main._failed(ModuleNotFoundError("gone", name=f"{package}.inside"), debug=False, verb="look")
        == main.NOT_DONE
    )
    assert capsys.readouterr().err.endswith(f"which is not installed: {install}\n")
