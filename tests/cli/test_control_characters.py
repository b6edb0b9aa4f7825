"""Names and labels with control characters: shown on the screen, not obeyed; files keep what was there."""

import csv
import io
import json
import shlex
import subprocess

import numpy as np
import pytest

import recurra
from recurra.cli import terminal_output
from recurra.inspection.control_characters import printable, printable_json

TITLE = "\x1b]0;owned\x07up"
RED = "\x1b[31mdown\x9b"
TURNED = "x\u202ey"
BAD = ("\x1b", "\x07", "\x9b", "\u202e", "\r")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table whose labels, ids and channels hold a title sequence, colours and a mark that turns the direction."""
    path = tmp_path_factory.mktemp("odd") / "data.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", TURNED, "b\x1b[2J", "label"])
        for number in range(24):
            for _ in range(5):
                values = rng.normal(size=2).round(3).tolist()
                writer.writerow([f"r{number}\x1b[1m", *values, (TITLE, RED)[number % 2]])
    return path


def screen(made):
    return made.out + made.err


def test_every_verb_shows_them(cli, table, tmp_path):
    run = tmp_path / "run"
    words = ["--id", "id", "--label", "label", "--layout", "long"]
    tiny = ["--max-epochs", "1", "--hidden-size", "4", "--seed", "0", "--no-bidirectional"]
    calls = [
        ["look", table, *words],
        ["look", table, *words, "--json"],
        ["train", table, "-o", run, *words, *tiny],
        ["eval", run],
        ["explain", run],
        ["explain", run, "--for", "no\x1b[0m"],
        ["predict", run, table, "-o", tmp_path / "answers.csv"],
        ["look", "nowhere\x1b[31m.csv"],
        ["lo\x1b[31mok"],
        ["train", table, "--cell", "ls\x07tm"],
    ]
    for call in calls:
        shown = screen(cli(*call))
        assert shown
        assert not any(sign in shown for sign in BAD), (call, shown)
    looked = cli("look", table, *words)
    assert r"\x1b[31mdown\x9b" in looked.out
    assert r"x\u202ey" in looked.out
    rows = list(csv.DictReader(io.StringIO((tmp_path / "answers.csv").read_text())))
    assert {row["prediction"] for row in rows} <= {TITLE, RED}  # a file keeps what was there
    assert rows[0]["name"] == "r0\x1b[1m"


def test_json_is_the_same_to_a_program(cli, table):
    found = json.loads(cli("look", table, "--id", "id", "--label", "label", "--layout", "long", "--json").out)
    assert found[f"class_{TITLE}"] == 12
    assert json.loads(printable_json(json.dumps({RED: TURNED}, ensure_ascii=False))) == {RED: TURNED}


def test_a_look_from_python_shows_them(table):
    lines = recurra.look(table, id="id", label="label", layout="long").lines()
    assert not any(sign in line for line in lines for sign in BAD)


@pytest.mark.parametrize(
    "sign", [chr(n) for n in [*range(1, 32), 127, *range(128, 160), 0x202E, 0x2066, 0x200F]]
)
def test_every_control_character_is_written_out(sign):
    assert printable(f"a{sign}b", lines=False).isprintable()
    assert (printable(sign) == sign) == (sign == "\n")
    assert printable("Grüße, 日本語, é, →") == "Grüße, 日本語, é, →"


@pytest.mark.parametrize("name", ["a\x1b[31m.csv", "it's\x07 \\ odd", "tab\there", "plain name.csv"])
def test_a_suggested_command_runs_as_it_is_written(name, capsys):
    terminal_output.next_command("printf", "%s", name)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.isprintable()
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout.decode() == name
    if name.isprintable():
        assert shlex.split(line)[-1] == name
