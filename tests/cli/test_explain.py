"""``explain``: one sequence of the test part or of new data, as picture or values."""

import json

import pytest

from recurra.runs.explain import explain


def test_a_picture_in_the_run_folder(cli, trained):
    run = trained("folder")
    done = cli("explain", run.path, "--index", "2")
    assert done.code == 0
    assert (run.path / "figures" / "explain-2.svg").read_text().startswith("<svg")
    assert "Contributions by integrated gradients to " in done.out
    assert done.out.splitlines()[-1] == f"recurra explain {run.path} --index 3"


def test_gates_and_states_beside_it(cli, trained, tmp_path):
    done = cli("explain", trained("folder").path, "--index", "1", "-o", tmp_path / "why.png", "--json")
    inside = tmp_path / "why-inside.svg"
    facts = json.loads(done.out)
    assert facts["inside"] == str(inside)
    assert abs(facts["error"]) < 1e-3
    assert "forget gate f" in inside.read_text()
    spoken = cli("explain", trained("folder").path, "-o", tmp_path / "why.png")
    assert "half of what a unit holds is gone after" in spoken.out


@pytest.mark.parametrize("method", ["occlusion", "gradient_times_input"])
def test_other_methods(cli, trained, tmp_path, method):
    done = cli("explain", trained("folder").path, "--method", method, "-o", tmp_path / "why.json")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "why.json").read_text())["method"] == method


@pytest.mark.parametrize(("name", "start"), [("why.png", b"\x89PNG"), ("why.svg", b"<svg")])
def test_pictures(cli, trained, tmp_path, name, start):
    done = cli("explain", trained("folder").path, "-o", tmp_path / name, "--json")
    assert done.code == 0
    assert (tmp_path / name).read_bytes().startswith(start)
    assert json.loads(done.out)["output"] == str(tmp_path / name)


def test_values_of_new_data_without_labels(cli, forms, trained, tmp_path):
    run = trained("long")
    out = tmp_path / "why.json"
    done = cli("explain", run.path, forms / "new-unlabelled.csv", "--index", "4", "--for", "b", "-o", out)
    assert done.code == 0, done.err
    values = json.loads(out.read_text())
    assert values["target"] == "b"
    assert values["channel_names"] == ["ax", "ay"]
    found = explain(run.path, forms / "new.csv", index=4, target="b")
    assert values["values"] == found.values.tolist()


def test_what_cannot_be_explained(cli, trained, tmp_path):
    run = trained("folder")
    done = cli("explain", run.path, "--index", "700")
    assert done.code == 2
    assert done.err.startswith("Error: explain: --index must be in 0..")
    done = cli("explain", run.path, "--for", "z")
    assert done.code == 2
    assert "--for must be one of 'a', 'b', 'c'; got 'z'" in done.err
    done = cli("explain", run.path, "-o", tmp_path / "why.gif")
    assert done.code == 2
    assert "the file must end in .png, .svg, .pdf, .json; got 'why.gif'" in done.err
    assert cli("explain", run.path, "--method", "magic").code == 2
