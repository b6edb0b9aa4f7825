"""The model file: what comes back, and what is said of a file that cannot be right."""

import json
import subprocess
import sys

import numpy as np
import pytest

from recurra import store
from recurra.errors import DataError, ShapeError, StoreError
from recurra.features.chain import Chain
from recurra.serving.inputs import Inputs
from recurra.serving.models.fitted_model import FittedModel, classes_from_manifest, classes_to_manifest
from recurra.serving.prediction import expected_shapes

NETWORK = {
    "cell": "gru",
    "input_size": 2,
    "hidden_size": 3,
    "output_size": 2,
    "num_layers": 1,
    "bidirectional": True,
    "pooling": "attention",
    "dropout": 0.0,
}
RNG = np.random.default_rng(0)
SEQUENCES = [RNG.normal(2, 3, size=(n, 2)) for n in (3, 1, 5)]


@pytest.fixture
def model():
    manifest = {
        "estimator": "SequenceClassifier",
        "params": {"missing": "error"},
        "task": "classification",
        "network": NETWORK,
        "target": classes_to_manifest(np.array(["no", "yes"])),
        "input": {"n_features_in": None, "feature_names_in": None},
        "training": {"history": [], "best_epoch": 0},
        "seed": 0,
    }
    rng = np.random.default_rng(1)
    weights = {
        name: rng.normal(size=shape).astype(np.float32) for name, shape in expected_shapes(NETWORK).items()
    }
    return FittedModel(manifest, Chain.fit(SEQUENCES, scaling="zscore", missing="error"), weights)


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "m.recurra")
    return tmp_path / "m.recurra"


def test_same_answers_after_loading_bit_for_bit(model, path):
    again = FittedModel.load(path)
    np.testing.assert_array_equal(again.predict_proba(SEQUENCES), model.predict_proba(SEQUENCES))
    assert again.predict(SEQUENCES).tolist() == model.predict(SEQUENCES).tolist()


@pytest.mark.parametrize("classes", [["a", "b"], [3, 1], [True, False], [0.5, 1.5]])
def test_classes_keep_their_type(classes):
    array = np.array(classes)
    again = classes_from_manifest(json.loads(json.dumps(classes_to_manifest(array))))
    assert again.dtype == array.dtype
    assert again.tolist() == classes


def test_labels_of_an_object_array_stay_objects():
    array = np.array(["a", "b"], dtype=object)
    assert classes_from_manifest(classes_to_manifest(array)).dtype == object


def changed(path, change):
    manifest, arrays = store.load(path)
    change(manifest, arrays)
    store.save(path, manifest, arrays)
    with pytest.raises(StoreError) as caught:
        FittedModel.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_missing_weight(path):
    assert "the weight 'head.bias' is missing" in changed(path, lambda m, a: a.pop("network.head.bias"))


def test_wrong_shape(path):
    text = changed(path, lambda m, a: a.update({"network.head.bias": np.zeros(7, np.float32)}))
    assert "the weight 'head.bias' must be float32 of shape (2,); got float32 of (7,)" in text


def test_weight_that_does_not_belong(path):
    text = changed(path, lambda m, a: a.update({"network.extra": np.zeros(7, np.float32)}))
    assert "the weight 'extra' does not belong to this network" in text


def test_newer_schema(path):
    text = changed(path, lambda m, a: m.update(schema=2, recurra="9.9"))
    assert "was written by recurra 9.9 as model schema 2; this version reads 1. Update recurra." in text


def test_checkpoint_is_no_model(path):
    assert "holds a checkpoint, not a model" in changed(path, lambda m, a: m.update(kind="checkpoint"))


def test_unknown_task(path):
    assert "the task 'divination' is unknown" in changed(path, lambda m, a: m.update(task="divination"))


@pytest.mark.parametrize("key", ["task", "network", "features"])
def test_manifest_without_a_key(path, key):
    assert "incomplete or makes no sense" in changed(path, lambda m, a: m.pop(key))


@pytest.mark.parametrize(
    ("word", "value", "complaint"),
    [
        ("hidden_size", "x", "hidden_size must be a whole number of at least 1; got 'x'"),
        ("output_size", 0, "output_size must be a whole number of at least 1; got 0"),
        ("num_layers", 10**12, "claims 1000000000000 layers, the file holds"),
        ("cell", "lstm4", "network.cell 'lstm4' is unknown to this version"),
    ],
)
def test_network_that_makes_no_sense(path, word, value, complaint):
    assert complaint in changed(path, lambda m, a: m.update(network={**NETWORK, word: value}))


def test_other_channels_are_named(model):
    with pytest.raises(ShapeError, match="the fitted network expects 2 channels, but sequence 1 has 3"):
        model.predict([SEQUENCES[0], np.zeros((4, 3))])


def test_missing_value_is_placed(model):
    bad = SEQUENCES[0].copy()
    bad[1, 0] = np.nan
    with pytest.raises(
        DataError, match=r"sequence 0 \('f.csv'\) contains NaN at step 1, channel 0 .* train anew"
    ):
        model.predict(Inputs([bad], ["f.csv"]))


def test_number_too_large_for_float32_is_named(model):
    with pytest.raises(DataError, match="X as 32-bit numbers: sequence 0 contains infinity at step 0"):
        model.predict([np.full((2, 2), 1e60)])


def test_loading_and_predicting_imports_neither_torch_nor_scikit_learn(path):
    code = f"""
import sys, numpy as np
from recurra.serving.models.fitted_model import FittedModel
print(FittedModel.load({str(path)!r}).predict([np.zeros((3, 2))])[0])
assert not {{"torch", "sklearn", "scipy"}} & set(sys.modules), sorted(sys.modules)
"""
    assert subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout in ("no\n", "yes\n")
