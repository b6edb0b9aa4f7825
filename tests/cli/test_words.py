"""Words at the command line: sentences with labels, texts a line, and a network that writes."""

import io
import json
import sys

import pytest

from recurra.cli.main import run as recurra_command
from recurra.estimators.loading import load_model

pytest.importorskip("tokenizers")


@pytest.fixture
def typed(monkeypatch, cli):
    """Return a function that runs a command with something on standard input."""

    def call(given, *args):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        return cli(*args)

    return call


def test_parts_of_speech_end_in_a_report(cli, typed, nine, tmp_path):
    looked = cli("look", nine.folder / "tagged.conll")
    assert looked.out.startswith("40 sentences of 3 words each")
    out = tmp_path / "run"
    flags = (
        "--embedding-size",
        8,
        "--hidden-size",
        8,
        "--max-epochs",
        40,
        "--learning-rate",
        0.03,
        "--seed",
        0,
    )
    done = cli("train", nine.folder / "tagged.conll", "-o", out, *flags, "-q")
    assert done.code == 0, done.err
    assert json.loads((out / "metrics.json").read_text())["accuracy"] == 1
    assert "NOUN" in (out / "report.html").read_text()
    done = typed("the cat sleeps\n\na dog runs\n", "predict", out, "-")
    assert done.out.splitlines()[:3] == [
        "name,step,word,prediction", "line 1,0,the,DET", "line 1,1,cat,NOUN"
    ]  # fmt: skip
    assert len(done.out.splitlines()) == 7
    done = typed("the cat sleeps\n", "stream", out)
    assert json.loads(done.out)["prediction"] == ["DET", "NOUN", "VERB"]
    assert json.loads(done.out)["words"] == ["the", "cat", "sleeps"]


@pytest.mark.parametrize("form", ["run", "model"])
def test_texts_a_line(typed, nine, tmp_path, form):
    path = nine("texts")
    model = load_model(path / "model.recurra")
    if form == "model":
        path = tmp_path / "m.recurra"
        model.save(path)
    texts = ["oil leaks at the pump of 3", "no power in the saw of 4"]
    expected = model.predict(texts).tolist()
    given = "\n".join(texts) + "\n"
    done = typed(given, "predict", path, "-", "--proba")
    assert done.out.splitlines()[0] == "name,prediction,p_leak,p_power"
    assert [row.split(",")[1] for row in done.out.splitlines()[1:]] == expected
    for content in (
        given,
        "".join(json.dumps({"text" if form == "model" else "report": t}) + "\n" for t in texts),
    ):
        done = typed(content, "stream", path, "--proba")
        assert done.code == 0, done.err
        rows = [json.loads(line) for line in done.out.splitlines()]
        assert [row["prediction"] for row in rows] == expected
        assert [row["step"] for row in rows] == [0, 1]
        assert set(rows[0]["probabilities"]) == {"leak", "power"}
    (tmp_path / "new.txt").write_text(given)
    done = typed("", "predict", path, tmp_path / "new.txt")
    assert [row.split(",")[1] for row in done.out.splitlines()[1:]] == expected
    done = typed(
        f"report,fault\n{texts[0]},\n",
        "predict",
        path,
        "-",
        *(("--text", "report") if form == "model" else ()),
    )
    assert [row.split(",")[1] for row in done.out.splitlines()[1:]] == expected[:1]


def test_lines_of_a_text_stream_that_cannot_be_read(typed, nine):
    done = typed('{"report": "no power"}\n{"report": 3}\nxyz\n', "stream", nine("texts"))
    assert done.code == 0
    assert len(done.out.splitlines()) == 1
    assert "Skipped line 2: it must hold a text, as the key 'report' of an object" in done.err
    assert "Skipped line 3: it is not JSON" in done.err
    done = typed("", "stream", nine("texts"))
    assert done.code == 3
    assert "nothing was answered: no row came in." in done.err
    for flag, text in (
        ("--look-ahead=2", "look_ahead"),
        ("--name=x", "name"),
        ("--format=csv", "format csv"),
    ):
        done = typed("a b\n", "stream", nine("texts"), flag)
        assert done.code == 2
        assert text.replace("_", "-").split()[0] in done.err.replace("_", "-")


