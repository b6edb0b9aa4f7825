"""Standard streams that are closed, full, or whose reader has gone; files that are none; how to stop under nohup."""

import os
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

RECURRA = f"{sys.executable} -m recurra"  # a process from its very beginning: where signals are ignored at its start
WARM = "RECURRA"

# What each verb is called with; RUN and DATA stand for a run folder and its data.
VERBS = [
    "look DATA",
    "predict RUN DATA",
    "eval RUN",
    "explain RUN",
    "compare RUN OTHER",
    "datasets",
    "doctor",
    "--help",
]
ON_SCREEN = ["look DATA", "predict RUN DATA", "datasets", "--help"]


@pytest.fixture(scope="module")
def places(forms, trained, warm_command, tmp_path_factory):
    run = trained("folder")
    other = tmp_path_factory.mktemp("other") / "run"
    shutil.copytree(run.path, other)
    return {
        WARM: shlex.join([*warm_command, "recurra"]),
        "OTHER": str(other),
        "RUN": str(run.path),
        "DATA": str(forms / "new"),
        "MODEL": str(run.path / "model.recurra"),
    }


def shell(command, places, **words):
    for name, path in places.items():
        command = command.replace(name, path)
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=300,
        **words,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert "Exception ignored" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize("verb", VERBS)
def test_a_reader_that_has_enough_is_no_error(places, verb):
    done = shell(f"{WARM} {verb} | head -1", places)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("verb", ON_SCREEN)
@pytest.mark.parametrize(
    ("where", "text"),
    [(">/dev/full", "No space left on device."), (">&-", "Error: standard output: it is closed.")],
)
def test_output_that_cannot_be_written_is_one_sentence(places, verb, where, text):
    done = shell(f"{WARM} {verb} {where}", places)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(text)


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", "<&-", "2>&1 >/dev/null | head -0"])
@pytest.mark.parametrize("verb", ["look DATA", "eval RUN"])
def test_what_is_said_and_what_is_not_read_never_ends_the_work(places, verb, where):
    assert shell(f"{WARM} {verb} {where}", places).returncode == 0


def test_training_needs_no_standard_streams(places, tmp_path):
    words = "--hidden-size 4 --max-epochs 2 --seed 0"
    done = shell(f"{WARM} train DATA -o {tmp_path / 'run'} {words} <&- >&- 2>&-", places)
    assert done.returncode == 0
    assert (tmp_path / "run" / "model.recurra").exists()
    assert (tmp_path / "run" / "config.json").read_bytes().startswith(b"{")


@pytest.mark.parametrize("verb", ["stream MODEL", "predict RUN -"])
def test_closed_standard_input(places, verb):
    done = shell(f"{WARM} {verb} <&-", places)
    assert done.returncode == 2
    expected = "Error: standard input is closed; give a file, or lead something into it with a pipe."
    assert done.stderr.splitlines()[-1] == expected


@pytest.mark.parametrize("where", [">&-", ">/dev/full", ">&- 2>&-"])
def test_a_stream_with_nowhere_to_answer(places, where):
    done = shell(f"yes 1,2 | head -3 | {WARM} stream MODEL {where}", places)
    assert done.returncode == 1
    assert "2>" in where or done.stderr.splitlines()[-1].startswith("Error: ")


# ------------------------------------------------------ files that are no files


@pytest.mark.parametrize("out", ["predict RUN DATA -o", "explain RUN --index 0 -o"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "device", "pipe"])
def test_what_is_written_into_stays_what_it_is(places, tmp_path, out, kind):
    suffix = "csv" if out.startswith("predict") else "svg"
    path, target = tmp_path / f"out.{suffix}", tmp_path / f"target.{suffix}"
    if kind in ("link", "dangling link"):
        path.symlink_to(target)
        if kind == "link":
            target.write_text("old")
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/full")
    else:
        os.mkfifo(path)
    reader = f"cat {path} > {tmp_path / 'read'} & " if kind == "pipe" else ""
    done = shell(f"{reader}{WARM} {out} {path}; code=$?; wait; exit $code", places)
    if kind in ("folder", "device"):
        assert done.returncode == 1
        text = "Is a directory." if kind == "folder" else "No space left on device."
        assert done.stderr.splitlines()[-1].startswith(f"Error: {path}: {text}")
        assert "What was there before" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "read" if kind == "pipe" else target).stat().st_size > 50
    assert path.is_symlink() == (kind in ("link", "dangling link", "device"))
    assert path.is_fifo() == (kind == "pipe")
    assert not [p for p in tmp_path.iterdir() if p.name.endswith(".part")]


def test_standard_output_by_name_is_standard_output(places, tmp_path):
    done = shell(f"{WARM} predict RUN DATA -o /dev/stdout > {tmp_path / 'all'}", places)
    lines = (tmp_path / "all").read_text().splitlines()
    assert lines[0] == "name,prediction"
    assert lines[-1].startswith("recurra eval ")
    assert done.returncode == 0


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "fifo"])
def test_a_state_is_a_file(places, tmp_path, path):
    if path == "fifo":
        path = tmp_path / "fifo"
        os.mkfifo(path)
    done = shell(f"echo 1,2 | {WARM} stream MODEL --state {path}", places)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(
        "Error: stream: --state must be a file, to be read and written"
    )


# ---------------------------------------------------------------- how to stop


def ignoring(*names):
    def ignore():
        for name in names:
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    return ignore


@pytest.mark.parametrize(
    ("ignored", "text"),
    [
        ((), None),
        (("SIGHUP",), None),
        (("SIGINT",), "Ctrl-C is ignored here. To stop, and keep where training stands: kill "),
        (
            ("SIGINT", "SIGTERM"),
            "Ctrl-C is ignored here, and so is SIGTERM. To stop at the last checkpoint: kill -9 ",
        ),
    ],
)
def test_training_says_first_how_to_stop_where_ctrl_c_is_ignored(places, tmp_path, ignored, text):
    words = f"--hidden-size 4 --max-epochs 1 --seed 0 --test 0 -o {tmp_path / 'run'}"  # no report is drawn
    done = shell(f"exec {WARM} train DATA {words}", places, preexec_fn=ignoring(*ignored))
    assert done.returncode == 0
    first = done.stderr.splitlines()[0]
    assert first.startswith(text or "Data: ")
    quiet = f"exec {WARM} train DATA {words} --force --quiet"
    said = shell(quiet, places, preexec_fn=ignoring(*ignored)).stderr
    assert all(
        line.startswith("Warning: ") for line in said.splitlines()
    )  # of so few data, not of how to stop


def test_the_command_it_names_keeps_where_training_stands(places, tmp_path):
    words = f"--hidden-size 4 --max-epochs 100000 --patience none --seed 0 -o {tmp_path / 'run'}"
    command = f"{RECURRA} train {places['DATA']} {words}".split()
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=ignoring("SIGINT", "SIGHUP")
    )
    named = int(child.stderr.readline().rsplit(" ", 1)[1])
    assert named == child.pid
    assert child.stderr.readline().startswith("Data: ")
    while not (tmp_path / "run" / "history.jsonl").exists():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGHUP)
    os.kill(named, signal.SIGTERM)
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 4
    last = f"Interrupted: where training stood is kept. Go on with: recurra resume {tmp_path / 'run'}"
    assert said.splitlines()[-1] == last
    assert list((tmp_path / "run" / "checkpoints").glob("step-*.recurra"))
