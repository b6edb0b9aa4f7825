"""``recurra import``: what is told of a network from elsewhere, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest

import recurra

pytest.importorskip("h5py")
FOLDER = Path(__file__).parent.parent / "data" / "keras"


def test_an_estimator_is_written(cli, tmp_path):
    out = tmp_path / "m.recurra"
    done = cli("import", FOLDER / "lstm.keras", "-o", out, "--classes", "a, b,c")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"{FOLDER / 'lstm.keras'}: SequenceClassifier, 218 weights"
    assert lines[1] == "  recurrent: LSTM, 3 channels, 5 units"
    assert lines[-1] == f"recurra export {out} -o {tmp_path / 'm.onnx'}"
    answers = np.load(FOLDER / "answers.npz")
    model = recurra.load_model(out)
    assert np.abs(model.predict_proba(list(answers["lstm.x"])) - answers["lstm.y"]).max() <= 1e-6
    assert model.classes_.tolist() == ["a", "b", "c"]


def test_a_module_is_told(cli, tmp_path):
    done = cli("import", FOLDER / "merged.keras", "--json", "-o", tmp_path / "w.safetensors")
    facts = json.loads(done.out)
    assert facts["became"] == "ImportedNetwork"
    assert facts["layers"] == "stages.bidirectional_3.layer: GRU, 3 channels, 4 units, both directions"
    assert len(recurra.import_weights(tmp_path / "w.safetensors").state_dict()) == 8


def test_the_script_for_matlab(cli, tmp_path):
    done = cli("import", "--matlab-script", tmp_path)
    assert done.code == 0
    assert (tmp_path / "recurra_layers.m").read_text().startswith("function recurra_layers(net, file)")


def test_what_cannot_be_taken(cli, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    done = cli("import", tmp_path / "x.onnx")
    assert (done.code, done.out) == (3, "")
    assert "cannot be read as ONNX" in done.err
    assert cli("import").code == 2
