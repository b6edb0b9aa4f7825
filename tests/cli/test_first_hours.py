"""What newcomers type in their first hour, mistakes too: each is answered from the facts of the call."""

import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest

from cli.nine import KINDS
from recurra.checks import duration_in_words, rate_in_words
from recurra.cli.messages import in_flags
from recurra.cli.verbs.predict import as_text

WORDS = "id,x,label\n" + "".join(f"{i // 5},{i % 7},{'ab'[i // 5 % 2]}\n" for i in range(100))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Stand in an empty folder, and return it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("first", ["table.csv", "notes.txt", "recording.wav", "photos"])
@pytest.mark.parametrize(
    "verb", ["predict {} run", "eval {} run", "stream {} run", "explain {} run", "export {}"]
)
def test_data_where_a_run_belongs_are_told_to_stand_behind_it(cli, here, first, verb):
    (here / "photos").mkdir()
    for name in ("table.csv", "notes.txt", "recording.wav"):
        (here / name).write_text(WORDS)
    done = cli(*shlex.split(verb.format(first)), *(["-o", "a.onnx"] if "export" in verb else []))
    assert done.code in (2, 3)
    assert f"{first}: is no run folder" in done.err
    assert "comes first, and the data behind it." in done.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("gone.csv", None), ("measurment.csv", "measurement.csv"), ("mesung", "messung"), ("A0", "a0.csv")],
)
def test_a_name_is_near_by_its_letters_and_not_by_its_ending(cli, here, typed, meant):
    for name in ("bin.csv", "measurement.csv", "a0.csv"):
        (here / name).write_text(WORDS)
    (here / "messung").mkdir()
    done = cli("look", typed)
    assert done.code == 3
    assert ("Did you mean" in done.err) == (meant is not None)
    assert meant is None or f"Did you mean '{meant}'?" in done.err


def test_a_sentence_in_place_of_data_is_told_how_to_come_in(cli, here):
    assert "echo 'the pump leaks' | recurra predict RUN -" in cli("look", "the pump leaks").err


def test_a_labelled_file_is_near_its_name_without_the_ending(cli, here):
    (here / "a0.csv").write_text("x\n1\n2\n")
    (here / "labels.csv").write_text("file,label\na0,one\n")
    assert "Did you mean 'a0.csv'?" in cli("look", here).err


def test_a_suggested_run_folder_is_free(cli, here):
    (here / "table.csv").write_text(WORDS)
    assert "-o runs/table\n" in cli("look", "table.csv").out
    (here / "runs" / "table").mkdir(parents=True)
    (here / "runs" / "table-2").write_text("")
    assert "-o runs/table-3\n" in cli("look", "table.csv").out


def test_capitals_of_a_choice_are_no_mistake(cli, here):
    (here / "table.csv").write_text("id,x,label\n1,2,a\n")
    done = cli(
        "train", "table.csv", "-o", "run", "--cell", "LSTM", "--layout", "LONG", "--pooling", "MEAN,max"
    )
    assert "is not one of" not in done.err
    assert "at least two classes" in done.err or "hold" in done.err


def test_one_argument_too_many_is_told_where_it_belongs(cli, here):
    done = cli("train", "runs/first", "table.csv")
    assert done.code == 2
    assert "recurra train takes DATA, and where to write with -o; got table.csv as well." in done.err


