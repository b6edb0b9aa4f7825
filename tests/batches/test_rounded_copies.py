"""Copies of training data with fewer digits are told from new data, and what comes again by nature is not called known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra import store
from recurra.batches import rounded_copies
from recurra.batches.training_digests import TrainedOn
from recurra.errors import StoreError

SMALL = {"hidden_size": 3, "max_epochs": 1, "verbose": 0, "seed": 3}
FORMATS = ("%.6f", "%.4f", "%.2f", "%.1f", "%.7g", "%.5g", "%.4g", "%.3g")


def written(values, form):
    """Return values as they come back from text: what pandas writes and C's printf rounds."""
    return np.array([[float(form % v) for v in row] for row in values]).reshape(values.shape)


def walk(rng, n):
    return rng.normal(size=(n, 2)).cumsum(axis=0)


def white(rng, n):
    return rng.normal(size=(n, 2)) * [1, 40] + [3, -200]


def daily(rng, n):
    return 20 + 9 * np.sin(np.arange(n) * 2 * np.pi / 24)[:, None] + rng.normal(size=(n, 2))


def showers(rng, n):
    return np.where(rng.random((n, 1)) < 0.8, 0.0, rng.gamma(1, 4, (n, 1)))


MAKES = (walk, white, daily, showers)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("make", MAKES)
def test_sequences(make, form):
    rng = np.random.default_rng(0)
    old, new = ([make(rng, n) for n in rng.integers(12, 60, 80)] for _ in range(2))
    known = TrainedOn.of_values(old)
    found = known.overlap([written(own, form) for own in [*old[:50], *new]])
    assert 48 <= found.known <= 50
    assert found.rounded >= 45  # a few hold nothing but zeros, or few values that change
    for fresh in (new, [written(own, form) for own in new]):
        assert known.overlap(fresh).known == 0


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("make", MAKES)
def test_steps_of_series_wherever_they_are_cut(make, form):
    rng = np.random.default_rng(1)
    old, new = make(rng, 2000), make(rng, 2000)
    known = TrainedOn.of_values([old[:1600], new[:300]], series=True)
    copy, fresh = written(old[77:], form), written(new[300:], form)
    assert 0.9 * 1523 <= known.overlap([copy], things="steps").known <= 1523
    assert known.overlap([copy[1523:], fresh], things="steps").known == 0
    assert known.overlap([np.concatenate([fresh, copy])], things="steps").known >= 0.85 * 1523


@pytest.mark.parametrize(
    "again",
    [
        lambda rng, n: np.full((n, 1), rng.choice([1.234567, 2.345678])),
        lambda rng, n: np.sin(np.arange(n) * 2 * np.pi / 24)[:, None] + 0.001 * rng.normal(size=(n, 1)),
        lambda rng, n: np.sin(np.arange(n) / 4)[:, None] + 0.01 * rng.normal(size=(n, 1)),
        lambda rng, n: 0.01 * np.arange(n)[:, None] + 0.001 * rng.normal(size=(n, 1)),
        lambda rng, n: (
            np.maximum(0, np.sin(np.arange(n) * np.pi / 12))[:, None] * (5 + 0.05 * rng.normal(size=(n, 1)))
        ),
        lambda rng, n: (
            3 + 0.1 * rng.normal() + 0.01 * np.arange(n)[:, None] + 0.001 * rng.normal(size=(n, 1))
        ),
        lambda rng, n: rng.integers(0, 2, (n, 1)) + 1e-3 * rng.normal(size=(n, 1)),
    ],
)
@pytest.mark.parametrize("form", ["%.5f", "%.3f", "%.2f", "%.1f", "%.4g", "%.2g"])
def test_what_comes_again_by_nature_is_not_known(again, form):
    rng = np.random.default_rng(2)
    known = TrainedOn.of_values([again(rng, n) for n in rng.integers(24, 27, 80)])
    fresh = [written(again(rng, n), form) for n in rng.integers(24, 27, 80)]
    assert known.overlap(fresh).known == 0
    series = TrainedOn.of_values([again(rng, 3000)], series=True)
    assert series.overlap([written(again(rng, 3000)[11:], form)], things="steps").known == 0


def test_values_at_the_borders_of_rounding():
    """Half of the values lie between two rounded ones, and float32 and float64 round them to different sides."""
    rng = np.random.default_rng(3)
    old = [np.round(rng.normal(size=(30, 2)), 2) + 0.005 for _ in range(60)]
    up = [np.floor(own * 100 + 0.5) / 100 for own in old]
    down = [np.ceil(own * 100 - 0.5) / 100 for own in old]
    known = TrainedOn.of_values(old)
    for copies in (
        up,
        down,
        [np.round(own.astype(np.float32), 2) for own in old],
    ):  # all halfway: the worst case
        assert known.overlap(copies).known >= 50


def test_rough_data_of_the_same_instrument_are_no_copies():
    """Where training data have no more digits themselves, nothing was rounded, and one unit is a difference."""
    rng = np.random.default_rng(4)
    old = [np.round(30 * rng.normal(size=(40, 1))) for _ in range(60)]
    near = [own + rng.integers(-1, 2, own.shape) * (rng.random(own.shape) < 0.2) for own in old]
    near = [own for own, before in zip(near, old, strict=True) if (own != before).any()]
    assert len(near) >= 50
    assert TrainedOn.of_values(old).overlap(near).rounded == 0
    finer = [own + rng.uniform(-0.5, 0.5, own.shape) for own in old]
    assert TrainedOn.of_values(finer).overlap(old).rounded == 60


