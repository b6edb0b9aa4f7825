"""``train``: the same on every kind of data; the run folder; refusals that leave everything as it was."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

import recurra
from cli.waves import FORMS, TINY_FLAGS, source


@pytest.mark.parametrize("form", FORMS)
def test_every_kind_of_data_trains_alike_and_is_judged_on_a_file_of_its_kind(cli, forms, trained, form):
    _, words, new = FORMS[form]
    run = trained(form)
    for figure in (run.path / "figures").glob("*.svg"):
        assert ElementTree.parse(figure).getroot().tag.endswith("svg")
    names = {"config.json", "history.jsonl", "metrics.json", "model.recurra", "report.html", "figures"}
    assert names <= {p.name for p in run.path.iterdir()}
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert all(isinstance(v, int | float | str) for v in metrics.values())
    assert {"accuracy", "accuracy_baseline", "macro_f1", "log_loss", "n_test", "train_seconds"} <= set(
        metrics
    )
    assert metrics == run.metrics
    history = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert {"train_loss", "learning_rate", "grad_norm_max", "seconds", "time"} <= set(history[0])
    # The saved network answers as the trained one does, on new data of the same kind, through the command line.
    done = cli("eval", run.path, source(forms, new), "--json")
    assert done.code == 0, done.err
    judged = json.loads(done.out)
    loaded = recurra.load(source(forms, new), **words)
    loaded = loaded if form != "named" else loaded.part("test")
    expected = run.estimator.score(loaded.X, loaded.y)
    assert judged["accuracy"] == pytest.approx(expected)
    assert judged["n_test"] == len(loaded)


def test_forms_of_the_same_numbers_give_the_same_network(trained):
    """A folder and a .ts file hold the same sequences: same split, same weights, same figures."""
    folder, ts = trained("folder"), trained("ts")
    for name, weight in folder.estimator.model_.weights.items():
        assert np.array_equal(weight, ts.estimator.model_.weights[name]), name
    for name in ("accuracy", "log_loss", "n_test", "n_train"):  # means over another order of the sequences
        assert folder.metrics[name] == pytest.approx(ts.metrics[name], rel=1e-12)


@pytest.mark.usefixtures("no_charts")
def test_config_repeats_the_run(cli, forms, trained, tmp_path):
    import shlex

    run = trained("long")
    config = json.loads((run.path / "config.json").read_text())
    assert config["command"] == run.command
    assert config["seed"] == 1
    assert config["data"] == str((forms / "old.csv").resolve())
    assert config["data_words"] == FORMS["long"][1]
    assert config["params"]["hidden_size"] == 6
    words = shlex.split(run.command)
    words[words.index("-o") + 1] = str(tmp_path / "again")
    done = cli(*words[1:], "-q", "--json")
    assert done.code == 0, done.err
    again, first = json.loads(done.out), dict(run.metrics)
    assert again.pop("train_seconds") > 0
    first.pop("train_seconds")
    assert again == first


@pytest.mark.usefixtures("no_charts")
def test_json_is_one_flat_object_and_nothing_else(cli, forms, tmp_path):
    done = cli("train", forms / "old.ts", "-o", tmp_path / "run", "--json", "--seed", 0, *TINY_FLAGS[:-1])
    assert done.code == 0
    assert done.out.count("\n") == 1
    figures = json.loads(done.out)
    assert figures == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert all(not isinstance(value, dict | list) for value in figures.values())
    assert "Data:   " in done.err
    assert "Split:  20% are held out at random, classes in balance: 2" in done.err


@pytest.mark.usefixtures("no_charts")
def test_the_last_line_is_the_next_command_and_it_runs(cli, forms, tmp_path):
    done = cli("train", forms / "old.ts", "-o", tmp_path / "run", "--seed", 0, *TINY_FLAGS)
    assert done.code == 0
    last = done.out.splitlines()[-1].split()
    assert last[:2] == ["recurra", "explain"]
    assert " right where guessing gives " in done.out
    assert cli(*last[1:]).code == 0


@pytest.mark.usefixtures("no_charts")
def test_a_new_seed_is_drawn_and_written_down(cli, forms, tmp_path):
    for name in "ab":
        assert (
            cli(
                "train", forms / "old.ts", "-o", tmp_path / name, "--max-epochs", 1, "--hidden-size", 2, "-q"
            ).code
            == 0
        )
    seeds = [json.loads((tmp_path / name / "config.json").read_text())["seed"] for name in "ab"]
    assert seeds[0] != seeds[1]
    assert f"--seed {seeds[0]}" in json.loads((tmp_path / "a" / "config.json").read_text())["command"]


def test_an_existing_run_is_refused_and_untouched(cli, forms, trained):
    run = trained("folder")
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    done = cli("train", forms / "old", "-o", run.path, *TINY_FLAGS)
    assert done.code == 2
    assert (
        done.err
        == f"Error: train: {run.path} holds a run; give another folder, or replace it with --force.\n"
    )
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == before


@pytest.mark.usefixtures("no_charts")
def test_force_replaces_and_failing_force_does_not(cli, forms, tmp_path):
    out = tmp_path / "run"
    assert cli("train", forms / "old", "-o", out, "--seed", 0, *TINY_FLAGS).code == 0
    model = (out / "model.recurra").read_bytes()
    assert cli("train", forms / "new" / "a", "-o", out, "--force", *TINY_FLAGS).code == 3
    assert (out / "model.recurra").read_bytes() == model
    assert cli("train", forms / "old", "-o", out, "--seed", 5, "--force", *TINY_FLAGS).code == 0
    assert (out / "model.recurra").read_bytes() != model
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_data_that_fail_leave_no_folder(cli, forms, tmp_path):
    rows = (forms / "old.csv").read_text().replace("old3,0.0000,", "old3,,", 1)
    (tmp_path / "bad.csv").write_text(rows)
    done = cli(
        "train",
        tmp_path / "bad.csv",
        "--id",
        "recording",
        "--label",
        "gesture",
        "--group",
        "who",
        "-o",
        tmp_path / "run",
        "--test",
        0,
    )
    assert done.code == 3
    last = done.err.splitlines()[-1]
    assert "('old3') contains NaN at step 0, channel 0" in last
    assert "use --missing mask" in last
    assert not (tmp_path / "run").exists()


def test_a_folder_below_a_file_could_not_be_done(cli, forms):
    done = cli("train", forms / "old", "-o", forms / "old.csv" / "run", *TINY_FLAGS)
    assert done.code == 1
    assert done.err.startswith("Error: ")
    assert "Not a directory" in done.err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--hidden-size", "0"], 2, "train: --hidden-size must be a whole number of at least 1; got 0."),
        (["--test", "1.5"], 2, "train: --test must be a file, a share of at least 0 and less "
         "than 1, or 0 for none; got 1.5."),
        (["--test", "absent.csv"], 3, "train: there is no file or folder 'absent.csv'."),
        (["--task", "label", "--pooling", "max"], 2, "train: the task 'label' takes no 'pooling'. Leave it out, or"
         " train with --task classify."),
        (["--task", "label"], 3, "train: the task 'label' needs one label per time step; the data have one per sequence."),
        (["--task", "regress"], 3, "train: the task 'regress' needs numbers; the first label is 'a'."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_anything_is_written(cli, forms, tmp_path, flags, code, words):
    done = cli("train", forms / "old", "-o", tmp_path / "run", *TINY_FLAGS, *flags)
    assert done.code == code
    assert done.err == f"Error: {words}\n"
    assert not (tmp_path / "run").exists()


def test_data_without_labels_say_how_to_give_them(cli, forms, tmp_path):
    done = cli("train", forms / "old-unlabelled.csv", "--id", "recording", "-o", tmp_path / "run")
    assert done.code == 3
    assert done.err.splitlines()[-1].endswith(
        "has no labels. Name their column with --label or --target, sort the files into one folder per class, or add a "
        "labels.csv."
    )


def test_one_table_over_time_without_labels_says_how_to_forecast_it(cli, tmp_path):
    table, run = tmp_path / "sales.csv", tmp_path / "run"
    table.write_text(
        "month,sales\n" + "".join(f"20{10 + i // 12}-{i % 12 + 1:02},{i % 7}\n" for i in range(60))
    )
    done = cli("train", table, "-o", run)
    assert done.code == 3
    advice = "; or, if its next values are to be forecast, pass --task forecast --target sales."
    assert done.err.splitlines()[-1].endswith(advice)
    assert cli("train", table, "--task", "forecast", "--target", "sales", "-o", run).code == 0


def test_a_wrong_file_is_named(cli, tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    done = cli("train", tmp_path / "song.mp3", "-o", tmp_path / "run")
    assert done.code == 2
    assert "files ending in '.mp3' are not read" in done.err
    (tmp_path / "empty.csv").write_text("")
    assert cli("train", tmp_path / "empty.csv", "-o", tmp_path / "run").code == 3
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    assert cli("train", tmp_path / "cut.npz", "-o", tmp_path / "run").code == 3
    assert not (tmp_path / "run").exists()


def test_nothing_held_out(cli, forms, tmp_path):
    done = cli("train", forms / "old.ts", "-o", tmp_path / "run", "--test", "0", "--seed", 0, *TINY_FLAGS)
    assert done.code == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["n_test"] == 0
    assert not (tmp_path / "run" / "report.html").exists()
    assert done.out.splitlines()[-1] == f"recurra predict {tmp_path / 'run'} {forms / 'old.ts'}"
    done = cli("eval", tmp_path / "run")
    assert done.code == 2
    assert "the run held nothing out; give the data to judge on: recurra eval RUN DATA." in done.err


@pytest.mark.usefixtures("no_charts")
def test_a_test_file_is_judged_on_and_found_again(cli, forms, tmp_path):
    done = cli(
        "train",
        forms / "old.ts",
        "-o",
        tmp_path / "run",
        "--test",
        forms / "new.ts",
        "--seed",
        0,
        *TINY_FLAGS,
    )
    assert done.code == 0
    first = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (first["n_train"], first["n_test"]) == (36, 9)
    again = json.loads(cli("eval", tmp_path / "run", "--json").out)
    assert again["log_loss"] == first["log_loss"]


def test_leaks_are_named_on_the_screen_and_in_the_report(cli, forms, tmp_path):
    done = cli(
        "train", forms / "old.ts", "-o", tmp_path / "run", "--test", forms / "old.ts", *TINY_FLAGS[:-1]
    )
    assert done.code == 0
    assert "Warning: 36 of 36 test sequences are also in the training part" in done.err
    assert (
        "36 of 36 test sequences are also in the training part"
        in (tmp_path / "run" / "report.html").read_text()
    )


@pytest.mark.usefixtures("no_charts")
def test_verbose_2_writes_a_line_per_epoch(cli, forms, tmp_path):
    import logging

    logger = logging.getLogger("recurra")
    before, level = list(logger.handlers), logger.level
    try:
        done = cli("train", forms / "old.ts", "-o", tmp_path / "run", *TINY_FLAGS[:-1], "--verbose", 2)
        assert done.code == 0
    finally:
        logger.handlers[:], logger.level = before, level


def test_words_are_checked_before_data_are_read(cli, tmp_path):
    done = cli("train", tmp_path / "absent.csv", "--learning-rate", "-1")
    assert done.code == 2
    assert done.err == "Error: train: --learning-rate must be a number greater than 0; got -1.0.\n"
