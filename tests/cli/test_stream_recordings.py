"""One reader for a format, in every verb: recordings, and how numbers are written, in streams too."""

import csv
import io
import json

import numpy as np
import pytest

from cli.nine import QUICK

pytest.importorskip("soundfile")


def answers(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def predictions(done):
    assert done.code == 0, done.err
    return {row["name"]: row["prediction"] for row in csv.DictReader(io.StringIO(done.out))}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    from scipy.io import wavfile

    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for label, speed in (("low", 0.2), ("high", 1.5)):
        (folder / "data" / label).mkdir(parents=True)
        for number in range(8):
            wave = np.sin(np.arange(100 + number) * speed) + 0.1 * rng.normal(size=100 + number)
            wavfile.write(folder / "data" / label / f"{number}.wav", 8000, (wave * 9000).astype(np.int16))
    return folder


@pytest.mark.usefixtures("no_charts")
def test_sound_is_streamed_as_it_is_predicted(cli, sounds, tmp_path):
    run = sounds / "run"
    assert cli("train", sounds / "data", "-o", run, *QUICK, "-q").code == 0
    predicted = predictions(cli("predict", run, sounds / "data"))
    assert "high/3.wav" in predicted
    file = sounds / "data" / "high" / "3.wav"
    assert predictions(cli("predict", run, file)) == {"3.wav": predicted["high/3.wav"]}
    streamed = answers(cli("stream", run, file))
    assert len(streamed) == 103
    assert streamed[-1]["prediction"] == predicted["high/3.wav"]
    everything = answers(cli("stream", run, sounds / "data"))
    last = {row["name"]: row["prediction"] for row in everything}
    assert last == predicted
    assert [row["step"] for row in everything if row["name"] == "low/0.wav"] == list(range(100))
    other = sounds / "x.wav"
    other.write_bytes(b"RIFF nothing")
    assert cli("stream", run, other).code == 3
    done = cli("stream", run, file, "--name", "x")
    assert done.code == 2
    assert "name and --format are for lines" in done.err or "name and format are for lines" in done.err


@pytest.mark.usefixtures("no_charts")
def test_a_recording_led_in_as_lines_is_never_exit_code_0(cli, sounds, monkeypatch):
    import sys

    run = sounds / "run"
    if not run.exists():
        assert cli("train", sounds / "data", "-o", run, *QUICK, "-q").code == 0
    content = (sounds / "data" / "high" / "3.wav").read_bytes()
    for given in (content, b"", b"a;b\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        done = cli("stream", run)
        assert done.code in (2, 3)
        assert done.out == ""
        assert len([line for line in done.err.splitlines() if line.startswith("Error: ")]) == 1


@pytest.mark.usefixtures("no_charts")
def test_the_decimal_comma_of_the_run_is_kept_in_every_verb(cli, nine, tmp_path, monkeypatch):
    import sys

    table = (nine.folder / "gestures.csv").read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "g.csv").write_text(table)
    flags = ("--id", "recording", "--label", "gesture", "--decimal", ",")
    run = tmp_path / "run"
    assert cli("train", tmp_path / "g.csv", "-o", run, *flags, *QUICK, "-q").code == 0
    expected = predictions(cli("predict", nine("classifier"), nine.folder / "gestures.csv"))
    assert predictions(cli("predict", run, tmp_path / "g.csv")) == expected
    for verb in (("eval",), ("explain",), ("eval", tmp_path / "g.csv"), ("explain", tmp_path / "g.csv")):
        done = cli(verb[0], run, *verb[1:])
        assert done.code == 0, done.err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(table.encode())))
    assert predictions(cli("predict", run, "-")) == expected
    head, *rows = table.splitlines()
    first = [row for row in rows if row.startswith("r0;")]
    (tmp_path / "r0.csv").write_text("\n".join([head, *first]) + "\n")
    streamed = answers(cli("stream", run, tmp_path / "r0.csv"))
    assert len(streamed) == len(first)
    assert streamed[-1]["prediction"] == expected["r0"]
    named = answers(cli("stream", run, tmp_path / "g.csv", "--name", "recording"))
    assert {row["name"]: row["prediction"] for row in named} == expected
    model = tmp_path / "alone.recurra"
    model.write_bytes((run / "model.recurra").read_bytes())
    assert (
        answers(cli("stream", model, tmp_path / "r0.csv", "--decimal", ","))[-1]["prediction"]
        == expected["r0"]
    )
    done = cli("stream", model, tmp_path / "r0.csv", "--decimal", ",", "--id", "recording")
    assert done.code == 2
    assert (
        "--id says how a whole file is read; lines take --decimal, --thousands, --delimiter, --encoding alone"
        in done.err
    )


def test_forecast_runs_are_compared(cli, nine):
    done = cli("compare", nine("series"), nine("series", "other"))
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].split()[:3] == ["run", "skill", "rmse"]
    assert "has an RMSE of" in done.out
    done = cli("compare", nine("series"), nine("known ahead"))
    assert done.code in (0, 3)
    figures = json.loads(cli("compare", nine("series"), nine("series", "other"), "--json").out)
    assert 0 <= figures["run.other.p_value"] <= 1
