"""Distances to normal windows beside a detector's network: what a bare call decides, and what it finds."""

import copy
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

import recurra
from recurra import AnomalyDetector, store
from recurra.errors import RecurraWarning, StoreError, UsageError
from recurra.recipes.anomalies import DRIFT, drift_of, warn_of_drift, with_threshold
from recurra.serving.anomalies.neighbours import USUAL, Neighbours, compared_lengths

LIGHT = partial(recurra.load_model, runtime="light")


def beats(n=900, seed=0, channels=1):
    """A signal that repeats itself, never exactly."""
    rng = np.random.default_rng(seed)
    phase = np.cumsum(2 * np.pi / (32 + rng.normal(size=n)))
    wave = np.sin(phase) + 0.6 * np.sin(2 * phase)
    return np.column_stack([wave * (c + 1) + 0.1 * rng.normal(size=n) for c in range(channels)])


def odd_beats(channels=1):
    """The same with two beats of half the speed, which no faults planted in training are like; and where they are."""
    values, labels = beats(seed=5, channels=channels), np.zeros(900, dtype=bool)
    for at in (300, 600):
        values[at : at + 64] = np.repeat(values[at : at + 32], 2, axis=0)
        labels[at : at + 64] = True
    return values, labels


@pytest.fixture(scope="module")
def fitted():
    return AnomalyDetector(random_state=0, verbose=0).fit([beats()])


def test_a_bare_call_finds_what_is_like_nothing_normal(fitted):
    values, labels = odd_beats()
    alone = AnomalyDetector(random_state=0, verbose=0, neighbours=False).fit([beats()])
    both, network = (average_precision_score(labels, -d.score_samples([values])[0]) for d in (fitted, alone))
    assert both > 0.8
    assert both > network
    assert (fitted.predict([beats(seed=6)])[0] == -1).mean() < 0.02


def test_what_is_decided_is_said_and_by_hand_repeats_the_bits(fitted):
    assert fitted.recipe_.startswith(
        "Recipe: the distance to the nearest of 851 normal windows of 10, 25, 50 steps has"
    )
    assert fitted.neighbours == "auto"
    assert fitted.model_.manifest["params"]["neighbours"] is True
    again = AnomalyDetector(random_state=0, verbose=0, neighbours=True).fit([beats()])
    assert again.recipe_ == ""
    np.testing.assert_array_equal(again.score_samples([beats()])[0], fitted.score_samples([beats()])[0])
    assert again.offset_ == fitted.offset_


def test_an_option_of_network_training_or_method_leaves_windows_out():
    X = [beats(200)]
    for option in ({"hidden_size": 4}, {"max_epochs": 1}, {"method": "forecaster"}, {"window": 50}):
        quick = {"max_epochs": 1, **option}
        assert AnomalyDetector(random_state=0, verbose=0, **quick).fit(X).model_.neighbours is None
    kept = AnomalyDetector(random_state=0, verbose=0, reach=3, contamination=0.1).fit([beats(300)])
    assert kept.model_.neighbours is not None
    # Of fewer than three windows of the shortest length nothing can be said.
    assert AnomalyDetector(random_state=0, verbose=0).fit([beats(60)]).model_.neighbours is None


def test_mates_order_threads_and_files_move_no_bit(fitted, tmp_path):
    X = [odd_beats()[0], beats(10, seed=3), beats(1, seed=4), beats(6000, seed=7)]
    whole = fitted.score_samples(X)
    fitted.save(tmp_path / "d.recurra")
    before = torch.get_num_threads()
    for model in (fitted, recurra.load_model(tmp_path / "d.recurra")):
        for threads in (1, 2):
            try:
                torch.set_num_threads(threads)
                for one, other in zip(model.score_samples(X[::-1])[::-1], whole, strict=True):
                    np.testing.assert_array_equal(one, other)
                np.testing.assert_array_equal(model.score_samples(X[:1])[0], whole[0])
            finally:
                torch.set_num_threads(before)


def test_a_detector_that_has_answered_is_copied_and_pickled(fitted):
    X = [odd_beats()[0]]
    whole = fitted.score_samples(X)[0]
    for twin in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(twin.score_samples(X)[0], whole)


def test_an_absurd_value_spoils_the_windows_that_hold_it_and_no_others(fitted):
    values = odd_beats()[0]
    odd = values.copy()
    odd[200] = 9.96921e36  # what netCDF writes where a value is missing
    found, usual = (fitted.model_.neighbours.scores(x) for x in (odd, values))
    np.testing.assert_array_equal(found[300:], usual[300:])
    assert found[200] > 1e30


def test_a_file_whose_windows_make_no_sense_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "d.recurra")
    manifest, arrays = store.load(tmp_path / "d.recurra")
    odd = {
        "windows": arrays["neighbours.windows"][:, :, :20],
        "lengths": arrays["neighbours.lengths"][::-1].copy(),
        "usual": -arrays["neighbours.usual"],
    }
    for name, array in odd.items():
        for changed in ({f"neighbours.{name}": array}, None):
            kept = {n: a for n, a in arrays.items() if n != f"neighbours.{name}"} | (changed or {})
            store.save(tmp_path / "odd.recurra", manifest, kept)
            with pytest.raises(StoreError):
                recurra.load_model(tmp_path / "odd.recurra")