@pytest.mark.parametrize(
    ("beginning", "told"),
    [
        (b"PK\x03\x04\x14\x00rest", "ZIP archive, as spreadsheets (.xlsx) are"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "older office program"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"\x1f\x8b\x08\x00", "packed by gzip"),
        (b"\x89PNG\r\n\x1a\n", "ending .png"),
        (b"PAR1\x15\x04", "ending .parquet"),
        (bytes(range(1, 256)), "those of a program"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_kind(cli, here, beginning, told):
    (here / "odd.csv").write_bytes(beginning * 20)
    done = cli("look", "odd.csv")
    assert done.code == 3
    assert "odd.csv: is not a text file: it" in done.err
    assert told in done.err
    assert "latin-1" not in done.err


FOLLOWED = {
    "the label stands last": "".join(f"{i % 3}.5,{i % 5}.25,{i % 7}.5,{'ab'[i % 2]}\n" for i in range(30)),
    "one number a line": "".join(f"{i % 7}.5\n" for i in range(30)),
    "label and text without names": "".join(f"{'ab'[i % 2]}\tthe pump number {i} leaks\n" for i in range(30)),
    "texts without blanks": "文,評価\n"
    + "".join(f"すぐに壊れました{i},{'良悪'[i % 2]}い\n" for i in range(30)),
    "pairs without names": "".join(f"the dog number {i}\tder Hund Nummer {i} da\n" for i in range(30)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_words_that_a_sentence_names_read_the_file(cli, here, name):
    file = "data.tsv" if "\t" in FOLLOWED[name] else "data.csv"
    (here / file).write_text(FOLLOWED[name], encoding="utf-8")
    done = cli("look", file)
    assert done.code == 3, done.out
    flags, layout = [], done.err.replace(", or ", " ").replace(",", "")
    words = shlex.split(
        layout.replace("which calls them", "").partition("; if these are names")[0].rstrip(".\n")
    )
    for word, value in zip(words, [*words[1:], ""], strict=True):
        wanted = "--text" if "--text" in words else "--source"
        if word in (
            "--header",
            "--label",
            "--layout",
            wanted,
            *(["--target"] if wanted == "--source" else []),
        ):
            flags += [word, value.rstrip(".")]
    if name == "one number a line":
        flags = ["--header", "none", "--layout", "long"]
    done = cli("look", file, *flags)
    assert done.code == 0, (flags, done.err)
    assert "30" in done.out.splitlines()[0]
    if "label" in name or "blanks" in name:
        assert "Classes:" in done.out


def test_classes_beside_texts_are_named(cli, here):
    lines = "".join(f'{{"text": "pump {i} leaks", "sentiment": "{"ab"[i % 2]}"}}\n' for i in range(20))
    (here / "texts.jsonl").write_text(lines)
    assert (
        "the column 'sentiment' may hold classes; --label sentiment learns them."
        in cli("look", "texts.jsonl").out
    )


def test_numbers_parted_by_blanks_are_columns(cli, here):
    rows = [
        f"  {i % 2 + 1}.0000000e+00  {'  '.join(f'{(i + step) % 5}.5e+00' for step in range(6))}"
        for i in range(20)
    ]
    (here / "Gun_TRAIN.txt").write_text("\n".join(rows) + "\n")
    done = cli("look", "Gun_TRAIN.txt")
    assert "20 sequences of 6 steps each" in done.out
    assert "no names in the first row; the class stands first." in done.out
    (here / "saved.txt").write_text(
        "# time x y\n" + "".join(f"{i}.0 {i % 3}.5 {i % 5}e-1\n" for i in range(20))
    )
    assert "1 sequence of 20 steps, 2 channels" in cli("look", "saved.txt").out
    (here / "thousands.csv").write_text("".join(f"1 {i:03}\n" for i in range(20)))
    assert "2 channels" not in cli("look", "thousands.csv").out


@pytest.mark.parametrize("ending", ["csv", "png", "npy"])
def test_classes_over_persons_are_told_with_the_row_to_write(cli, here, ending):
    for label in ("run", "walk"):
        place = here / "data" / label / "anna" / ("clip" if ending == "png" else "")
        place.mkdir(parents=True)
        (place / f"1.{ending}").write_text("x\n1\n2\n")
    done = cli("look", "data")
    assert done.code == 3
    row = "run/anna/clip,run,anna." if ending == "png" else f"run/anna/1.{ending},run,anna."
    assert row in done.err


def test_answers_of_a_named_data_set_go_to_one_file(cli, nine):
    done = cli("predict", nine("classifier"), "japanese-vowels", "-o", "answers/")
    assert done.code == 2
    assert "japanese-vowels: is the name of a data set" in done.err
    assert "-o japanese-vowels.csv" in done.err


def test_inputs_known_ahead_ask_for_a_forecast(cli, here):
    (here / "load.csv").write_text(
        "date,MW,warm\n" + "".join(f"2024-01-{d:02},{d % 7},{d % 5}\n" for d in range(1, 31))
    )
    done = cli("train", "load.csv", "--time", "date", "--target", "MW", "--known", "warm", "-o", "run")
    assert "--task forecast" in done.err


def test_a_quotation_mark_that_is_never_closed_is_found(cli, here):
    (here / "open.csv").write_text('text,label\ngood,a\n"bad thing,b\n' + "fine,a\n" * 20)
    done = cli("look", "open.csv", "--text", "text", "--label", "label")
    assert "'bad thing,b'" in done.err
    assert "never closed" in done.err


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.35, "0.35 seconds"),
        (90, "90 seconds"),
        (129_600, "36 hours"),
        (1_209_600, "14 days"),
        (17_280_000, "200 days"),
    ],
)
def test_long_times_are_told_in_their_unit(seconds, told):
    assert duration_in_words(seconds) == told


def test_texts_are_counted_as_texts_and_one_number_has_no_name(cli, nine):
    assert "test texts" in cli("eval", nine("texts")).out
    assert "test sentences" in cli("eval", nine("words")).out
    assert "to '0'" not in cli("explain", nine("regressor")).out


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (pd.date_range("1991-07-01", periods=90, freq="MS").strftime("%Y %b"), "one step a month"),
        ([f"{1970 + i // 4} Q{i % 4 + 1}" for i in range(90)], "a step every 3 months"),
        (pd.date_range("2022-01-01", periods=90).strftime("%Y-%m-%d"), "one step a day"),
        (pd.date_range("2022-01-31", periods=90).strftime("%d/%m/%Y"), "one step a day"),
        ([f"{1900 + i}-01-01" for i in range(90)], "one step a year"),
    ],
)
@pytest.mark.parametrize("header", ["Monat,x", "a day,x"])
def test_a_first_column_of_dates_is_the_time_whatever_its_name(cli, here, rows, told, header):
    (here / "s.csv").write_text(f"{header}\n" + "".join(f"{row},{i % 7}\n" for i, row in enumerate(rows)))
    name = shlex.quote(header.split(",")[0])
    done = cli("look", "s.csv")
    assert done.code == 0, done.err
    assert f"1 sequence of 90 steps, 1 channel, {told}." in done.out
    assert f"found by its values, which are dates: --time {name}.\n" in done.out  # dates are never a channel
    for target in ([], ["--target", "x"]):
        ahead = cli("look", "s.csv", "--task", "forecast", *target)
        assert "1 series of 90 steps, 1 channel" in ahead.out


