"""Every bad input that was thought of: one sentence, the right exit code, earlier results untouched.

A table: each entry makes the bad thing in a folder, gives the command line, the exit code, and the sentence as a pattern.
"""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.cli.main import run

posix = pytest.mark.skipif(os.name != "posix", reason="limits, pipes and mounts as POSIX has them")

TABLE = ("--id", "id", "--time", "t", "--label", "label", "--test", "0.25")
SMALL = ("-q", "--hidden-size", "2", "--max-epochs", "1", "--seed", "0")


def rows(n=12, *, cell=None, label=lambda i: "ab"[i % 2], step=lambda i: 1):
    """Return a long table; ``cell`` replaces the value of x at line 12."""
    out = ["id,t,x,y,label"]
    for i in range(n):
        for k in range(3):
            x = cell if cell is not None and (i, k) == (3, 1) else f"{k + i / 10}"
            out.append(f"s{i},{k * step(i)},{x},{k * i},{label(i)}")
    return "\n".join(out) + "\n"


def table(text, *flags, encoding="utf-8", verb="train"):
    """Return what makes a table and gives the command line that reads it."""

    def make(place):
        path = place / "data.csv"
        path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
        return [verb, path, *(flags or TABLE)]

    return make


def folder(changes, *flags):
    """Return what makes a folder of two classes with three files each, some of them changed."""

    def make(place):
        for label in "ab":
            (place / "data" / label).mkdir(parents=True)
            for i in range(3):
                (place / "data" / label / f"{i}.csv").write_text(f"x,y\n{i},2\n3,{ord(label)}\n5,6\n")
        for name, text in changes.items():
            (place / "data" / name).write_text(text)
        return ["train", place / "data", *(flags or ("--test", "0"))]

    return make


@dataclass(frozen=True)
class Bad:
    name: str
    make: object
    code: int
    says: str


