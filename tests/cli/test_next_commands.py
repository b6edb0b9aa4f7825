"""The command after ``Next:`` is run as it is typed, for every kind of data and task, from the folder where one stands."""

import os
import shlex
import shutil

import pytest

from cli.nine import KINDS, model_alone

pytest.importorskip("PIL.Image")
pytest.importorskip("av")
pytest.importorskip("tokenizers")
# A warning of ours is a line on standard error, as for users.
pytestmark = [
    pytest.mark.filterwarnings("default::recurra.errors.RecurraWarning"),
    pytest.mark.usefixtures("no_charts"),
]

# Training as suggested takes longer than a test may: it is told to be brief. Image networks of others are not here.
BRIEF = ("--max-epochs", "1", "-q")
LONGEST = 4


def next_command(done):
    """Return the words of the suggested command, None where there is none."""
    _, mark, command = done.out.rstrip("\n").rpartition("\nNext:\n")
    if not mark:
        return None
    assert "\n" not in command
    words = shlex.split(command)
    assert words[0] == "recurra"
    return words[1:]


def follow(cli, command, kind, longest=LONGEST):
    """Run a command and what each suggests next; return the verbs."""
    verbs, seen = [], []
    while command is not None and command not in seen and len(seen) < longest:
        seen.append(command)
        told = list(command)
        if command[0] == "train":
            told += [*BRIEF, *(("--backbone", "small-cnn", "--image-size", "8") if kind == "clips" else ())]
        done = cli(*told)
        assert done.code == 0, (command, done.err)
        verbs.append(command[0])
        command = next_command(done)
    return verbs


@pytest.mark.parametrize(
    ("kind", "place"),
    [*((kind, "elsewhere") for kind in KINDS), ("classifier", "."), ("texts", "."), ("novel", ".")],
)
def test_from_look_on_every_kind_of_data(cli, nine, tmp_path, monkeypatch, kind, place):
    data, about = tmp_path / "my data", KINDS[kind]
    (tmp_path / "elsewhere").mkdir()
    source = nine.folder / about.data
    data.mkdir()
    (shutil.copytree if source.is_dir() else shutil.copy)(source, data / about.data)
    monkeypatch.chdir(tmp_path / place)
    typed = os.path.relpath(data / about.data)
    verbs = follow(cli, ["look", typed, *about.flags], kind)
    assert verbs[:2] == ["look", "train"]
    assert len(verbs) > 2 or kind == "known ahead"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("verb", "form"),
    [
        *((verb, "run") for verb in ("eval", "predict", "explain", "compare")),
        ("eval", "model"),
        ("predict", "model"),
    ],
)
def test_after_every_verb(cli, nine, tmp_path, monkeypatch, verb, kind, form):
    about = KINDS[kind]
    monkeypatch.chdir(tmp_path)
    run = os.path.relpath(nine(kind))
    if form == "model":
        run = os.path.relpath(model_alone(nine(kind), tmp_path / "a model.recurra"))
    data = os.path.relpath(nine.folder / about.data)
    flags = list(about.flags) if form == "model" else []
    command = {
        "eval": [run, *([data, *flags] if form == "model" else [])],
        "predict": [run, data, *flags, "-o", "out.csv"],
        "explain": [run],
        "compare": [run, *([os.path.relpath(nine(kind, "other"))] if verb == "compare" else [])],
    }[verb]
    done = cli(verb, *command)
    if done.code:  # what the table of verbs refuses suggests nothing
        assert "Next:" not in done.out
        return
    following = next_command(done)
    if following is not None:
        follow(cli, following, kind, longest=1)


def test_after_a_problem_that_blocks_training_none_is_suggested(cli, tmp_path):
    (tmp_path / "one.csv").write_text("id,x,label\n" + "".join(f"{i // 5},{i},a\n" for i in range(50)))
    (tmp_path / "none.jsonl").write_text('{"tokens": ["a", "b"]}\n{"tokens": ["b"]}\n')
    (tmp_path / "single.csv").write_text("id,x,label\n" + "".join(f"1,{i},a\n" for i in range(50)))
    (tmp_path / "pairs.csv").write_text("en,de\n" + "".join(f"word {i},Wort {i}\n" for i in range(50)))
    (tmp_path / "inf.csv").write_text(
        "id,x,label\n" + "".join(f"{i // 5},inf,{i // 5 % 2}\n" for i in range(50))
    )
    for name, flags in (
        ("one.csv", ()), ("none.jsonl", ()), ("single.csv", ()), ("pairs.csv", ("--source", "en")), ("inf.csv", ()),
    ):  # fmt: skip
        done = cli("look", tmp_path / name, *flags)
        assert done.code == 0, done.err
        assert "Next:" not in done.out, name
        assert "Problem: " in done.out, name
