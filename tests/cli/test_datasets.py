"""``datasets``: the list, and one of them."""

import json
from pathlib import Path

import pytest

import recurra
from recurra.datasets.fetch import is_here


def test_every_data_set_is_listed_and_the_next_command_runs(cli):
    done = cli("datasets")
    assert done.code == 0
    for name in recurra.datasets.names():
        assert f"\n{name} " in done.out
    last = done.out.splitlines()[-1].split()
    assert last == ["recurra", "look", "japanese-vowels"]
    assert cli(*last[1:]).code == 0


def test_one_data_set(cli):
    done = cli("datasets", "japanese-vowels")
    assert "CC BY 4.0" in done.out
    assert "Kudo" in done.out
    assert json.loads(cli("datasets", "japanese-vowels", "--json").out)["here"] is True


def test_json_names_them_all(cli):
    assert list(json.loads(cli("datasets", "--json").out)) == recurra.datasets.names()


def test_an_unknown_name(cli):
    done = cli("datasets", "japanese-vowel")
    assert done.code == 2
    assert "Did you mean 'japanese-vowels'?" in done.err


def test_data_that_are_not_here(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    row = next(line for line in cli("datasets").out.splitlines() if line.startswith("chickenpox "))
    assert row.split()[1] == "no"


def test_fetch_says_where_the_files_are(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    source = recurra.datasets.info("opinion-lexicon")
    if not is_here(source):
        pytest.skip("the opinion lexicon is not on this machine")
    places = json.loads(cli("datasets", "opinion-lexicon", "--fetch", "--json").out)
    assert sorted(places) == ["negative-words.txt", "positive-words.txt"]
    assert all(Path(place).is_file() for place in places.values())
