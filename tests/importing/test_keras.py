"""Networks made by keras (tools/make_keras_files.py): the same answers, as modules and as estimators; what is refused."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

import recurra
from recurra.errors import DataError, UsageError
from recurra.importing.containers import parsed

pytest.importorskip("h5py")
FOLDER = Path(__file__).parent.parent / "data" / "keras"
ANSWERS = np.load(FOLDER / "answers.npz")
FILES = sorted(p.name for p in FOLDER.iterdir() if p.suffix in (".keras", ".h5"))
SAME = {"cudnn_lstm": "lstm", "cudnn_gru": "gru_after"}
ESTIMATORS = {
    "lstm": "SequenceClassifier", "lstm_without_bias": "SequenceRegressor", "gru_after": "SequenceClassifier",
    "simple_rnn": "SequenceRegressor", "stacked": "SequenceClassifier", "labels": "SequenceLabeler",
}  # fmt: skip


def answer(file):
    name = SAME.get(Path(file).stem, Path(file).stem)
    return name, ANSWERS[f"{name}.x"], ANSWERS[f"{name}.y"]


@pytest.mark.parametrize("file", FILES)
def test_a_module_answers_as_keras(file):
    name, x, y = answer(file)
    network = recurra.import_weights(FOLDER / file, to="module")
    with torch.no_grad():
        found = network(torch.as_tensor(x)).numpy()
    assert np.abs(found - y).max() <= 1e-6
    kinds = [type(stage).__name__ for stage in network.stages]
    if name == "stacked":  # both normalizations went into the layers behind them
        assert kinds == ["Masked", "Recurrence", "Recurrence", "Linear", "Softmax"]


@pytest.mark.parametrize("file", FILES)
def test_an_estimator_answers_as_keras(file, tmp_path):
    name, x, y = answer(file)
    found = recurra.import_weights(FOLDER / file)
    assert type(found).__name__ == ESTIMATORS.get(name, "ImportedNetwork")
    if name not in ESTIMATORS:
        with pytest.raises(UsageError, match="is none that an estimator of recurra's knows, since"):
            recurra.import_weights(FOLDER / file, to="estimator")
        return
    found.save(tmp_path / "m.recurra")
    found = recurra.load_model(tmp_path / "m.recurra")
    sequences = [rows[(rows != -1).any(axis=1)] for rows in x] if name == "stacked" else list(x)
    own = found.predict_proba(sequences) if hasattr(found, "classes_") else found.predict(sequences)
    if name == "gru_after":
        y = np.hstack([1 - y, y])
    assert np.abs(np.stack(list(own)).reshape(y.shape) - y).max() <= 1e-6


def test_lengths_are_those_of_the_mask():
    _, x, y = answer("stacked.keras")
    network = recurra.import_weights(FOLDER / "stacked.keras", to="module")
    lengths = (x != -1).any(axis=2).sum(axis=1)
    rubbish = np.where(x == -1, 1e9, x).astype(np.float32)
    with torch.no_grad():
        assert np.abs(network(torch.as_tensor(rubbish), lengths).numpy() - y).max() <= 1e-6
    x[0, 2] = -1
    with pytest.raises(DataError, match="put them at the end"):
        network(torch.as_tensor(x))


def test_classes_are_named():
    found = recurra.import_weights(FOLDER / "lstm.keras", classes=["a", "b", "c"])
    assert set(found.predict(list(ANSWERS["lstm.x"]))) <= {"a", "b", "c"}
    with pytest.raises(UsageError, match="has 3 classes; classes= gives 2"):
        recurra.import_weights(FOLDER / "lstm.keras", classes=["a", "b"])


def changed(file, change):
    """Return the bytes of a .keras file whose description was changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(FOLDER / file) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
    return out.getvalue()


def layer(number, **own):
    def change(config):
        config["config"]["layers"][number]["config"].update(own)

    return change


def lambda_layer(config):
    config["config"]["layers"][2].update(class_name="Lambda", registered_name=None)


def registered(config):
    config["config"]["layers"][2]["registered_name"] = "mine>Own"


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (
            "lstm.keras",
            layer(1, recurrent_activation="relu"),
            "(LSTM) cannot be taken: its recurrent_activation is relu",
        ),
        (
            "lstm.keras",
            layer(1, activation="relu"),
            "layer 'lstm' (LSTM) cannot be taken: its activation is relu",
        ),
        ("lstm.keras", layer(1, go_backwards=True), "it reads backwards alone"),
        ("lstm.keras", layer(1, use_bias=False), "the file holds 3 arrays of weights for it, not 2"),
        ("lstm.keras", layer(1, return_sequences=3), "return_sequences must be true or false"),
        ("lstm.keras", lambda_layer, "(Lambda) cannot be taken"),
        ("lstm.keras", registered, "is code of its author (mine>Own), which is never run"),
        ("lstm.keras", layer(2, activation="exec"), "its activation 'exec' is not one that is taken"),
        ("lstm.keras", lambda config: config.update(class_name="Thing"), "describes a 'Thing'"),
    ],
)
def test_what_cannot_be_taken_is_named(tmp_path, file, change, message):
    path = tmp_path / "other.keras"
    path.write_bytes(changed(file, change))
    with pytest.raises(DataError) as caught:
        recurra.import_weights(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_branches_are_refused(tmp_path):
    def skip(config):
        def rename(node):
            if isinstance(node, dict):
                if node.get("keras_history", [None])[0] == "conv1d":
                    node["keras_history"][0] = "input_layer"
                for value in node.values():
                    rename(value)
            elif isinstance(node, list):
                for value in node:
                    rename(value)

        rename(config["config"]["layers"][2])

    path = tmp_path / "x.keras"
    path.write_bytes(changed("functional.keras", skip))
    with pytest.raises(DataError, match="networks with branches are not taken"):
        recurra.import_weights(path)


def test_a_description_of_any_size_is_not_parsed(tmp_path):
    with pytest.raises(DataError, match="at most 4,194,304 are read"):
        parsed(tmp_path, b"[" * (5 << 20), "it")
    with pytest.raises(DataError, match="is no JSON"):
        parsed(tmp_path, b"[" * 100_000, "it")


def test_weights_alone_are_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["dense/kernel"] = np.ones((2, 2))
    with pytest.raises(
        DataError, match=r"without the description of the network; save the whole with model.save"
    ):
        recurra.import_weights(tmp_path / "w.h5")