def test_a_network_writes_as_it_is_drawn(cli, nine, tmp_path, monkeypatch):
    path = nine("novel")
    writer = load_model(path / "model.recurra")
    expected = writer.generate("The rain", length=30, temperature=0.8, random_state=3)
    flags = ("--length", "30", "--temperature", "0.8", "--seed", "3")
    done = cli("generate", path, "--prompt", "The rain", *flags)
    assert (done.code, done.out) == (0, f"The rain{expected}\n")
    writer.save(tmp_path / "m.recurra")
    assert cli("generate", tmp_path / "m.recurra", "--prompt", "The rain", *flags).out == done.out
    found = json.loads(cli("generate", path, "--prompt", "The rain", *flags, "--json").out)
    assert found == {"prompt": "The rain", "text": expected}

    pieces = []

    class Terminal(io.StringIO):
        def flush(self):
            pieces.append(self.getvalue())

    monkeypatch.setattr(sys, "stdout", Terminal())
    assert recurra_command(["generate", str(path), *flags]) == 0
    assert len(set(pieces)) >= 30  # a piece after the other, not all at the end


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--temperature", "-1"), "temperature must be a number of at least 0"),
        (("--top-k", "0"), "must be a whole number of at least 1"),
        (("--top-p", "2"), "must be a number in (0, 1]"),
        (("--seed", "-1"), "must be a whole number of at least 0; got -1"),
    ],
)
def test_what_cannot_be_drawn(cli, nine, flags, text):
    done = cli("generate", nine("novel"), *flags)
    assert done.code == 2
    assert text in done.err


def test_a_network_that_does_not_write_says_what_to_use(cli, nine):
    done = cli("generate", nine("texts"))
    assert done.code == 2
    assert (
        f"holds a TextClassifier, which does not write text. Use: recurra predict {nine('texts')} DATA"
        in done.err
    )


def test_a_novel_is_judged_on_its_end(nine):
    config = json.loads((nine("novel") / "config.json").read_text())
    assert config["task"] == "generate"
    assert config["split"] == "The last 20% of the texts are held out: 32 train, 8 test."
    metrics = json.loads((nine("novel") / "metrics.json").read_text())
    assert metrics["bits_per_character"] < metrics["bits_per_character_baseline"] + 3
    assert "What it writes" in (nine("novel") / "report.html").read_text()


def test_a_label_beside_a_tab_is_no_part_of_the_text(typed, nine, tmp_path):
    """What `look` and `train` read as a label was read as words by `predict` and `stream`."""
    path = nine("texts")
    texts = ["oil leaks at the pump of 3", "no power in the saw of 4"] * 4
    labels = ["leak", "power"] * 4
    model = load_model(path / "model.recurra")
    expected = [f"{share:.7f}"[:6] for share in model.predict_proba(texts)[:, 0].tolist()]

    def shares(done):
        assert done.code == 0, done.err
        if done.out.startswith("{"):
            return [f"{json.loads(row)['probabilities']['leak']:.7f}"[:6] for row in done.out.splitlines()]
        return [f"{float(row.split(',')[2]):.7f}"[:6] for row in done.out.splitlines()[1:]]

    for sides in (zip(texts, labels, strict=True), zip(labels, texts, strict=True)):
        given = "".join(f"{left}\t{right}\n" for left, right in sides)
        (tmp_path / "new.txt").write_text(given)
        for verb in ("predict", "stream"):
            assert shares(typed("", verb, path, tmp_path / "new.txt", "--proba")) == expected
            assert shares(typed(given, verb, path, "-", "--proba")) == expected
    other = "oil leaks\tat the pump\n"  # a tab in a text stays
    assert shares(typed(other, "predict", path, "-", "--proba")) == [
        f"{model.predict_proba([other.strip()])[0, 0]:.7f}"[:6]
    ]


def test_tags_beside_words_are_no_words(typed, nine, tmp_path):
    path = nine("words")
    expected = typed("the cat sleeps\na dog runs\n", "predict", path, "-").out
    streamed = typed("the cat sleeps\na dog runs\n", "stream", path).out
    assert len(expected.splitlines()) == 7
    for given in (
        "the cat sleeps\tDET NOUN VERB\na dog runs\tDET NOUN VERB\n",
        "the/DET cat/NOUN sleeps/VERB\na/DET dog/NOUN runs/VERB\n",
    ):
        (tmp_path / "new.txt").write_text(given)
        assert typed("", "predict", path, tmp_path / "new.txt").out == expected
        assert typed(given, "predict", path, "-").out == expected
        assert typed(given, "stream", path, "-").out == streamed


