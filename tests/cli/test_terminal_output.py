"""What is written where, and in which shape."""

import json

import numpy as np

from recurra.cli import terminal_output


def test_results_and_remarks_go_to_different_places(capsys):
    terminal_output.result("figure")
    terminal_output.say("remark")
    terminal_output.warn("careful")
    captured = capsys.readouterr()
    assert captured.out == "figure\n"
    assert captured.err == "remark\nWarning: careful\n"


def test_flat_json_holds_plain_finite_values(capsys):
    terminal_output.flat_json(
        {
            "a": np.float32(0.5),
            "b": float("nan"),
            "c": [1],
            "d": {"x": 1},
            "e": None,
            "f": "ä",
            "g": np.int64(3),
        }
    )
    assert json.loads(capsys.readouterr().out) == {"a": 0.5, "e": None, "f": "ä", "g": 3}


def test_columns_are_as_wide_as_their_content(capsys):
    terminal_output.table(["name", "n"], [["a", 1], ["longer", 22]])
    assert capsys.readouterr().out == "name    n\na       1\nlonger  22\n"
    terminal_output.facts([("one", 1), ("three", None), ("seven", 7)], err=False)
    assert capsys.readouterr().out == "  one    1\n  seven  7\n"


def test_bars_show_the_largest_of_many_in_their_order(capsys):
    terminal_output.bars({"a": 1, "b": 4, "c": 2}, width=4, limit=2)
    assert capsys.readouterr().out == (
        "  b        4   57.1 %  ####\n  c        2   28.6 %  ##\n  ... and 1 smaller classes\n"
    )
    terminal_output.bars({})
    assert capsys.readouterr().out == ""


def test_the_next_command_can_be_copied(capsys):
    terminal_output.next_command("recurra", "look", "my data")
    assert capsys.readouterr().out == "Next:\nrecurra look 'my data'\n"
