"""Runs trained once on small data of every form, and the command line in this process."""

from types import SimpleNamespace

import pytest

import recurra
from charts import charts
from cli.nine import KINDS, write_data
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
            with charts(drawn=True):
                runs[form] = recurra.train(source(forms, data), out=root / form, seed=1, **words, **TINY)
        return runs[form]

    return get


@pytest.fixture(scope="session")
def nine(tmp_path_factory):
    """Return a function that gives the run of a kind of `cli.nine.KINDS`, trained once; ``folder`` holds the data."""
    folder = tmp_path_factory.mktemp("nine")
    write_data(folder)
    root = tmp_path_factory.mktemp("nine-runs")
    runs = {}

    def get(kind, name="run"):
        if (kind, name) not in runs:
            place = root / kind.replace(" ", "-") / name
            about = KINDS[kind]
            training = list(about.training)
            if name != "run":  # another network on the same test part, whose report nobody reads
                training += ["--learning-rate", "0.02"]
            command = ["train", str(folder / about.data), "-o", str(place), *about.flags, *training, "-q"]
            with charts(drawn=name == "run"):
                assert run(command) == 0, command
            runs[kind, name] = place
        return runs[kind, name]

    get.folder = folder
    return get