MILLION = 1_000_000
WIDE = ",".join(f"c{i}" for i in range(MILLION)) + "\n" + "1," * (MILLION - 1) + "1\n"
READ = [
    Bad("an empty file", table(""), 3, r"data\.csv: the file is empty \(0 bytes\)\. Check that writing it was finished\."),
    Bad("a header only", table("id,t,x,label\n"), 3, r"data\.csv: has a header but no row: there is no time step in it\."),
    Bad(
        "a missing column",
        table(rows(), "--id", "id", "--label", "labels"),
        3,
        r"data\.csv: has no column 'labels' \(given as label\); its columns are 'id', 't', 'x', 'y', 'label'\. "
        r"Did you mean 'label'\?",
    ),
    Bad(
        "text in a number column",
        table(rows(cell="abc")),
        3,
        r"data\.csv: column 'x' must hold numbers; line 12 has 'abc'\. Correct the cell, or leave it empty",
    ),
    Bad(
        "one class only",
        table(rows(label=lambda i: "a"), *TABLE[:-1], "0"),
        3,
        r"y must hold at least two classes; all labels are 'a'\.",
    ),
    Bad(
        "one class only after the split",
        table(rows(2), *TABLE[:-1], "0.5"),
        3,
        r"train: of the 2 classes only '[ab]' is in the training part of 1 sequence, after 1 were held out\. Give more, "
        r"or hold none out with --test 0\.",
    ),
    Bad(
        "a missing label",
        table(rows(label=lambda i: "" if i == 3 else "ab"[i % 2])),
        3,
        r"data\.csv: the label column 'label' must be filled; it is empty at line 11 and 2 more\. Fill it, or remove these",
    ),
    Bad(
        "NaN",
        table(rows(cell="nan"), *TABLE[:-1], "0"),
        3,
        r"X: sequence \d+ \('s3'\) contains NaN at step 1, channel 0 .* Fill it, or use --missing mask",
    ),
    Bad(
        "infinity",
        table(rows(cell="inf"), *TABLE[:-1], "0"),
        3,
        r"X: sequence \d+ \('s3'\) contains infinity at step 1, channel 0 .* Replace it\.",
    ),
    Bad(
        "a sequence of length 0",
        folder({"a/0.csv": "x,y\n"}),
        3,
        r"a.0\.csv: has a header but no row: there is no time step in it\. Check that writing it was finished\.",
    ),
    Bad(
        "channels that differ between sequences",
        folder({"a/0.csv": "x,y,z,u,v\n1,2,3,4,5\n"}),
        3,
        r"a.1\.csv: has 2 channels, a.0\.csv has 5\. Give every file the same columns\.",
    ),
    Bad(
        "duplicate ids",
        table(
            "id,a,b,label\n" + "".join(f"s{i // 2},1,{i},{'ab'[i % 2]}\n" for i in range(8)),
            *("--id", "id", "--label", "label", "--layout", "wide"),
        ),
        3,
        r"data\.csv: id 's0' is given twice, at line 2 and line 3\. Give every row its own id, or none at all\. "
        r"If each row is one time step, pass --layout long",
    ),
    Bad(
        "labels for files that are not there",
        folder({"labels.csv": "file,label\na/0.csv,up\nnot/there.csv,down\n"}),
        3,
        r"labels\.csv: line 3 names 'not/there\.csv', which is not there\. Correct the name, or remove the row\.",
    ),
    Bad(
        "the wrong encoding",
        table(rows(label=lambda i: "größe" if i % 2 else "b"), encoding="latin-1"),
        3,
        r"data\.csv: is not utf-8 text: byte \d+ is 0xf6\. Pass --encoding latin-1, or save it as UTF-8\.",
    ),
    Bad(
        "a table with a million columns",
        table(WIDE, "--label", "c"),
        3,
        r"data\.csv: has no column 'c' \(given as label\); its columns are 'c0', .*\.\.\. \(1000000 in all\)\.",
    ),
    Bad("a file that is not there", lambda place: ["train", place / "no.csv"], 3, r"there is no file or folder '.*no\.csv'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """Return a finished run that must stay as it is."""
    place = tmp_path_factory.mktemp("earlier")
    words = {"id": "id", "time": "t", "label": "label", "test": 0.25}
    (place / "good.csv").write_text(rows(24))
    recurra.train(
        str(place / "good.csv"), out=place / "run", seed=0, hidden_size=2, max_epochs=1, verbose=0, **words
    )
    return place / "run"


def snapshot(place):
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def sentence(capsys):
    """Return the last line of standard error, and check that it is one sentence and no traceback."""
    err = capsys.readouterr().err
    assert "Traceback" not in err
    line = err.strip().splitlines()[-1]
    assert line.startswith("Error: ")
    assert len(line) < 700
    return line


@pytest.mark.parametrize("bad", READ, ids=lambda bad: bad.name)
def test_data(bad, earlier, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(earlier, out)
    before = snapshot(out)
    args = [str(arg) for arg in bad.make(tmp_path)]
    code = run([*args, "-o", str(out), "--force", *SMALL])
    said = sentence(capsys)
    assert re.search(bad.says, said), said
    assert code == bad.code
    assert snapshot(out) == before
    assert not (tmp_path / ".run.new").exists()


def test_mixed_sampling_is_seen_where_data_are_looked_at_and_trained(tmp_path, capsys):
    make = table(
        rows(24, step=lambda i: 1 if i < 12 else 3),
        "--id",
        "id",
        "--time",
        "t",
        "--label",
        "label",
        verb="look",
    )
    assert run([str(arg) for arg in make(tmp_path)] + ["--time-unit", "s"]) == 0
    rule = "sampled at 2 different rates (0.3333 Hz, 1 Hz)"
    assert rule in capsys.readouterr().out
    words = {"id": "id", "time": "t", "label": "label", "time_unit": "s"}
    told = []
    small = {"hidden_size": 2, "max_epochs": 1, "verbose": 0, "seed": 0}
    run_ = recurra.train(str(tmp_path / "data.csv"), out=tmp_path / "run", tell=told.append, **words, **small)
    assert any(rule in line for line in told)
    assert rule in (run_.path / "report.html").read_text()


def model_bytes(earlier):
    return (earlier / "model.recurra").read_bytes()


def newer(data):
    manifest, arrays = store.loads(data)
    return store.dumps(manifest | {"schema": 2, "recurra": "7.0"}, arrays)


def lying(data):
    manifest, arrays = store.loads(data)
    manifest["network"]["hidden_size"] = 3
    return store.dumps(manifest, arrays)


def flipped(data):
    return data[:-9] + bytes([data[-9] ^ 16]) + data[-8:]


MODELS = [
    ("truncated", lambda data: data[:-20], r"model\.recurra: cut short: array '.*' ends at byte \d+, \d+ are there\. Use a"),
    ("flipped", flipped, r"model\.recurra: the checksum does not agree with the content: the file was changed or damaged\."),
    ("lying", lying, r"model\.recurra: the weight '.*' must be float32 of shape \(\d+, \d+\); got float32 of \(\d+, \d+\)"),
    ("newer", newer, r"model\.recurra: was written by recurra 7\.0 as model schema 2; this version reads 1\. Update"),
    ("foreign", lambda data: b"PK\x03\x04" * 90, r"model\.recurra: not a recurra file, or damaged: its header claims"),
    ("empty", lambda data: b"", r"model\.recurra: not a recurra file: it has 0 bytes, a header alone takes more\."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "says"), MODELS, ids=[m[0] for m in MODELS])
def test_model_files(name, change, says, earlier, tmp_path, capsys):
    out = tmp_path / "run"
    shutil.copytree(earlier, out)
    (out / "model.recurra").write_bytes(change(model_bytes(earlier)))
    before = snapshot(out)
    for verb in (["eval", out], ["predict", out, earlier.parent / "good.csv"], ["explain", out]):
        assert run([str(arg) for arg in verb]) == 3
        said = sentence(capsys)
        assert re.search(says, said), said
    assert snapshot(out) == before


def process(*args, **words):
    return subprocess.run(
        [sys.executable, "-m", "recurra", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        **words,
    )


def read_only(place):
    """Make a folder read-only for everyone, root included, and return what undoes it; skip where that cannot be."""
    if os.geteuid() != 0:
        place.chmod(0o555)
        return lambda: place.chmod(0o755)
    mounted = (
        subprocess.run(["mount", "--bind", place, place], capture_output=True, check=False).returncode == 0
    )
    if not mounted or subprocess.run(["mount", "-o", "remount,ro,bind", place], check=False).returncode:
        if mounted:
            subprocess.run(["umount", place], check=True)
        pytest.skip("root may write everywhere, and may not mount here")
    return lambda: subprocess.run(["umount", place], check=True)


@posix
def test_a_read_only_folder(earlier, tmp_path, capsys):
    place = tmp_path / "kept"
    shutil.copytree(earlier, place / "run")
    data = earlier.parent / "good.csv"
    before = snapshot(place)
    undo = read_only(place)
    try:
        rule = r"(Read-only file system|Permission denied)\. What was there before is untouched; give a place that may be"
        for out, more in ((place / "new", ()), (place / "run", ("--force",))):
            assert run([str(a) for a in ("train", data, "-o", out, *TABLE, *SMALL, *more)]) == 1
            said = sentence(capsys)
            assert re.search(rule, said), said
            assert str(place) in said
        assert run(["eval", str(place / "run")]) == 1
        assert re.search(rf"eval-test\.html: {rule}", sentence(capsys))
        assert snapshot(place) == before
    finally:
        undo()


@posix
def test_a_full_disk(earlier, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(earlier, out)
    before = snapshot(out)

    def limit():  # configuration and checkpoints fit, the report does not
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    done = process(
        "train", earlier.parent / "good.csv", "-o", out, "--force", *TABLE, *SMALL, preexec_fn=limit
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"Error: {tmp_path / '.run.new' / 'report.html'}: File too large. What was there before is untouched; free some "
        f"space. Go on with: recurra resume {out}"
    )
    assert snapshot(out) == before
    assert process("resume", out).returncode == 0
    assert json.loads((out / "metrics.json").read_text())["epochs"] == 1


# recurra reads data in its own process: there is no loader that could be killed. What comes nearest is whoever writes to
# its standard input, or a file that is cut or taken away while a folder is read.


@posix
def test_whoever_writes_to_standard_input_is_killed(earlier):
    head = (
        "id,t,x,y\n" + "".join(f"s0,{k},1,2\n" for k in range(5)) + "s0,5,1"
    )  # killed in the middle of a line
    done = process("predict", earlier, "-", input=head)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == (
        "Error: standard input: line 7 has fewer fields than the header's 4. Complete the row. If every row is a whole "
        "sequence, pass --layout wide."
    )
    done = process("predict", earlier, "-", input="")
    assert done.returncode == 3
    assert "standard input: the file is empty (0 bytes)." in done.stderr


@posix
def test_a_file_that_vanishes_while_the_folder_is_read(tmp_path):
    args = [str(arg) for arg in folder({})(tmp_path)]
    last = tmp_path / "data" / "b" / "2.csv"
    # The hook takes the last file away at the moment one before it is opened.
    code = f"""
import os, sys
from recurra.cli.main import run
def hook(event, args):
    if event == "open" and str(args[0]).endswith("b/0.csv") and os.path.exists({str(last)!r}):
        os.unlink({str(last)!r})
sys.addaudithook(hook)
sys.exit(run({[*args, "-o", str(tmp_path / "run"), *SMALL]!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == f"Error: {last}: there is no such file."
    assert not (tmp_path / "run").exists()


@posix
def test_out_of_memory_in_one_batch_names_the_batch_size_that_fits(tmp_path):
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(64, 1600, 2)).astype(np.float32)
    np.savez(tmp_path / "data.npz", X=arrays, y=np.arange(64) % 2)
    np.savez(tmp_path / "few.npz", X=arrays[:4], y=np.arange(4) % 2)
    out = tmp_path / "run"
    # The limit is set once everything is loaded: 256 MB on top of that.
    code = f"""
import resource, sys
from recurra.cli.main import run
import recurra
words = dict(hidden_size=128, max_epochs=1, verbose=0, seed=0, test=0.0, validation_fraction=0.0)
recurra.train({str(tmp_path / "few.npz")!r}, out={str(tmp_path / "warm")!r}, force=True, batch_size=2, **words)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**28, size + 2**28))
flags = "--hidden-size 128 --max-epochs 1 -q --seed 0 --test 0 --validation-fraction 0 --batch-size 64".split()
sys.exit(run(["train", {str(tmp_path / "data.npz")!r}, "-o", {str(out)!r}, *flags]))
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    said = done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    found = re.search(
        r"out of memory in epoch 1, batch 1, with 64 sequences of 102400 time steps .* Use --batch-size (\d+), ",
        said,
    )
    assert found, said
    fits = found.group(1)
    assert int(fits) < 64
    assert not out.exists()
    again = code.replace("--batch-size 64", f"--batch-size {fits}")
    done = subprocess.run([sys.executable, "-c", again], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
