"""Runs trained once on small data of every form, and the command line in this process."""

from types import SimpleNamespace

import pytest

import recurra
from cli.waves import FORMS, TINY, source, waves, write_forms
from recurra.cli.main import run


@pytest.fixture
def cli(capsys):
    """Return a function that runs the command line and gives exit code, standard output and standard error."""

    def call(*args):
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture(scope="session")
def forms(tmp_path_factory):
    """Return the folder with ``old`` (36 sequences) and ``new`` (9 others) in every form."""
    folder = tmp_path_factory.mktemp("waves")
    write_forms(folder, "old", waves(36, seed=0))
    write_forms(folder, "new", waves(9, seed=1))
    return folder


@pytest.fixture(scope="session")
def trained(forms, tmp_path_factory):
    """Return a function that gives the run trained on a form, trained once."""
    runs = {}
    root = tmp_path_factory.mktemp("runs")

    def get(form):
        if form not in runs:
            data, words, _ = FORMS[form]
            runs[form] = recurra.train(source(forms, data), out=root / form, seed=1, **words, **TINY)
        return runs[form]

    return get
