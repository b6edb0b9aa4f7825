"""Manifests are read whole by their description; files written before load, and are written again as they were."""

import gzip
from pathlib import Path

import pytest

import recurra
from recurra import store
from recurra.errors import StoreError
from recurra.serving.models.manifest_check import TASK_OF, check
from recurra.serving.models.manifest_options import check_options
from recurra.serving.models.manifest_parts import SequenceNetwork
from recurra.serving.schema import read

FILES = sorted((Path(__file__).parent / "files").iterdir())


def manifest_of(name):
    return store.load(Path(__file__).parent / "files" / f"{name}.recurra")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_written_before_load_and_are_saved_as_the_same_but_for_what_they_need(path, tmp_path):
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    (tmp_path / "old.recurra").write_bytes(data)
    recurra.load_model(tmp_path / "old.recurra").save(tmp_path / "new.recurra")
    manifest, arrays = store.load(tmp_path / "new.recurra")
    assert "needs" in manifest
    del manifest["needs"]
    assert store.dumps(manifest, arrays) == data


def test_there_is_a_file_of_every_estimator():
    found = {
        store.loads(gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes())[0]["estimator"]
        for p in FILES
    }
    assert found == set(TASK_OF)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "classifier",
            lambda m: m["network"].update(hidden_size=True),
            "network.hidden_size must be a whole number of at least 1; got True.",
        ),
        (
            "classifier",
            lambda m: m["network"].update(dropout=1.5),
            "network.dropout must be a finite number in [0, 1]; got 1.5.",
        ),
        (
            "classifier",
            lambda m: m["features"]["steps"][0].update(kind=[]),
            "features.steps[0].kind [] is unknown to this version. Update recurra.",
        ),
        (
            "classifier",
            lambda m: m["features"]["steps"].append({"name": "smell"}),
            "features.steps[1] 'smell' is unknown to this version. Update recurra.",
        ),
        (
            "classifier",
            lambda m: m["target"].update(dtype="<U99999999"),
            "target: the classes must be of the type '<U99999999'. Use a backup.",
        ),
        (
            "classifier",
            lambda m: m["target"]["classes"].append("c"),
            "the network has 2 outputs, the target needs 3. Use a backup.",
        ),
        (
            "classifier",
            lambda m: m["target"].update(classes=["a", "a"]),
            "target: a class stands there twice. Use a backup.",
        ),
        (
            "classifier",
            lambda m: m["training"].update(history={}),
            "training.history must be a list; got {}.",
        ),
        (
            "classifier",
            lambda m: m["input"].update(n_features_in=-1),
            "input.n_features_in must be a whole number of at least 1; got -1.",
        ),
        (
            "classifier",
            lambda m: m.update(estimator="Translator"),
            "Translator writes no models of the task 'classification'. Use a backup.",
        ),
        (
            "labeler",
            lambda m: m["network"].update(pooling="last"),
            "network.pooling 'last' does not fit the task 'labeling'. Use a backup.",
        ),
        (
            "classifier_windows",
            lambda m: m["features"]["steps"][0].update(window=2**31),
            "features.steps[0].window must be a whole number of at most 4,194,304; got 2147483648.",
        ),
        (
            "regressor",
            lambda m: m["target"].update(spread=[float("inf")]),
            "target.spread[0] must be a finite number of at least 0; got inf.",
        ),
        (
            "forecaster",
            lambda m: m["network"].update(horizon=2**31),
            "network.horizon must be a whole number of at most 100,000; got 2147483648.",
        ),
        ("forecaster", lambda m: m.update(states=None), "states must be a list; got None."),
        (
            "anomaly_planted",
            lambda m: m.update(reach=2**31),
            "reach must be a whole number of at most 100,000; got 2147483648.",
        ),
        (
            "translator",
            lambda m: m["params"].update(beam_size=2**31),
            "params.beam_size must be a whole number of at most 10,000; got 2147483648.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, change, message):
    manifest = manifest_of(name)
    check(manifest)
    change(manifest)
    with pytest.raises(StoreError) as caught:
        check(manifest)
    assert str(caught.value) == message


def test_keys_of_a_later_version_are_left_alone():
    manifest = manifest_of("classifier") | {"colour": ["red"]}
    manifest["network"]["smell"] = {}
    assert check(manifest).network.hidden_size == 4


def test_what_is_read_is_typed_and_cannot_be_changed():
    network = read(SequenceNetwork, manifest_of("classifier")["network"], "network")
    assert (network.cell, network.front, network.crf) == ("lstm", None, False)
    with pytest.raises(AttributeError, match="hidden_size cannot be changed"):
        network.hidden_size = 5


def test_a_model_that_could_not_be_loaded_is_not_saved(tmp_path):
    path = tmp_path / "model.recurra"
    model = recurra.load_model(Path(__file__).parent / "files" / "classifier.recurra").model_
    model.manifest["training"]["best_epoch"] = "first"
    with pytest.raises(StoreError, match="best_epoch must be a whole number of at least 0; got 'first'"):
        model.save(path)
    assert not path.exists()


def test_options_out_of_their_range_are_refused():
    manifest = manifest_of("classifier")
    manifest["params"]["max_epochs"] = -1
    with pytest.raises(StoreError) as caught:
        check_options("m.recurra", manifest)
    assert str(caught.value) == "m.recurra: params.max_epochs must be a whole number of at least 1; got -1."