@pytest.mark.parametrize(
    ("days", "told"),
    [
        *((30.44, "one step a month"), (365.25, "one step a year"), (91.3, "a step every 3 months")),
        *((30, "a step every 30 days"), (31, "a step every 31 days"), (28, "a step every 4 weeks")),
        *((364, "a step every 52 weeks"), (7, "one step a week"), (60, "a step every 60 days")),
    ],
)
def test_steps_of_the_calendar_are_told_by_the_calendar(days, told):
    assert rate_in_words(1 / (days * 86_400)) == told


def test_a_decimal_comma_in_the_column_of_times_is_told_as_one(cli, here):
    rows = "".join(f"P{i // 9};{i % 9 / 10:.1f};{i / 7:.2f}\n".replace(".", ",") for i in range(90))
    (here / "excel.csv").write_text(f"sep=;\nid;Zeit;p [bar]\n{rows}")
    said = cli("look", "excel.csv", "--id", "id").err
    assert "the time column 'Zeit' must hold numbers or dates; line 3 has '0,0'." in said
    assert "If the comma is the decimal mark, pass --decimal ','." in said
    assert cli("look", "excel.csv", "--id", "id", "--decimal", ",").code == 0


@pytest.mark.parametrize(
    ("unit", "per_second", "counted"),
    [("ms", 1000, "milliseconds"), ("us", 1e6, "microseconds"), ("min", 1 / 60, "minutes")],
)
def test_times_in_another_unit_are_told_before_resampling(cli, here, unit, per_second, counted):
    rng = np.random.default_rng(0)
    for sort in ("up", "down"):
        (here / "data" / sort).mkdir(parents=True)
        for number in range(4):
            with (here / "data" / sort / f"{number}.csv").open("w") as file:
                file.write(f"Time [{unit}],x\n")
                file.writelines(f"{i * per_second / 50:.9g},{rng.normal():.3f}\n" for i in range(20))
    trained = cli("train", "data", "-o", "run", "--max-epochs", "1", "--hidden-size", "2", "--no-wide", "-q")
    assert trained.code == 0, trained.err
    new = (here / "data" / "up" / "1.csv").read_text()
    (here / "new.csv").write_text(new.replace(f" [{unit}]", ""))
    said = cli("predict", "run", "new.csv").err
    assert f"If the times of the table count {counted}, give --time-unit {unit}." in said
    assert cli("predict", "run", "new.csv", "--time-unit", unit).code == 0


def test_several_series_are_no_groups_that_leak(cli, here):
    rows = "".join(f"{shop},2024-01-{day:02d},{day * 2}\n" for shop in "abc" for day in range(1, 29))
    (here / "shops.csv").write_text("shop,day,x\n" + rows)
    done = cli("look", "shops.csv", "--task", "forecast", "--id", "shop", "--target", "x")
    assert done.code == 0, done.err
    assert "3 series of 28 steps each" in done.out
    assert "Problem:" not in done.out


