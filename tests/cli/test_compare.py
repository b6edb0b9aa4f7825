"""``compare``: the same test sequences or none, figures side by side, the test in words."""

import json

import pytest

from recurra.errors import DataError, UsageError
from recurra.runs.compare import compare


def test_runs_side_by_side_on_one_file(cli, forms, trained):
    a, b = trained("folder"), trained("ts")
    done = cli("compare", a.path, b.path, "--data", forms / "new")
    assert done.code == 0
    assert done.out.splitlines()[0].split()[:2] == ["run", "accuracy"]
    assert done.out.splitlines()[3].startswith("naive answer  0.")
    assert "the difference of 0.0 points is not more than noise" in done.out
    figures = json.loads(cli("compare", a.path, b.path, "--data", forms / "new", "--json").out)
    assert figures["folder.n_test"] == figures["ts.n_test"] == 9
    assert figures["folder.ts.p_value"] == 1.0


def test_a_page_is_not_written(trained, forms):
    before = sorted(p.name for p in trained("ts").path.iterdir())
    compare(trained("ts").path, trained("folder").path, data=forms / "new.ts")
    assert sorted(p.name for p in trained("ts").path.iterdir()) == before


def test_what_cannot_be_compared(trained, forms):
    with pytest.raises(UsageError, match="needs at least two runs; got 1"):
        compare(trained("ts").path)
    with pytest.raises(UsageError, match="a run is given twice"):
        compare(trained("ts").path, trained("ts").path)
    with pytest.raises(DataError, match="not judged on the same test sequences"):
        compare(trained("ts").path, trained("long").path)