def test_new_texts_are_read_alike_after_training_on_a_folder(cli, tmp_path):
    """`predict` read a file with a text a line, `eval` the whole file as one text, and a table as a folder of files."""
    for label, words in {"leak": "oil drips from pump {}", "power": "no current in line {}"}.items():
        (tmp_path / "faults" / label).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "faults" / label / f"{number}.txt").write_text(words.format(number))
    out = tmp_path / "run"
    small = ("--hidden-size", 8, "--max-epochs", 2, "--seed", 0, "-q")
    assert cli("train", tmp_path / "faults", "-o", out, *small).code == 0
    rows = [("oil drips from pump 99", "leak"), ("no current in line 98", "power")] * 4
    (tmp_path / "new.txt").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    (tmp_path / "new.csv").write_text("note,fault\n" + "".join(f"{text},{label}\n" for text, label in rows))
    named = ("--text", "note", "--label", "fault")
    figures = []
    for name, words in (("new.txt", ()), ("new.csv", named)):
        done = cli("eval", out, tmp_path / name, *words, "--json")
        assert done.code == 0, done.err
        figures.append(json.loads(done.out))
    assert figures[0]["n_test"] == figures[1]["n_test"] == 8
    assert figures[0]["log_loss"] == figures[1]["log_loss"]
    answers = [
        [row.split(",")[1] for row in cli("predict", out, tmp_path / name, *words).out.splitlines()[1:]]
        for name, words in (("new.txt", ()), ("new.csv", named))
    ]
    assert answers[0] == answers[1]
    (tmp_path / "roman.csv").write_text("decimal,roman\n4,IV\n9,IX\n1,I\n")
    done = cli("predict", out, tmp_path / "roman.csv")
    assert done.code == 3
    assert "the network reads texts; name the column that holds them with --text" in done.err


def test_a_column_of_a_file_of_lines_is_asked_about(cli, tmp_path):
    (tmp_path / "a.txt").write_text(
        "".join(f"fine day {i}\t{'good' if i % 2 else 'bad'}\n" for i in range(9))
    )
    done = cli("look", tmp_path / "a.txt", "--group", "who")
    assert (
        "If it holds one text a line, its first line names no columns, and --group does not apply."
        in done.err
    )


def test_a_label_of_its_own_for_each_text_is_no_class(cli, tmp_path):
    (tmp_path / "swapped.csv").write_text("stars,review\n" + "".join(f"{i % 3},day {i}\n" for i in range(30)))
    words = (tmp_path / "swapped.csv", "--text", "stars", "--label", "review")
    done = cli("train", *words, "-o", tmp_path / "run")
    assert done.code == 3
    assert "each of the 30 texts has a label of its own, so that no class can be learned." in done.err
    looked = json.loads(cli("look", *words, "--json").out)
    assert looked["next_command"] == ""


def test_units_of_texts(cli, nine, tmp_path):
    reports = nine.folder / "reports.csv"
    words = ("--text", "report", "--label", "fault")
    said = cli("look", reports, *words, "--test", reports).out
    assert "test texts are also in the training part" in said
    rows = "".join(f"no power in saw {i}\tpower\noil leaks at pump {i}\tleak\n" for i in range(6))
    (tmp_path / "new.txt").write_text(rows)
    done = cli("eval", nine("texts"), tmp_path / "new.txt")
    said = done.out + done.err
    assert "All 12 texts of" in said
    assert "sequences" not in said
    done = cli("eval", nine("words"), nine.folder / "tagged.conll")
    said = done.out + done.err
    assert "of the words right" in said
    assert "time steps" not in said


def test_an_onnx_file_is_called_one(cli, nine, tmp_path):
    done = cli("export", nine("texts"), "-o", tmp_path / "x.txt")
    assert done.code == 2
    assert f"an ONNX file must end in .onnx; got '{tmp_path / 'x.txt'}'. For C, give --to c." in done.err
    assert not (tmp_path / "x.txt").exists()
