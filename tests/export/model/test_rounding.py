"""Weights of eight bits: how near they come, what answers with them, and what is refused."""

import numpy as np
import pytest

import recurra
from export_models import exportable_model
from models import random_model, recording_for
from recurra.errors import UsageError
from recurra.export.c.write import write_c
from recurra.export.model.rounding import in_int8, rounded


@pytest.mark.parametrize("seed", range(20))
def test_every_number_is_within_half_a_step_of_its_row(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    weight = (rng.normal(size=shape) * 10 ** rng.uniform(-6, 3)).astype(np.float32)
    weight[rng.integers(shape[0])] = 0
    whole, factors = rounded(weight)
    assert whole.dtype == np.int8
    assert np.abs(whole).max() <= 127
    away = np.abs(whole.astype(np.float64) * factors[:, None] - weight)
    assert (away <= 0.501 * factors[:, None]).all()
    again, _ = rounded(whole.astype(np.float32) * factors[:, None])
    np.testing.assert_array_equal(again, whole)  # rounding what is rounded changes nothing


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_only_recurrence_and_head_change_and_answers_little(cell):
    rng = np.random.default_rng(0)
    model = random_model(rng, task="classification", cell=cell, pooling="attention", hidden_size=30)
    other = in_int8(model)
    changed = {n for n in model.weights if not np.array_equal(model.weights[n], other.weights[n])}
    assert changed == {n for n in model.weights if n.startswith("recurrent.weight") or n == "head.weight"}
    X = [recording_for(rng, model, 20) for _ in range(5)]
    away = np.abs(other.predict_proba(X) - model.predict_proba(X)).max()
    assert 0 < away < 0.02


def test_members_are_rounded_each():
    model = exportable_model(np.random.default_rng(12), "members")
    while model.manifest["network"]["cell"] not in ("lstm", "gru"):
        model = exportable_model(np.random.default_rng(np.random.default_rng(3).integers(99)), "members")
    other = in_int8(model)
    assert not np.array_equal(
        model.weights["1.recurrent.weight_hh_l0"], other.weights["1.recurrent.weight_hh_l0"]
    )


def test_the_light_runtime_answers_with_them(tmp_path):
    rng = np.random.default_rng(1)
    model = random_model(rng, task="regression", cell="lstm")
    model.save(tmp_path / "m.recurra")
    X = [recording_for(rng, model, 9) for _ in range(3)]
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light", weights="int8")
    np.testing.assert_array_equal(light.predict(X), in_int8(model).predict(X))
    with pytest.raises(UsageError, match="weights='int8' needs runtime='light'"):
        recurra.load_model(tmp_path / "m.recurra", weights="int8")
    with pytest.raises(UsageError, match="weights"):
        recurra.load_model(tmp_path / "m.recurra", runtime="light", weights="int4")


def test_what_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    with pytest.raises(UsageError, match="weights of eight bits are for cell='lstm' and cell='gru'"):
        write_c(random_model(rng, cell="rnn"), tmp_path / "net", int8=True)
    with pytest.raises(UsageError, match="leave weights_file=True out"):
        write_c(random_model(rng, cell="gru"), tmp_path / "net", int8=True, weights_file=True)
    assert not list(tmp_path.iterdir())