def test_classes_are_not_asked_for_where_the_task_has_none(cli, here):
    (here / "pump.csv").write_text("id,x\n" + "".join(f"{i // 50},{i % 7}\n" for i in range(500)))
    assert "There are no labels" in cli("look", "pump.csv").out
    assert "There are no labels" not in cli("look", "pump.csv", "--task", "anomaly").out


def test_a_recipe_in_the_words_of_the_command_line_is_json_there(cli, here):
    rows = "".join(f"{i // 90},{i * 7 % 11},{'ab'[i // 60 % 2]}\n" for i in range(900))
    (here / "steps.csv").write_text("id,x,label\n" + rows)
    said = cli("look", "steps.csv").out
    (told,) = re.findall(r"--frontend ('\{.*?\}')", said) or [None]
    assert "frontend={" not in said
    assert told is None or json.loads(shlex.split(told)[0])["name"] == "convolutions"
    assert in_flags("with frontend={'name': 'convolutions', 'size': 4}, dropout=0.3, as") == (
        """with --frontend '{"name": "convolutions", "size": 4}', --dropout 0.3, as"""
    )


def test_a_run_that_was_not_finished_is_told_with_a_command_that_can_be_typed(cli, here):
    run = here / "runs" / "my first"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    for typed in ("runs/my first", "runs/my first/model.recurra"):
        said = cli("predict", typed, "new.csv").err
        assert said.endswith("Go on with: recurra resume 'runs/my first'\n"), said


def test_days_ahead_are_dated_without_an_hour(cli, here):
    for freq, told in (("D", "2024-03-31"), ("MS", "2031-07-01"), ("h", "2024-01-04T18:00:00")):
        times = pd.date_range("2024-01-01", periods=90, freq=freq)
        rows = "".join(f"{time},{i % 7}\n" for i, time in enumerate(times))
        (here / f"{freq}.csv").write_text(f"time,x\n{rows}")
        done = cli("train", f"{freq}.csv", "--task", "forecast", "--horizon", "2", "-o", freq, "-q")
        assert done.code == 0, done.err
        assert f",1,{told}," in cli("predict", freq, f"{freq}.csv").out


def test_the_other_decimal_mark_among_times_is_told_too(cli, here):
    (here / "a.csv").write_text("id;Zeit;p\n" + "".join(f"P{i // 9};{i % 9 / 10};1,5\n" for i in range(90)))
    said = cli("look", "a.csv", "--id", "id", "--decimal", ",").err
    assert "has '0.1'. If the point is the decimal mark, pass --decimal ." in said or "--decimal '.'" in said


def test_two_forecasts_of_the_same_steps_are_compared_whatever_history_they_keep(cli, here):
    rng = np.random.default_rng(0)
    times = pd.date_range("2010-01-01", periods=120, freq="MS")
    rows = "".join(
        f"{t:%Y-%m-%d},{10 + i % 12 + rng.normal():.2f},{rng.normal():.2f}\n" for i, t in enumerate(times)
    )
    (here / "s.csv").write_text("month,x,z\n" + rows)
    common = ("--task", "forecast", "--horizon", "4", "-q")
    net = (*common, "--target", "x", "--max-epochs", "1", "--hidden-size", "4")
    for run, words in (
        ("whole", (*common, "--target", "x")),  # a statistical forecast, which keeps the history
        ("short", (*net, "--context", "12")),
        ("other", (*net, "--context", "24")),
        ("values", (*net[:-6], "--target", "z", *net[-4:])),
        ("further", (*net[:2], "--horizon", "6", *net[4:])),
    ):
        done = cli("train", "s.csv", *words, "-o", run)
        assert done.code == 0, done.err
    done = cli("compare", "whole", "short", "other")
    assert done.code == 0, done.err
    assert "forecast other steps: 6 times 4 steps, 4 times 6 steps." in cli("compare", "short", "further").err
    assert "were judged on other values, 6 times 4 steps each." in cli("compare", "short", "values").err


