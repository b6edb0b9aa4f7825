"""What may make figures wrong is named where data are looked at, where they are trained on, and in the report."""

import html
import re

import numpy as np
import pytest

from cli.waves import TINY_FLAGS

WORDS = ("--id", "id", "--label", "label", "--group", "who")


def table(
    path, n=40, *, seed=0, label=lambda i: "ab"[i % 2], who=lambda i: f"person {i % 8}", day=None, steady=None
):
    """Write a long table of noise; ``steady`` gives the value of a channel that never changes within a sequence."""
    rng = np.random.default_rng(seed)
    lines = ["id,time,x,flat,steady,label,who"]
    for i in range(n):
        for k in range(4):
            start = f"2024-01-{day(i):02d}T00:00:0{k}" if day else str(k)
            kept = steady(i) if steady else f"{rng.normal():.4f}"
            lines.append(f"{path.stem}{i},{start},{rng.normal():.4f},7,{kept},{label(i)},{who(i)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def same_group(place):
    return (
        table(place / "old.csv"),
        ["--test", table(place / "new.csv", n=10, seed=1)],
        "8 groups are on both sides",
    )


def identical(place):
    old, new = table(place / "old.csv"), place / "new.csv"
    kept = [line for line in old.read_text().splitlines() if line.startswith(("id", "old1,", "old2,"))]
    table(new, n=10, seed=1, who=lambda i: f"other {i}")
    new.write_text(new.read_text() + "\n".join(line.replace("person", "copy of") for line in kept[1:]) + "\n")
    return old, ["--test", new], "2 of 12 test sequences are also in the training part, for instance 'old1'."


def label_in_channel(place):
    return (
        table(place / "old.csv", steady=lambda i: i % 2),
        [],
        "1 channel equals the label: 'steady'. The answer is in",
    )


def time_mixed(place):
    # One day after the other; a random split tests on days before the last it was trained on.
    path = table(place / "old.csv", n=30, day=lambda i: 1 + i, who=lambda i: f"p{i}")
    return path, ["--time", "time", "--by", "record"], "were recorded before the last training sequence."


def constant(place):
    return table(place / "old.csv"), [], "1 of 3 channels never changes: 'flat'; leave it out."


def tiny(place):
    path = table(place / "old.csv", label=lambda i: "c" if i < 6 else "ab"[i % 2])
    return path, [], "1 of 3 classes has fewer than 10 examples: c (6); figures for it say little."


KINDS = (same_group, identical, label_in_channel, time_mixed, constant, tiny)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_is_named_everywhere(kind, cli, tmp_path):
    data, more, says = kind(tmp_path)
    looked = cli("look", data, *WORDS, *more)
    assert looked.code == 0, looked.err
    assert says in looked.out
    out = tmp_path / "run"
    small = [flag for flag in TINY_FLAGS if flag != "-q"]
    trained = cli("train", data, "-o", out, *WORDS, *more, *small, "--seed", "0")
    assert trained.code == 0, trained.err
    (warning,) = [line for line in trained.err.splitlines() if says in line]  # once, not again at the end
    assert warning.startswith("Warning: ")
    page = html.unescape((out / "report.html").read_text())
    assert says in re.sub(r"\s+", " ", page)


def test_none_is_named_where_there_is_none(cli, tmp_path):
    data = table(tmp_path / "old.csv", day=lambda i: 1 + i % 28, who=lambda i: f"p{i}", n=60)
    text = re.sub(r",7,", ",8,", data.read_text(), count=1)  # flat is no longer flat
    data.write_text(text)
    looked = cli("look", data, *WORDS, "--time", "time", "--by", "time")
    assert "Problem:" not in looked.out, looked.out


def test_a_random_split_that_mixes_times_is_foreseen(cli, tmp_path):
    data, _, says = time_mixed(tmp_path)
    assert says in cli("look", data, *WORDS, "--time", "time").out


def test_no_better_than_naive_is_said(cli, tmp_path):
    # Nothing can be learned: every sequence is the same noise whatever its class.
    data = table(tmp_path / "old.csv", n=60, label=lambda i: "a" if (i * 7919) % 10 < 7 else "b")
    out = tmp_path / "run"
    done = cli("train", data, "-o", out, *WORDS, *TINY_FLAGS, "--max-epochs", "1", "--seed", "0")
    says = (
        "The model is no better than the naive answer: always the commonest training class is right as often."
    )
    assert f"Warning: {says}" in done.err
    assert says in html.unescape((out / "report.html").read_text())
