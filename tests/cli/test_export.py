"""``recurra export``: the file, what is said of it, and what is refused."""

import json
import shlex
import shutil
import subprocess

import numpy as np
import pytest

from cli.waves import TINY
from recurra.export.onnx_file import Runner, padded
from recurra.runs.predict import predict


def test_a_run_is_written_and_checked_on_its_test_part(cli, trained, forms, tmp_path):
    run = trained("folder")
    done = cli("export", run.path, "-o", tmp_path / "m.onnx")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith(f"{tmp_path / 'm.onnx'}: ")
    assert "x (batch, time, 2), lengths (batch)" in lines[1]
    assert "Checked: onnxruntime gives recurra's answers on" in lines[3]
    assert "sequences of the run of 1 to" in lines[3]
    assert lines[-1] == f"recurra predict {run.path} {forms / 'old'}"
    assert not done.err
    both = cli("export", run.path, "-o", tmp_path / "m.onnx", "--step")
    assert "onnxruntime, step by step, gives recurra's answers on 3 sequences of the run" in both.out
    assert (tmp_path / "m-step.onnx").exists()
    file = next((forms / "new" / "a").glob("*.csv"))
    rows = predict(run.path, file)
    values = np.loadtxt(file, delimiter=",", skiprows=1).astype(np.float32)
    found = Runner((tmp_path / "m.onnx").read_bytes())(**padded([values]))
    assert "abc"[int(found["label"][0])] == rows[0]["prediction"]


def test_as_json_on_other_data(cli, trained, forms, tmp_path):
    out = tmp_path / "m.onnx"
    done = cli("export", trained("ts").path, "-o", out, "--data", forms / "new.ts", "--opset", "14", "--json")
    facts = json.loads(done.out)
    assert facts["output"] == str(out)
    assert facts["bytes"] == out.stat().st_size
    assert facts["difference"] <= 1e-5


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_with_what_it_costs(cli, trained, tmp_path):
    run = trained("folder").path
    done = cli("export", run, "--to", "c", "-o", tmp_path / "waves", "--weights-file")
    assert done.code == 0, done.err
    assert (
        done.out.splitlines()[0]
        == f"{tmp_path / 'waves'}: waves.h, waves.c, test_vectors.h, test_waves.c, README.md, waves.bin"
    )
    assert "RAM of a sequence" in done.out
    assert "the program compiled by cc gives recurra's answers on 6 sequences of the run of" in done.out
    program = tmp_path / "waves" / "test_waves"
    subprocess.run(shlex.split(done.out.splitlines()[-1]), check=True)  # the next command, as it stands there
    assert subprocess.run([program], cwd=tmp_path / "waves", check=False).returncode == 0
    facts = json.loads(
        cli("export", run, "--to", "c", "-o", tmp_path / "b", "--name", "Other Name", "--json").out
    )
    assert facts["name"] == "other_name"
    assert facts["multiplications"] > 0
    assert facts["difference"] <= 1e-5


def test_int8_tells_what_it_costs(cli, trained, tmp_path):
    run = trained("folder").path
    done = cli("export", run, "--to", "c", "-o", tmp_path / "small", "--int8")
    assert done.code == 0, done.err
    kept = json.loads((tmp_path / "small" / "int8.json").read_text())
    assert kept["flash_bytes"]["int8"] < kept["flash_bytes"]["float"]
    assert abs(kept["accuracy"]["int8"] - kept["accuracy"]["float"]) <= 0.5
    assert any(line.split()[:1] == ["accuracy"] for line in done.out.splitlines())
    facts = json.loads(cli("export", run, "--to", "c", "-o", tmp_path / "s", "--int8", "--json").out)
    assert facts["accuracy.int8"] == kept["accuracy"]["int8"]


def test_a_model_file_alone_is_checked_on_random_sequences(cli, trained, tmp_path):
    done = cli("export", trained("folder").path / "model.recurra", "-o", tmp_path / "m.onnx")
    assert done.code == 0
    assert "A model file alone keeps no data: checked on random sequences. Name some with --data." in done.err
    assert "drawn at random" in done.out


def test_what_is_refused(cli, trained, tmp_path):
    run = trained("folder").path
    for words, said in (
        (["-o", tmp_path], "a name such as model.onnx"),
        (["-o", tmp_path / "m", "--to", "c", "--opset", "17"], "opset is for --to onnx; leave it out"),
        (["-o", tmp_path / "m.onnx", "--longest", "17"], "longest is for --to c; leave it out"),
        (["-o", tmp_path / "m.onnx", "--opset", "9"], "opset must be a whole number in [14, 22]; got 9"),
    ):
        done = cli("export", run, *words)
        assert done.code == 2, words
        assert said in done.err
    assert cli("export", tmp_path / "none", "-o", tmp_path / "m.onnx").code == 3
    assert not list(tmp_path.iterdir())


def test_a_forecaster_becomes_a_graph_and_no_c_whatever_became_of_its_data(cli, tmp_path):
    wave = tmp_path / "wave.csv"
    rows = [f"2024-01-01 00:{i // 60:02}:{i % 60:02},{np.sin(i / 3):.4f}" for i in range(120)]
    wave.write_text("\n".join(["time,value", *rows]) + "\n")
    run = tmp_path / "run"
    small = ["--hidden-size", TINY["hidden_size"], "--max-epochs", "1", "-q", "--horizon", "4"]
    assert cli("train", wave, "-o", run, "--task", "forecast", *small).code == 0
    wave.unlink()
    done = cli("export", run, "-o", tmp_path / "m.onnx")
    assert done.code == 0
    assert "outputs: value (batch, 4, 1)" in done.out
    done = cli("export", run, "--to", "c", "-o", tmp_path / "net")
    assert done.code == 2
    assert "the season and the calendar of a whole series" in done.err
