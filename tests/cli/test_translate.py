"""Pairs of texts on the command line."""

import csv
import io
import json
import sys

import pytest

from recurra.cli.main import run as recurra_command
from recurra.errors import DataError, UsageError

WORDS = ["--hidden-size", "8", "--max-epochs", "2", "--seed", "0"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    rows = [f"{a}{b},{b}{a}" for a in range(1, 9) for b in range(9)]
    path.write_text("front,back\n" + "\n".join(rows) + "\nNA,null\n")
    return path


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    command = ["train", str(table), "--task", "translate", "--source", "front", "--target", "back"]
    assert recurra_command([*command, "-o", str(out), *WORDS, "-q"]) == 0
    return out


def test_a_run_has_all_its_parts(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert {"exact_match", "exact_match_baseline", "character_error_rate", "n_test"} <= set(metrics)
    assert "<svg" in (trained / "report.html").read_text()


def test_sources_come_line_by_line_on_standard_input(trained, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"12\n\n34\n")))
    assert recurra_command(["predict", str(trained), "-"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "name,source,prediction,score,cut"
    assert [row.split(",")[1] for row in rows] == ["12", "34"]


def test_a_table_with_the_column_is_read_on_standard_input(trained, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"other,front\nx,12\ny,34\n")))
    assert recurra_command(["predict", str(trained), "-"]) == 0
    assert [row.split(",")[1] for row in capsys.readouterr().out.splitlines()[1:]] == ["12", "34"]


def test_the_table_of_the_training_is_predicted_and_judged(trained, table, capsys):
    assert recurra_command(["predict", str(trained), str(table), "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 73
    assert rows[-1]["source"] == "NA"
    assert recurra_command(["eval", str(trained), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_test"] > 0


def test_an_answer_is_explained_by_where_the_network_looked(trained, capsys, tmp_path):
    assert recurra_command(["explain", str(trained), "--index", "1", "-o", str(tmp_path / "e.json")]) == 0
    assert capsys.readouterr().out.startswith("Attention:")
    found = json.loads((tmp_path / "e.json").read_text())
    assert len(found["weights"]) == len(found["target"])


def test_an_empty_cell_is_named(tmp_path):
    import recurra

    path = tmp_path / "p.csv"
    path.write_text("a,b\nx,y\nz,\n")
    with pytest.raises(DataError, match="the target column 'b' must be filled; it is empty at line 3"):
        recurra.load(path, source="a", target="b")
    with pytest.raises(UsageError, match="source= takes one target= column"):
        recurra.load(path, source="a", target=["a", "b"])
    with pytest.raises(UsageError, match="proba needs classes"):
        _proba(path, tmp_path)


def _proba(path, folder):
    import recurra
    from recurra.runs.predict import predict

    path.write_text("a,b\n" + "x,y\n" * 3 + "z,w\n" * 3)
    words = {"hidden_size": 4, "max_epochs": 1, "verbose": 0, "seed": 0, "test": 0}
    recurra.train(path, "translate", out=folder / "r", source="a", target="b", **words)
    predict(folder / "r", path, proba=True)


def test_a_stream_answers_a_source_a_line(trained, monkeypatch, capsys):
    def answers(*command):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"12\n\n34\n")))
        assert recurra_command([str(word) for word in command]) == 0
        return [json.loads(line)["prediction"] for line in capsys.readouterr().out.splitlines()]

    streamed = answers("stream", trained)
    assert len(streamed) == 2
    assert streamed == answers("predict", trained, "-", "--format", "jsonl")


def test_several_answers_to_each_source(trained, table, capsys):
    assert recurra_command(["predict", str(trained), str(table), "--n-best", "3", "--beam-size", "4"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["rank"] for row in rows[:6]] == ["1", "2", "3"] * 2
    assert rows[0]["source"] == rows[2]["source"] != rows[3]["source"]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])
