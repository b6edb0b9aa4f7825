"""Flags that would change nothing, or contradict the network, are refused in a sentence that helps."""

import pytest

from cli.nine import KINDS, QUICK
from recurra.cli.main import run


@pytest.mark.parametrize(
    ("verb", "kind", "flags", "message"),
    [
        ("predict", "classifier", "--label-per step", "--label-per step contradicts the network, which was"),
        ("eval", "classifier", "--label-per step", "trained on one label per sequence. Leave it out."),
        ("predict", "labeler", "--label-per sequence", "was trained on one label per step. Leave it out."),
        ("predict", "classifier", "--sample-rate-hz 5", "--sample-rate-hz changes no answer: the network was"),
        ("explain", "classifier", "--sample-rate-hz 5", "--sample-rate-hz changes no answer: the network was"),
        ("predict", "anomalies", "--segments --min-duration-s nan", "--min-duration-s must be a number of at least 0"),
        ("explain", "regressor", "--for b", "explain: --for must be in 0..0; got 'b'."),
        ("explain", "regressor", "--for -1", "explain: --for must be in 0..0; got '-1'."),
        ("explain", "texts", "--wordcloud w.svg --index 0", "--index does nothing beside --wordcloud"),
        ("explain", "texts", "--wordcloud w.svg --step 0", "--step does nothing beside --wordcloud"),
        ("explain", "texts", "--wordcloud w.svg -o v.svg", "--out does nothing beside --wordcloud"),
        ("stream", "labeler", "--sample-rate-hz 5", "--sample-rate-hz does nothing without --realtime"),
        ("stream", "texts", "--look-ahead 0", "stream: --look-ahead is for rows of numbers"),
        ("stream", "clips", "--delimiter ;", "stream: --delimiter says how numbers and texts are read"),
    ],
)  # fmt: skip
def test_a_flag_that_would_do_nothing_is_refused(
    verb, kind, flags, message, cli, nine, tmp_path, monkeypatch
):
    path, data = nine(kind), nine.folder / KINDS[kind].data
    monkeypatch.chdir(tmp_path)
    done = cli(verb, path, data, *flags.split())
    assert done.code in (2, 3), done.err
    assert message in done.err
    assert not done.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "flags"),
    [
        ("classifier", "--label-per sequence"),
        ("labeler", "--label-per step"),
        ("texts", "--label-per sequence"),
    ],
)
def test_a_flag_that_says_what_is_so_is_taken(kind, flags, cli, nine):
    path, data = nine(kind), nine.folder / KINDS[kind].data
    plain, said = (cli("predict", path, data, *words) for words in ([], flags.split()))
    assert (said.code, said.out) == (0, plain.out)


def test_one_text_cannot_be_parted(cli, tmp_path):
    (tmp_path / "one.txt").write_text("The rain fell on the town and nobody was there. " * 20)
    done = cli("train", tmp_path / "one.txt", "--task", "generate", "-o", tmp_path / "run")
    assert done.code == 3
    assert (
        "holds one text, so that none can be held out. Give a test set with --test, or hold nothing out with --test 0."
        in (done.err)
    )


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A run on texts whose column was found by its name, and the table."""
    folder = tmp_path_factory.mktemp("texts")
    rows = [f"{'good' if n % 2 else 'bad'} day {n},{'up' if n % 2 else 'down'}" for n in range(20)]
    (folder / "t.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "n.csv").write_text("a,b\n" + "1,x y\n" * 3)
    assert run(["train", str(folder / "t.csv"), "-o", str(folder / "run"), *QUICK, "-q"]) == 0
    return folder


@pytest.mark.parametrize(
    ("table", "flags", "message"),
    [
        ("t.csv", ["--static", "nothing"], "has no column 'nothing' (given as static)"),
        ("t.csv", ["--kind", "series"], "needs a time column to be read as series"),
        ("n.csv", [], "name the column that holds them with --text"),
    ],
)
def test_the_text_column_is_asked_for_where_it_is_missing_alone(table, flags, message, cli, texts):
    done = cli("predict", texts / "run", texts / table, *flags)
    assert done.code == 3
    assert message in done.err
