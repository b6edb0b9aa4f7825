"""``stream``: an answer a line, at once; bad lines named; pipes that close, Ctrl-C, pace and states."""

import itertools
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recurra
from models import random_model, recording_for
from recurra import interrupts
from recurra.cli import terminal_output
from recurra.runs.stream import lines as stream_lines


@pytest.fixture
def make(tmp_path):
    """Return a function that writes a model file and a recording as JSON lines and CSV."""

    def write(steps=7, names=("ax", "ay"), rate=None, **words):
        rng = np.random.default_rng(0)
        model = random_model(rng, **{"task": "classification", "channels": 2, "missing": "error", **words})
        model.manifest["channel_names"] = list(names)
        model.manifest["sample_rate_hz"] = rate
        model.save(tmp_path / "m.recurra")
        rows = recording_for(rng, model, steps)
        text = [[None if np.isnan(v) else v for v in row] for row in rows.tolist()]
        (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in text))
        lines = [",".join("" if v is None else repr(v) for v in row) for row in text]
        (tmp_path / "r.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
        return model, rows, tmp_path / "m.recurra"

    return write


def answers(done):
    return [json.loads(line) for line in done.out.splitlines()]


def shares_of(line, model):
    return [line["probabilities"][str(label)] for label in model.classes.tolist()]


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("form", ["r.jsonl", "r.csv"])
def test_each_row_gives_the_answer_for_all_rows_so_far(cli, make, tmp_path, form, missing):
    model, rows, path = make(missing=missing)
    done = cli("stream", path, tmp_path / form, "--proba")
    assert done.code == 0
    found = answers(done)
    assert [line["step"] for line in found] == list(range(7))
    for t, line in enumerate(found):
        whole = [rows[: t + 1]]
        assert line["prediction"] == model.predict(whole)[0]
        np.testing.assert_allclose(shares_of(line, model), model.predict_proba(whole)[0], atol=1e-6)
    assert done.err.splitlines()[0].split() == ["rows", "7"]
    assert done.err.splitlines()[1].split() == ["latency", "count", "p50", "p99", "max"]
    assert done.err.splitlines()[2].split()[:2] == ["step", "7"]


@pytest.mark.parametrize("task", ["labeling", "regression", "classification"])
def test_answers_are_those_of_predict(cli, make, tmp_path, task):
    _, _, path = make(task=task)
    streamed = [line["prediction"] for line in answers(cli("stream", path, tmp_path / "r.csv"))]
    done = cli("predict", path, tmp_path / "r.csv", "--layout", "long", "--format", "jsonl")
    predicted = answers(done)[0]["prediction"]
    assert (streamed if task == "labeling" else streamed[-1]) == predicted


def test_columns_are_found_by_name_and_others_left_out(cli, make, tmp_path):
    _, rows, path = make()
    lines = ["time;ay;note;ax", *(f"{i};{y!r};x;{x!r}" for i, (x, y) in enumerate(rows.tolist()))]
    (tmp_path / "turned.csv").write_text("\n".join(lines))
    turned, plain = cli("stream", path, tmp_path / "turned.csv"), cli("stream", path, tmp_path / "r.csv")
    assert turned.out == plain.out
    assert "not read: time, note. All rows are one sequence" in turned.err
    assert "not read" not in plain.err
    objects = [json.dumps({"ay": y, "t": i, "ax": x}) for i, (x, y) in enumerate(rows.tolist())]
    (tmp_path / "objects.jsonl").write_text("\n".join(objects))
    assert cli("stream", path, tmp_path / "objects.jsonl").out == cli("stream", path, tmp_path / "r.csv").out


def test_several_rows_in_a_line_and_a_new_sequence(cli, make, tmp_path):
    model, rows, path = make(task="labeling")
    chunk, last = json.dumps(rows[:3].tolist()), json.dumps({"row": rows[3].tolist()})
    (tmp_path / "c.jsonl").write_text(f'{chunk}\n{last}\n\n{{"reset": true}}\n{last}\n')
    found = answers(cli("stream", path, tmp_path / "c.jsonl"))
    expected = model.predict([rows[:4]])[0].tolist()
    assert found == [
        {"step": 2, "prediction": expected[:3]},
        {"step": 3, "prediction": expected[3]},
        {"step": 0, "prediction": model.predict([rows[3:4]])[0][0]},
    ]


BAD = [
    ("[1, 2", "line 2: it is not JSON: '[1, 2'."),
    ("[1, 2, 3]", "line 2: it has 3 numbers, the network reads 2."),
    ('[1, "x"]', "line 2: 'x' is not a number."),
    ("[1, true]", "line 2: 'True' is not a number."),
    ("[" * 9000, "line 2: it is not JSON: '[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['."),
    ('{"ax": 1}', "line 2: it lacks the channel 'ay'."),
    ('{"row": 7}', "line 2: it has 1 number, the network reads 2."),
    ('"text"', "line 2: it must be a list of 2 numbers; got 'text'."),
    (
        "[1, null]",
        "line 2: stream: step 1 contains NaN in channel 1. Leave the row out, or train with --missing mask.",
    ),
    ("[1, 1e400]", "line 2: stream: step 1 contains infinity in channel 1. Leave the row out."),
    (f"[1, {10**400}]", "line 2: '1000000000000000000000000000000000000000' is not a number."),
    ("[" + "1," * 600_000, "line 2: it is longer than 1048576 bytes."),
]


@pytest.mark.parametrize(("line", "text"), BAD, ids=[text[8:40] for _, text in BAD])
def test_a_bad_line_is_named_and_left_out_or_ends_it(cli, make, tmp_path, line, text):
    model, rows, path = make()
    good = [json.dumps(row) for row in rows[:2].tolist()]
    (tmp_path / "bad.jsonl").write_text("\n".join([good[0], line, good[1]]))
    done = cli("stream", path, tmp_path / "bad.jsonl")
    assert done.code == 0
    assert done.err.splitlines()[0] == f"Skipped {text}"
    assert done.err.splitlines()[2].split() == ["lines", "skipped", "1"]
    assert [a["prediction"] for a in answers(done)] == [model.predict([rows[:n]])[0] for n in (1, 2)]
    strict = cli("stream", path, tmp_path / "bad.jsonl", "--strict")
    assert strict.code == 3
    assert len(answers(strict)) == 1
    assert f"Error: stream: {text}" in strict.err


def test_bad_lines_of_csv(cli, make, tmp_path):
    _, _, path = make()
    (tmp_path / "bad.csv").write_bytes(b"1,2\n1,x\n1\n\xff,2\n\n3,4\n")
    done = cli("stream", path, tmp_path / "bad.csv")
    assert done.err.splitlines()[:3] == [
        "Skipped line 2: 'x' is not a number.",
        "Skipped line 3: it has 1 cell; 2, 'ax', 'ay', are expected.",
        "Skipped line 4: it is not UTF-8.",
    ]
    assert [a["step"] for a in answers(done)] == [0, 1]


@pytest.mark.parametrize(
    ("header", "words", "text"),
    [
        (
            "a,b,c",
            (),
            "stream: the network reads 2 channels (ax, ay), the columns are a, b, c. Name them as in training",
        ),
        ("ax,ay", ("--name", "who"), "stream: --name is the column 'who', the columns are ax, ay."),
        ("1,2", ("--name", "who"), "stream: --name is the column 'who', but the first line is no header."),
    ],
)
def test_headers_that_do_not_fit(cli, make, tmp_path, header, words, text):
    _, _, path = make()
    (tmp_path / "h.csv").write_text(f"{header}\n1,2,3\n")
    done = cli("stream", path, tmp_path / "h.csv", *words)
    assert done.code == 2
    assert text in done.err


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_named_rows_are_streams_of_their_own(cli, make, tmp_path, form):
    model, rows, path = make(steps=8)
    names = ["a", "b", "b", "a", "c", "a", "b", "a"]
    if form == "csv":
        lines = ["who,ax,ay", *(f"{n},{x!r},{y!r}" for n, (x, y) in zip(names, rows.tolist(), strict=True))]
    else:
        lines = [json.dumps({"who": n, "row": row}) for n, row in zip(names, rows.tolist(), strict=True)]
    (tmp_path / "mixed").write_text("\n".join(lines))
    seen = {}
    for name, row, line in zip(
        names, rows, answers(cli("stream", path, tmp_path / "mixed", "--name", "who")), strict=True
    ):
        seen.setdefault(name, []).append(row)
        expected = model.predict([np.array(seen[name])])[0]
        assert line == {"name": name, "step": len(seen[name]) - 1, "prediction": expected}


def test_a_look_ahead_answers_every_row_late(cli, make, tmp_path):
    model, rows, path = make(task="labeling", bidirectional=True)
    refused = cli("stream", path, tmp_path / "r.csv")
    assert refused.code == 2
    assert "stream: this network is bidirectional" in refused.err
    found = answers(cli("stream", path, tmp_path / "r.csv", "--look-ahead", "2", "--proba"))
    assert [line["step"] for line in found] == list(range(7))
    for t, line in enumerate(found):
        first = max(0, t - 2)
        expected = model.predict_proba([rows[first : t + 3]])[0][t - first]
        np.testing.assert_allclose(shares_of(line, model), expected, atol=1e-6)


def test_a_state_goes_on_in_the_next_run(cli, make, tmp_path):
    _, _, path = make()
    whole = cli("stream", path, tmp_path / "r.csv").out
    lines = (tmp_path / "r.jsonl").read_text().splitlines(keepends=True)
    out = ""
    for part in (lines[:3], lines[3:]):
        (tmp_path / "part.jsonl").write_text("".join(part))
        out += cli("stream", path, tmp_path / "part.jsonl", "--state", tmp_path / "state").out
    assert out == whole
    (tmp_path / "state").write_bytes(b"damaged")
    done = cli("stream", path, tmp_path / "part.jsonl", "--state", tmp_path / "state")
    assert done.code == 3
    assert f"{tmp_path / 'state'}: stream state: not a recurra file" in done.err
    assert (tmp_path / "state").read_bytes() == b"damaged"


def test_real_speed(cli, make, tmp_path):
    _, _, path = make(rate=20.0)
    fast = cli("stream", path, tmp_path / "r.csv")
    start = time.perf_counter()
    assert cli("stream", path, tmp_path / "r.csv", "--realtime").out == fast.out
    assert time.perf_counter() - start >= 0.3  # six waits of 50 ms
    assert cli("stream", path, tmp_path / "r.csv", "--realtime", "--sample-rate-hz", "1000").out == fast.out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("-", "--realtime"), "stream: --realtime paces a file; standard input comes at its own pace."),
        (
            ("r.csv", "--realtime"),
            "stream: the network does not know its sample rate; give it with --sample-rate-hz.",
        ),
        (("r.csv", "--proba"), "stream: --proba needs classes; this network predicts numbers."),
        (
            ("r.csv", "--name", "a", "--look-ahead", "1"),
            "stream: --look-ahead answers one stream; leave --name out.",
        ),
    ],
)
def test_wrong_usage(cli, make, tmp_path, words, text):
    _, _, path = make(task="regression")
    done = cli("stream", path, *(tmp_path / word if word == "r.csv" else word for word in words))
    assert done.code == 2
    assert done.err == f"Error: {text}\n"


