"""The group: verbs, exit codes, one sentence per error, start-up."""

import os
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import click
import pytest

from recurra import errors
from recurra.cli import main as main_module
from recurra.cli.flags import given
from recurra.cli.main import VERBS, Interrupted, desk, exit_code, run
from recurra.cli.messages import in_flags
from recurra.runs.command_line import as_arguments
from recurra.training.checkpoints import newest

RECURRA = [sys.executable, "-m", "recurra"]


def process(*args, **kwargs):
    return subprocess.run([*RECURRA, *map(str, args)], capture_output=True, text=True, check=False, **kwargs)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(cli, verb):
    done = cli(verb, "--help")
    assert done.code == 0
    assert "Examples:" in done.out
    assert f"  recurra {verb}" in done.out.split("Examples:")[1] or "| recurra" in done.out


def test_help_lists_every_verb_without_importing_it(cli):
    done = cli("--help")
    assert done.code == 0
    assert [verb for verb in VERBS if f"  {verb} " in done.out] == list(VERBS)


def test_help_answers_in_under_300_ms():
    def seconds():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert process("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Processor time: a busy machine makes the clock on the wall slow, and must not fail the test.
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert statistics.median(seconds() for _ in range(5)) < 0.3


def test_help_imports_neither_numpy_nor_torch():
    code = (
        "import sys; from recurra.cli.main import run; run(['--help']); "
        "heavy = {'numpy', 'torch', 'sklearn', 'scipy', 'matplotlib', 'rich'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.DataError("x"), 3),
        (errors.ShapeError("x"), 3),
        (errors.StoreError("x"), 3),
        (errors.MissingDataError("x"), 3),
        (errors.TrainingError("x"), 1),
        (errors.MissingExtraError("x"), 1),
        (OSError(28, "No space left on device"), 1),
        (MemoryError(), 1),
    ],
)
def test_each_error_has_its_exit_code(monkeypatch, capsys, error, code):
    def fail(**_):
        raise error

    assert exit_code(error) == code
    monkeypatch.setattr(desk.get_command(None, "datasets"), "callback", fail)
    assert run(["datasets"]) == code
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


def test_ctrl_c_is_4_only_with_a_checkpoint(monkeypatch, capsys):
    for error, code in ((KeyboardInterrupt(), 1), (Interrupted("where training stood is kept in x."), 4)):

        def fail(error=error, **_):
            raise error

        monkeypatch.setattr(desk.get_command(None, "datasets"), "callback", fail)
        assert run(["datasets"]) == code
        assert capsys.readouterr().err.startswith("Interrupted")


def test_an_unknown_verb_names_the_nearest(cli):
    done = cli("trian", "data")
    assert done.code == 2
    assert done.err == "Error: there is no command 'trian'. Did you mean 'train'?\nSee 'recurra --help'.\n"


def test_an_unknown_flag_is_wrong_usage(cli):
    done = cli("look", "data", "--labl", "x")
    assert done.code == 2
    assert "No such option '--labl'" in done.err
    assert "'--label'" in done.err


def test_a_flag_of_the_wrong_kind_is_wrong_usage(cli):
    done = cli("train", "data", "--hidden-size", "many")
    assert done.code == 2
    assert "'--hidden-size'" in done.err


def test_no_verb_shows_the_help(cli):
    done = cli()
    assert done.code == 2
    assert "Commands:" in done.err


def test_version(cli):
    assert cli("--version").out.startswith("recurra, version ")


def test_an_error_is_one_sentence_and_debug_shows_the_traceback(cli, tmp_path):
    plain = cli("look", tmp_path / "absent.csv")
    assert plain.code == 3
    assert plain.err.startswith("Error: look: there is no file or folder")
    assert "Traceback" not in plain.err
    debug = cli("--debug", "look", tmp_path / "absent.csv")
    assert debug.code == 3
    assert "Traceback" in debug.err
    assert "MissingDataError" in debug.err


def test_a_fault_of_our_own_is_not_hidden(monkeypatch):
    def fail(**_):
        raise ZeroDivisionError

    monkeypatch.setattr(desk.get_command(None, "datasets"), "callback", fail)
    with pytest.raises(ZeroDivisionError):
        run(["datasets"])


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("or use missing='mask', which fills it.", "or use --missing mask, which fills it."),
        ("Name the label column with label= or target=.", "Name the label column with --label or --target."),
        ("or pass sort=True.", "or pass --sort."),
        ("train with wide=False and bidirectional=False.", "train with --no-wide and --no-bidirectional."),
        ("replace it with force=True.", "replace it with --force."),
        ("Settings: SequenceClassifier(hidden_size=64).", "Settings: SequenceClassifier(hidden_size=64)."),
        ("pass validation=(X, y).", "pass validation=(X, y)."),
        ("use device='cpu'", "use --device cpu"),
        ("time_unit='ms'", "--time-unit ms"),
        ("delimiter=','", "--delimiter ','"),
    ],
)
def test_messages_speak_in_flags(message, shown):
    assert in_flags(message) == shown