@pytest.mark.parametrize(
    ("rows", "told"),
    [(40, "Hold out more with --test 0.3, nothing with --test 0"), (19, "Hold nothing out with --test 0")],
)
def test_too_little_held_out_to_judge_a_horizon_is_told_before_training(cli, here, rows, told):
    table = "".join(
        f"2024-01-{i % 31 + 1:02d},{i % 7}\n" if i < 31 else f"2024-02-{i - 30:02d},1\n" for i in range(rows)
    )
    (here / "s.csv").write_text("day,x\n" + table)
    done = cli("train", "s.csv", "--task", "forecast", "--horizon", "12", "-o", "run")
    assert done.code == 3
    assert told in done.err
    assert "Recipe" not in done.err
    again = told.split("--test ")[1].split(",")[0].split()[0]
    whole = cli("train", "s.csv", "--task", "forecast", "--horizon", "12", "-o", "again", "--test", again)
    assert whole.code == 0 or rows == 19, whole.err


def test_of_no_segment_the_columns_are_those_of_segments():
    none, one = (
        [{"name": "a", "segments": []}],
        {"start": 0, "end": 3, "label": "x", "start_s": 0.0, "end_s": 1.0},
    )
    assert as_text(none, "csv", segments=True) == "name,start,end,label,start_s,end_s\n"
    assert as_text([{"name": "a", "segments": [one]}], "csv", segments=True).startswith(
        as_text(none, "csv", segments=True)
    )


@pytest.mark.parametrize("verb", ["predict {run} {data} -o gone/a.csv", "export {run} -o gone/a.onnx"])
def test_a_folder_that_is_not_there_is_told_before_the_work(cli, here, nine, monkeypatch, verb):
    for place in ("recurra.cli.verbs.predict.predicted", "recurra.cli.verbs.export.export"):
        monkeypatch.setattr(place, lambda *_, **__: pytest.fail("worked for nothing"))
    typed = verb.format(run=nine("classifier"), data=nine.folder / KINDS["classifier"].data)
    said = cli(*shlex.split(typed)).err
    assert "Make the folder gone first, or give another place." in said


def test_the_state_of_a_stream_needs_its_folder_before_the_first_row(cli, here, nine):
    said = cli("stream", nine("classifier"), nine.folder / KINDS["classifier"].data, "--state", "gone/s.bin")
    assert "Make the folder gone first, or give another place." in said.err
    assert "step" not in said.out


def test_a_column_of_the_training_that_is_not_there_is_renamed_where_names_decide(cli, here):
    rows = "".join(f"2024-01-{i + 1:02d},{i % 7}\n" for i in range(31))
    (here / "s.csv").write_text("day,x\n" + rows)
    (here / "t.csv").write_text("day,y\n" + rows)
    words = ("--task", "forecast", "--target", "x", "--horizon", "2", "-q")
    assert cli("train", "s.csv", "--time", "day", *words, "-o", "run").code == 0
    assert cli("predict", "run", "t.csv").err.endswith("Rename the column of these data.\n")
    (here / "u.csv").write_text("tag,x\n" + rows)
    assert cli("predict", "run", "u.csv").err.endswith("Name the column of these data with --time.\n")
    assert cli("predict", "run", "u.csv", "--time", "tag").code == 0


def test_an_option_of_another_task_names_the_task(cli, here):
    (here / "a.csv").write_text(WORDS)
    said = cli("train", "a.csv", "--id", "id", "--label", "label", "--horizon", "3").err
    assert "takes no 'horizon'. Leave it out, or train with --task forecast." in said


def test_a_series_that_never_changes_is_not_to_be_left_out(cli, here):
    (here / "s.csv").write_text("day,x\n" + "".join(f"2024-01-{i + 1:02d},7\n" for i in range(31)))
    said = cli("look", "s.csv", "--task", "forecast").out
    assert "Problem: 'x' never changes: there is nothing to learn." in said


def test_a_search_tells_options_as_they_are_typed(cli, here):
    pytest.importorskip("optuna")
    (here / "a.csv").write_text(WORDS)
    done = cli(
        "tune", "a.csv", "--id", "id", "--label", "label", "--trials", "3", "--max-epochs", "1", "-o", "s",
        "--search", "cell=lstm|gru", "--search", "hidden_size=2..4", "--search", "learning_rate=1e-5..1e-4,log",
    )  # fmt: skip
    assert done.code == 0, done.err
    told = [line for line in done.err.splitlines() if line.startswith("Trial")]
    (best,) = (line for line in done.out.splitlines() if line.startswith("Trained again, of 3 trials: "))
    assert len(told) == 3
    assert re.fullmatch(r"Trial 1 of 3: log loss [\d.]+ with the defaults", told[0])
    for line in told[1:]:
        options = line.split(" with ")[1].split(", ")
        assert all(word.startswith("--") for word in options), line
        assert {"--cell", "--hidden-size", "--learning-rate"} <= {word.split()[0] for word in options}
    assert "=" not in best.split(". ")[0]