def test_files_that_are_not_there(cli, make, tmp_path):
    _, _, path = make()
    assert cli("stream", tmp_path / "none", tmp_path / "r.csv").code == 3
    assert cli("stream", path, tmp_path / "absent.csv").code == 1


def started(path, *words):
    command = [sys.executable, "-m", "recurra", "stream", str(path), *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def test_an_answer_comes_before_the_next_row_and_ctrl_c_ends_it(make, tmp_path):
    model, rows, path = make()
    process = started(path, "--state", str(tmp_path / "state"))
    for n in (1, 2, 3):
        process.stdin.write(json.dumps(rows[n - 1].tolist()) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["prediction"] == model.predict([rows[:n]])[0]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    err = process.stderr.read()
    assert "Traceback" not in err
    assert err.splitlines()[0].split() == ["rows", "3"]
    stream = recurra.load_model(path, runtime="light").stream()
    stream.state = (tmp_path / "state").read_bytes()
    assert stream.steps == 3
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_a_closed_pipe_is_silent(make, tmp_path):
    _, _, path = make()
    stream = f"{sys.executable} -m recurra stream {path}; echo code $? >&2"
    command = f"yes '[1, 2]' | head -20000 | ({stream}) | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == "code 0\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("form", ["r.jsonl", "r.csv"])
@pytest.mark.parametrize("last", [True, False])
def test_every_end_of_line(cli, make, tmp_path, end, form, last):
    _, _, path = make()
    text = (tmp_path / form).read_text()
    whole = cli("stream", path, tmp_path / form).out
    ended = text.replace("\n", end)
    (tmp_path / "other").write_bytes((ended if last else ended.removesuffix(end)).encode())
    assert cli("stream", path, tmp_path / "other").out == whole


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_answer_comes_at_the_end_of_its_line_whatever_that_is(make, end):
    model, rows, path = make()
    process = started(path)
    for n in (1, 2, 3):
        process.stdin.write(json.dumps(rows[n - 1].tolist()) + end)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["prediction"] == model.predict([rows[:n]])[0]
    process.stdin.close()
    assert process.wait(10) == 0
    for pipe in (process.stdout, process.stderr):
        pipe.close()


@given(
    text=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"x" * 40]), max_size=30),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
)
def test_lines_are_those_of_the_whole_however_they_come(text, sizes):
    class Source:
        def __init__(self, data):
            self.data, self.sizes = data, itertools.cycle(sizes)

        def read1(self, most):
            size = next(self.sizes)
            out, self.data = self.data[:size], self.data[size:]
            return out

    data = b"".join(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_lines, "MAX_LINE_BYTES", 30)
        found = list(stream_lines.lines_of(Source(data)))
    expected = [None if len(line.rstrip(b"\r\n")) > 30 else line for line in data.splitlines()]
    # a line as long as allowed may be refused for its end; one longer never is taken
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None) or len(other) in (29, 30)
        if one is not None:
            assert one.rstrip(b"\r\n") == other


