"""A call without options where every step has a label: what is decided, and that it keeps all promises."""

from functools import partial

import numpy as np
import pytest
import torch

import recurra
from recurra.batches.examples import Examples
from recurra.errors import UsageError
from recurra.recipes import recipe
from recurra.training.callbacks import Callback

LIGHT = partial(recurra.load_model, runtime="light")
NAMES = (*recipe.DECIDED, *recipe.DECIDED_OF_TRAINING)


def recordings(n=6, seed=0, stretch=80):
    """Recordings longer than a training window, and a short one, of two states that differ in how fast they swing."""
    rng = np.random.default_rng(seed)
    X, y = [np.zeros((3, 2))], [np.array(["slow"] * 3)]
    for _ in range(n):
        slow = np.repeat(rng.integers(0, 2, 4), rng.integers(stretch // 2, 2 * stretch, 4)).astype(bool)
        phase = np.cumsum(np.where(slow, 0.3, 0.9))
        X.append(np.column_stack([np.sin(phase), np.cos(phase)]) + 0.3 * rng.normal(size=(len(phase), 2)))
        y.append(np.where(slow, "slow", "fast"))
    return X, y


@pytest.fixture(scope="module", autouse=True)
def few_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "STEPS", 1)
        yield


@pytest.fixture(scope="module")
def fitted():
    return bare().fit(*recordings())


def bare(**options):
    return recurra.SequenceLabeler(random_state=0, verbose=0, **options)


def test_what_is_decided_is_said_and_finds_the_states(fitted):
    kept = fitted.model_.manifest["params"]
    assert kept["frontend"] == {"name": "convolutions", "dilation_2": 4, "dilation_3": 16}
    assert (kept["window"], kept["batch_size"], kept["lr_schedule"]) == (128, 16, "cosine")
    assert "window=128" in fitted.recipe_
    assert (fitted.window, fitted.frontend) == (None, None)
    assert fitted.score(*recordings(seed=1)) > 0.9


def test_what_convolutions_see_fits_into_a_stretch_of_one_label():
    facts = recipe.Facts(10, 1000, False, "labeling", True, stretch=15.0)
    assert recipe.decided(bare(), facts)["frontend"] == "convolutions"
    assert recipe.stretch_of([np.array([0, 0, 1]), np.array([2])]) == pytest.approx(4 / 3)


def test_the_decided_options_given_by_hand_repeat_the_bits(fitted):
    X, y = recordings()
    kept = fitted.model_.manifest["params"]
    again = bare(**{name: kept[name] for name in NAMES if name in kept}).fit(X, y)
    for one, other in zip(again.predict_proba(X), fitted.predict_proba(X), strict=True):
        np.testing.assert_array_equal(one, other)


def test_mates_order_threads_and_files_move_no_bit(fitted, tmp_path):
    X, _ = recordings(seed=2)
    whole = fitted.predict_proba(X)
    fitted.save(tmp_path / "m.recurra")
    before = torch.get_num_threads()
    for model in (fitted, recurra.load_model(tmp_path / "m.recurra"), LIGHT(tmp_path / "m.recurra")):
        for threads in (1, 2):
            try:
                torch.set_num_threads(threads)
                for one, other in zip(model.predict_proba(X[::-1])[::-1], whole, strict=True):
                    np.testing.assert_array_equal(one, other)
                np.testing.assert_array_equal(model.predict_proba(X[4:5])[0], whole[4])
            finally:
                torch.set_num_threads(before)


def test_one_that_was_killed_goes_on_to_the_same_bits(fitted, tmp_path):
    class Stop(Callback):
        def on_batch_end(self, run):
            if (run.epoch, run.batch) == (2, 1):
                raise KeyboardInterrupt

    X, y = recordings()
    with pytest.raises(KeyboardInterrupt):
        bare(checkpoint_dir=tmp_path, callbacks=[Stop()]).fit(X, y)
    again = bare(checkpoint_dir=tmp_path).fit(X, y, resume=True)
    for name, array in fitted.model_.weights.items():
        np.testing.assert_array_equal(again.model_.weights[name], array)


def test_a_causal_one_streams_to_the_bits_of_the_whole():
    X, y = recordings(4)
    model = bare(causal=True).fit(X, y)
    kept = model.model_.manifest["params"]
    assert (kept["bidirectional"], kept["frontend"]["dilation_3"]) == (False, 16)
    for chunk in (1, 50):
        stream = model.stream()
        found = [stream.push(X[2][at : at + chunk]).probabilities for at in range(0, len(X[2]), chunk)]
        np.testing.assert_array_equal(np.concatenate(found), model.predict_proba(X[2:3])[0])


def test_one_that_goes_on_learns_from_the_same_windows():
    X, y = recordings(4)
    model = bare().fit(X, y).fit(X, y, resume=True)
    kept = model.model_.manifest["params"]
    assert (kept["window"], kept["batch_size"], kept["lr_schedule"]) == (128, 16, "cosine")


def test_a_file_that_names_nothing_of_what_was_decided_goes_on_the_same():
    X, y = recordings(4)
    model = bare().fit(X, y)
    assert set(model.model_.manifest["training"].pop("decided")) >= {"window", "batch_size", "lr_schedule"}
    kept = model.fit(X, y, resume=True).model_.manifest["params"]
    assert (kept["window"], kept["batch_size"], kept["lr_schedule"]) == (128, 16, "cosine")
    by_hand = bare(hidden_size=4, window=64, batch_size=8, max_epochs=1).fit(X, y)
    assert by_hand.model_.manifest["training"]["decided"] == []
    kept = by_hand.set_params(batch_size=2).fit(X, y, resume=True).model_.manifest["params"]
    assert kept["batch_size"] == 2


def test_options_given_by_hand_and_words_leave_signals_rules_out():
    facts = recipe.Facts(10, 1000, False, "labeling", True, stretch=100.0)
    for option in ({"hidden_size": 8}, {"window": 50}, {"crf": True}, {"frontend": "patches"}):
        assert recipe.decided(bare(**option), facts) == {}
    words = recipe.Facts(10, 0, True, "labeling", True, stretch=2.0)
    assert recipe.decided(bare(), words) == {"bidirectional": True, "dropout": 0.3}


def test_look_says_what_training_decides(fitted):
    X, y = recordings()
    data = recurra.Dataset([recurra.Record(x, label=own) for x, own in zip(X, y, strict=True)])
    assert fitted.recipe_ in str(recurra.look(data))


def test_examples_cut_into_windows_hold_every_row_once():
    lengths = [1, 7, 8, 9, 30]
    inputs = [np.random.default_rng(n).normal(size=(n, 2)).astype(np.float32) for n in lengths]
    targets = [np.arange(n) for n in lengths]
    weights = np.arange(5, dtype=np.float32)
    found = Examples(inputs, targets, weights, list("abcde")).in_pieces(8)
    assert found.lengths.tolist() == [1, 7, 8, 5, 4, 8, 8, 7, 7]
    assert found.names == list("abcddeeee")
    assert found.weights is not None
    assert found.weights.tolist() == [0, 1, 2, 3, 3, 4, 4, 4, 4]
    np.testing.assert_array_equal(np.concatenate(found.inputs), np.concatenate(inputs))
    np.testing.assert_array_equal(np.concatenate(found.targets), np.concatenate(targets))


def test_a_window_of_one_row_is_refused():
    with pytest.raises(UsageError, match="window"):
        bare(window=1).fit(*recordings(2))


def test_training_in_windows_is_training_on_the_pieces():
    rng = np.random.default_rng(5)
    X = [rng.normal(size=(n, 2)) for n in (40, 23, 31, 16)]
    y = [np.where(np.cumsum(x[:, 0]) > 0, "up", "down") for x in X]
    cut = [np.array_split(np.arange(len(x)), -(-len(x) // 8)) for x in X]
    pieces = [x[rows] for x, own in zip(X, cut, strict=True) for rows in own]
    labels = [one[rows] for one, own in zip(y, cut, strict=True) for rows in own]
    words = {
        "hidden_size": 5, "max_epochs": 6, "batch_size": 100, "validation_fraction": 0, "dropout": 0.0,
        "bidirectional": True, "random_state": 0, "verbose": 0,
    }  # fmt: skip
    windowed, by_hand, whole = (
        recurra.SequenceLabeler(**words, window=8).fit(X, y).predict_proba(X),
        recurra.SequenceLabeler(**words).fit(pieces, labels).predict_proba(X),
        recurra.SequenceLabeler(**words).fit(X, y).predict_proba(X),
    )
    # One batch holds all: the same gradients, summed in another order.
    for ours, theirs, other in zip(windowed, by_hand, whole, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
        assert np.abs(ours - other).max() > 1e-3


def test_answers_read_the_whole_recording_and_not_the_windows(fitted):
    X, _ = recordings(1)
    own = fitted.predict_proba(X)[-1]
    apart = np.concatenate(fitted.predict_proba(np.array_split(X[-1], 3)))
    assert own.shape == apart.shape
    assert np.abs(own - apart).max() > 1e-6  # a piece alone does not know what stood before it