@pytest.mark.parametrize(
    ("verb", "message", "shown"),
    [
        (
            "predict",
            "translate: beam_size must be a number; got 0.",
            "predict: --beam-size must be a number; got 0.",
        ),
        ("predict", "predict: chunk must be a number; got 0.", "predict: --chunk must be a number; got 0."),
        (
            "explain",
            "explain: target must be one of 'a'; got 'b'.",
            "explain: --for must be one of 'a'; got 'b'.",
        ),
        ("explain", "SequenceLabeler: step is for an answer.", "explain: --step is for an answer."),
        ("stream", "stream: name and format are for lines.", "stream: --name and --format are for lines."),
        ("train", "load: thousands must be one character.", "train: --thousands must be one character."),
        ("eval", "SequenceClassifier: evaluate: y must hold labels.", "eval: y must hold labels."),
        (
            "eval",
            "evaluate: For steps use SequenceLabeler.",
            "eval: For steps use a network trained with --task label.",
        ),
        (
            "explain",
            "load: id= is idle; it takes label=, target=.",
            "explain: --id is idle; it takes --label.",
        ),
        ("train", "a.csv: not the rate of sample_rate_hz.", "a.csv: not the rate of --sample-rate-hz."),
        (
            "train",
            "train: label is 'hidden_size'; text is long.",
            "train: label is 'hidden_size'; text is long.",
        ),
        ("train", "hidden_size.csv: is empty.", "hidden_size.csv: is empty."),
        ("train", "features: data must be there.", "features: data must be there."),
    ],
)
def test_messages_begin_with_the_verb_that_was_typed_and_name_its_flags(verb, message, shown):
    assert in_flags(message, verb) == shown


def test_a_file_that_is_called_like_a_function_is_not_taken_for_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "load").touch()
    assert in_flags("load: horizon must be there.", "predict") == "load: horizon must be there."


def test_the_words_of_an_error_are_those_of_its_command(cli):
    done = cli("tune", "japanese-vowels", "--trials", "0", "-o", "runs/none")
    assert done.err.startswith("Error: tune: --trials must be a whole number of at least 1; got 0.")


@pytest.mark.parametrize(
    "name", ["a b", "EEG, left", "it's", "EEG, odd; 'x'", '"a"', "a$b`c", 'say "a, b"', "ü", "--all"]
)
@pytest.mark.parametrize("word", ["target", "channels", "text", "label"])
def test_a_name_in_a_message_is_a_flag_that_means_it(word, name):
    shown = in_flags(f"or pass {word}={name!r}.")
    assert shown.startswith("or pass --")
    flag, value = shlex.split(shown.removesuffix(".").removeprefix("or pass "))
    several = word in ("target", "channels")
    assert flag == f"--{word}"
    assert given({word: (value,) if several else value})[word] in (name, [name])
    written = as_arguments({word: [name] if word == "channels" else name})
    assert written == [flag, value]


def test_warnings_are_one_line(monkeypatch, capsys):
    import warnings

    def warn(**_):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("use missing='mask'", errors.RecurraWarning, stacklevel=1)

    monkeypatch.setattr(desk.get_command(None, "datasets"), "callback", warn)
    assert run(["datasets"]) == 0
    assert capsys.readouterr().err == "Warning: use --missing mask\n"


def test_a_closed_pipe_is_silent():
    child = subprocess.Popen(
        [*RECURRA, "datasets"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    child.stdout.close()  # before anything is written
    assert child.wait(timeout=60) == 0
    assert child.stderr.read() == ""
    child.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_standard_output_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*RECURRA, "datasets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "Error: No space left on device.\n"


@pytest.mark.skipif(os.name != "posix", reason="signals and file-size limits are POSIX")
def test_ctrl_c_during_training_leaves_a_checkpoint(forms, tmp_path):
    out = tmp_path / "run"
    words = ["-o", out, "--hidden-size", "4", "--max-epochs", "100000", "--patience", "none", "--seed", "0"]
    child = subprocess.Popen(
        [*RECURRA, "train", str(forms / "old"), *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    history = out / "history.jsonl"
    for _ in range(1200):
        if history.exists() and history.stat().st_size:
            break
        assert child.poll() is None, child.stderr.read()
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 4, err
    advice = f"Go on with: recurra resume {out}"
    assert err.splitlines()[-1] == f"Interrupted: where training stood is kept. {advice}"
    assert newest(out / "checkpoints").step > 0
    done = process("eval", out)
    assert done.returncode == 3
    assert done.stderr.endswith(f"the run was not finished: it has no model.recurra. {advice}\n")


@pytest.mark.skipif(os.name != "posix", reason="signals and file-size limits are POSIX")
def test_a_full_disk_leaves_the_earlier_run_as_it_was(forms, tmp_path, trained):
    import resource
    import shutil

    out = tmp_path / "run"
    shutil.copytree(trained("folder").path, out)
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}

    def limit():  # a file may hold 2,000 bytes: the configuration fits, the report does not
        resource.setrlimit(resource.RLIMIT_FSIZE, (2500, 2500))

    done = process(
        "train",
        forms / "old",
        "-o",
        out,
        "--force",
        "--hidden-size",
        "4",
        "--max-epochs",
        "1",
        preexec_fn=limit,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")
    assert "File too large" in done.stderr.splitlines()[-1]
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_the_group_is_a_click_command():
    assert isinstance(desk, click.Group)


def test_warnings_of_other_packages_are_for_who_debugs(capsys):
    for debug in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            main_module._own_warnings(debug, "look")
            warnings.warn("Mean of empty slice", RuntimeWarning, stacklevel=1)
            warnings.warn("words of ours", errors.RecurraWarning, stacklevel=1)
        shown = capsys.readouterr().err
        assert ("Mean of empty slice" in shown) == debug
        assert "Warning: words of ours" in shown