@pytest.mark.parametrize("cell", ["1" * 200_000, '"' + "1" * 200_000, "1_000", "x" * 300])
def test_long_and_odd_cells_of_csv(cli, make, tmp_path, cell):
    _, _, path = make()
    (tmp_path / "bad.csv").write_text(f"ax,ay\n1,2\n{cell},2\n3,4\n")
    done = cli("stream", path, tmp_path / "bad.csv")
    assert done.code == 0
    assert [a["step"] for a in answers(done)] in ([0, 1], [0, 1, 2])
    if cell == "1_000":
        assert "line 3: '1_000' is not a number." in done.err
    assert max(map(len, done.err.splitlines())) < 300


def test_a_header_of_very_many_columns_is_not_written_out(cli, make, tmp_path):
    _, _, path = make()
    (tmp_path / "wide.csv").write_text(",".join(f"column {i}" for i in range(20_000)) + "\n1,2\n")
    done = cli("stream", path, tmp_path / "wide.csv")
    assert done.code == 2
    assert "column 39, ... (20000 in all)" in done.err
    assert len(done.err) < 1500


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("state", [True, False])
def test_a_service_manager_ends_it_and_the_state_is_kept(make, tmp_path, name, state):
    _, rows, path = make()
    place = tmp_path / "the state"
    process = started(path, "--proba", *(["--state", str(place)] if state else []))
    for row in rows[:3].tolist():
        process.stdin.write(json.dumps(row) + "\n")
        process.stdin.flush()
        process.stdout.readline()
    process.send_signal(getattr(signal, name))
    assert process.wait(10) == (4 if state else 1)
    last = process.stderr.read().splitlines()[-1]
    if state:
        assert last == (
            f"Interrupted: the state after line 3 is kept in {place}. Go on with what follows it: "
            f"recurra stream {path} --proba --state '{place}'"
        )
        stream = recurra.load_model(path, runtime="light").stream()
        stream.state = place.read_bytes()
        assert stream.steps == 3
    else:
        assert last == "Interrupted."
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_after_the_last_answer_cuts_nothing_off(cli, make, tmp_path, monkeypatch, name):
    _, rows, path = make()
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:3].tolist()))
    kinds = [getattr(signal, kind) for kind in ("SIGTERM", "SIGHUP", "SIGINT")]
    before, hook, table = (
        [signal.getsignal(kind) for kind in kinds],
        sys.unraisablehook,
        terminal_output.table,
    )
    monkeypatch.setattr(
        terminal_output, "table", lambda *a, **k: [signal.raise_signal(getattr(signal, name)), table(*a, **k)]
    )
    for kind in kinds[:2]:
        signal.signal(kind, signal.SIG_DFL)
    interrupts.end_on_signals()
    try:
        done = cli("stream", path, tmp_path / "rows.jsonl", "--state", tmp_path / "state")
    finally:
        sys.unraisablehook = hook
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)
    assert done.code == 0
    assert len(answers(done)) == 3
    assert "line in to line out" in done.err
    assert "Interrupted" not in done.err
    assert (tmp_path / "state").exists()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_lines_without_a_header_are_read_as_the_file_whose_first_column_is_the_time(cli, tmp_path, channels):
    rng = np.random.default_rng(channels)
    for number in range(12):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        rows = rng.normal(number % 2, 0.3, (12, channels)).round(3).tolist()
        lines = [",".join(map(str, [step * 0.5, *row])) for step, row in enumerate(rows)]
        (folder / f"{number + 20}.csv").write_text("\n".join(lines) + "\n")
    run = tmp_path / "run"
    words = ("--pooling", "last", "--max-epochs", 1, "--hidden-size", 4, "-q")
    assert cli("train", tmp_path / "data", "-o", run, *words).code == 0
    model = recurra.load_model(run / "model.recurra")
    file = tmp_path / "data" / "a" / "20.csv"
    (values,) = (one.values for one in recurra.load(tmp_path / "data") if (one.name or "").endswith("20.csv"))
    assert values.shape == (12, channels)
    expected = [model.predict_proba([values[: step + 1]])[0] for step in range(12)]
    alone = tmp_path / "alone.csv"
    alone.write_text("".join(",".join(map(str, row)) + "\n" for row in values.tolist()))
    for given_as in (file, alone):
        found = answers(cli("stream", run, given_as, "--proba"))
        shares = [[line["probabilities"][name] for name in "ab"] for line in found]
        np.testing.assert_allclose(shares, expected, atol=1e-6)
    wider = tmp_path / "wider.csv"
    wider.write_text("0.5," * channels + "1,2\n1,2\n")
    assert "cells" in cli("stream", run, wider).err  # two more cells than channels: not as in training