@pytest.mark.parametrize("channels", [1, 3])
def test_distances_are_those_of_every_window_to_every_kept_one(channels):
    normal = [beats(400, seed=1, channels=channels), beats(130, seed=2, channels=channels)]
    found, left_out = Neighbours.fit(normal, lengths=compared_lengths(normal), seed=0)
    values = odd_beats(channels)[0][:200].astype(np.float32)
    expected = []
    for n, length in enumerate(found.lengths):
        total = np.zeros(len(values))
        for channel in range(channels):
            those = np.lib.stride_tricks.sliding_window_view(values[:, channel], length)
            least = cdist(those, found.windows[:, channel, :length]).min(axis=1) / found.usual[n, channel]
            holding = [least[max(t - length + 1, 0) : t + 1].mean() for t in range(len(values))]
            total += np.square(holding)
        expected.append(np.sqrt(total))
    np.testing.assert_allclose(found.scores(values), np.mean(expected, axis=0), rtol=2e-3)
    # A normal step is not compared with windows that hold it: without that most distances would be 0.
    assert [len(scores) for scores in left_out] == [400, 130]
    assert np.median(left_out[0]) > 3 * np.median(found.scores(normal[0]))
    # What is usual counts as 1, of several channels as the root of how many.
    assert np.quantile(np.concatenate(left_out), USUAL) == pytest.approx(np.sqrt(channels), rel=0.3)


def test_no_graph_is_written(fitted, tmp_path):
    with pytest.raises(UsageError, match="neighbours=False to export"):
        fitted.export(tmp_path / "d.onnx")


def test_what_happened_once_in_training_does_not_hide_the_faults():
    train, (values, labels) = beats(3000), odd_beats()
    train[1000:1040] += 6.0
    shares = {}
    for quantile in ("auto", 0.999):
        detector = AnomalyDetector(random_state=0, verbose=0, quantile=quantile).fit([train])
        called = detector.predict([values])[0] == -1
        shares[quantile] = called[labels].mean(), called[~labels].mean()
    assert shares[0.999] == (0, 0)
    assert shares["auto"][0] > 0.5
    assert shares["auto"][1] < 0.1


@pytest.mark.parametrize("odd", [0, 40, 400])
def test_the_threshold_lies_above_what_is_usual(odd):
    scores = np.random.default_rng(0).normal(size=1000)
    scores[:odd] += 100
    model = AnomalyDetector(random_state=0, verbose=0, max_epochs=1).fit([beats(300)]).model_
    found = with_threshold(model, [scores], AnomalyDetector()).threshold
    low, high = np.quantile(scores, (0.95, 0.999))
    assert low <= found <= high
    assert found == pytest.approx({0: high, 40: 6, 400: low}[odd], abs=0.7)


def test_windows_asked_for_need_sequences_that_hold_them():
    with pytest.raises(UsageError, match=r"must have at least 75 steps; it has 74\. Give longer"):
        AnomalyDetector(random_state=0, verbose=0, neighbours=True).fit([beats(74), beats(20)])
    assert AnomalyDetector(random_state=0, verbose=0, max_epochs=1).fit([beats(74)]).model_.neighbours is None


@pytest.mark.parametrize("asked", [True, False])
def test_a_detector_that_goes_on_does_what_is_asked(asked):
    detector = AnomalyDetector(random_state=0, verbose=0, max_epochs=1, neighbours=not asked).fit(
        [beats(300)]
    )
    detector.set_params(neighbours=asked).fit([beats(300)], resume=True)
    assert (detector.model_.neighbours is not None) == asked


def drifting(steps=300, channels=2):
    """Return a recording whose second channel rises."""
    values = np.random.default_rng(0).normal(size=(steps, channels))
    values[:, 1] += 0.1 * np.arange(steps)
    return values


def test_one_that_drifts_is_named_with_the_share_pandas_finds():
    values = drifting()
    column = pd.Series(values[:, 1])
    share = (column[200:] > column[:200].max()).mean()
    with pytest.warns(
        RecurraWarning, match=f"X drifts in channel 1: {share:.0%} of the last third"
    ) as caught:
        detector = recurra.AnomalyDetector(max_epochs=1, random_state=0, verbose=0).fit([values])
    assert caught[0].filename == __file__
    with pytest.warns(RecurraWarning, match="AnomalyDetector: X drifts: "):
        recurra.AnomalyDetector(max_epochs=1, random_state=0, verbose=0).fit([values[:, 1:]])
    detector.fit([np.diff(values, axis=0)])  # what the sentence advises says nothing more


@pytest.mark.parametrize("seed", range(20))
def test_what_wanders_about_a_level_does_not_drift(seed):
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(75 + 20 * seed) / 9)[:, None] + 0.3 * rng.normal(size=(75 + 20 * seed, 3))
    assert drift_of(wave).max() < DRIFT
    assert drift_of(-wave).max() < DRIFT


def test_several_that_rise_alike_and_a_few_steps_are_no_drift():
    warn_of_drift([drifting(), drifting()], "AnomalyDetector")
    warn_of_drift([drifting(74)], "AnomalyDetector")
    with pytest.warns(RecurraWarning, match="AnomalyDetector: X drifts"):
        warn_of_drift([-drifting(75)], "AnomalyDetector")