def test_missing_values_lie_where_they_lay():
    rng = np.random.default_rng(5)
    old = [white(rng, 40) for _ in range(40)]
    for own in old:
        own[rng.integers(0, 40, 5), 0] = np.nan
    assert TrainedOn.of_values(old).overlap([np.round(own, 3) for own in old]).known == 40


def test_portions_of_a_long_series_tell_the_same(monkeypatch):
    rng = np.random.default_rng(6)
    own = walk(rng, 1500)
    known = TrainedOn.of_values([own], series=True)
    whole = known.sketch.known([np.round(own[9:], 3)])[0]
    monkeypatch.setattr(rounded_copies, "_LOOKED_AT", 100)
    np.testing.assert_array_equal(known.sketch.known([np.round(own[9:], 3)])[0], whole)


def test_thinned_pieces_of_many_tell_the_same(monkeypatch):
    monkeypatch.setattr(rounded_copies, "_MOST", 12)
    rng = np.random.default_rng(7)
    own = walk(rng, 1500)
    known = TrainedOn.of_values([own], series=True)
    assert known.sketch.every == 4
    assert len(known.sketch.sums) <= 12
    assert known.overlap([np.round(own[9:], 3)], things="steps").known >= 1250


def test_files_with_and_without(tmp_path):
    rng = np.random.default_rng(8)
    old = [white(rng, 30) for _ in range(20)]
    known = TrainedOn.of_values(old)
    known.save(tmp_path / "new")
    dataclasses.replace(known, sketch=None).save(tmp_path / "old")
    copies = [np.round(own, 3) for own in old]
    assert TrainedOn.load(tmp_path / "new").overlap(copies).known == 20
    assert TrainedOn.load(tmp_path / "old").overlap(copies).known == 0
    assert TrainedOn.load(tmp_path / "old").overlap(old).known == 20
    facts, arrays = store.load(tmp_path / "new")
    for broken in (
        {**arrays, "sums": arrays["sums"][:, 1:]},
        {**arrays, "sums": arrays["sums"] * np.float32("nan")},
        {**arrays, "channels": arrays["channels"][:3]},
        {**arrays, "channels": -arrays["channels"]},
        {name: own for name, own in arrays.items() if name != "channels"},
    ):
        store.save(tmp_path / "broken", facts, broken)
        with pytest.raises(StoreError, match="is damaged: it must hold digests of training data"):
            TrainedOn.load(tmp_path / "broken")
    for words in ({"block": 7, "every": 1}, {"block": 0, "every": 0}, {"block": 0}, 3):
        store.save(tmp_path / "broken", {**facts, "sketch": words}, arrays)
        with pytest.raises(StoreError, match="is damaged"):
            TrainedOn.load(tmp_path / "broken")


@pytest.mark.usefixtures("no_charts")
def test_a_table_saved_again(tmp_path):
    """What `recurra eval` says first of the training table with fewer digits, of sequences and of a series."""
    rng = np.random.default_rng(9)
    rows = [
        pd.DataFrame({"id": f"s{i}", "x": own[:, 0], "y": own[:, 1], "label": "ab"[i % 2]})
        for i in range(24)
        for own in [walk(rng, 30)]
    ]
    table = pd.concat(rows)
    table.to_csv(tmp_path / "table.csv", index=False)
    run = recurra.train(tmp_path / "table.csv", out=tmp_path / "run", id="id", label="label", **SMALL)
    n = run.metrics["n_train"]
    for form in ("%.6f", "%.3f", "%.4g"):
        table.to_csv(tmp_path / "again.csv", index=False, float_format=form)
        found = recurra.evaluate(run.path, tmp_path / "again.csv", write=False)
        assert found.metrics["n_trained_on"] == n
        assert f"{n} of 24 sequences were trained on ({n} of them with fewer digits): " in found.summary()
    series = pd.DataFrame({"step": np.arange(900), "y": daily(rng, 900)[:, 0]})
    series.to_csv(tmp_path / "series.csv", index=False)
    words = {"time": "step", "task": "forecast", "horizon": 4, **SMALL}
    run = recurra.train(tmp_path / "series.csv", out=tmp_path / "walk", **words)
    series.to_csv(tmp_path / "later.csv", index=False, float_format="%.2f")
    found = recurra.evaluate(run.path, tmp_path / "later.csv", write=False)
    assert found.metrics["n_trained_on"] >= 640
    assert "of 900 steps were trained on (" in found.summary()


def test_sequences_longer_than_the_signs(monkeypatch):
    monkeypatch.setattr(rounded_copies, "_PERIOD", 16)
    rng = np.random.default_rng(10)
    old, new = ([white(rng, n) for n in rng.integers(40, 44, 30)] for _ in range(2))
    known = TrainedOn.of_values(old)
    assert known.overlap([np.round(own, 2) for own in [*old, *new]]).known == 30
