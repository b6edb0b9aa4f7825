"""Every message is read as a string."""

import numpy as np
import pytest

from recurra.array_summaries import check_finite
from recurra.checks import check_choice, check_number, counted, did_you_mean, missing_extra
from recurra.errors import DataError, ShapeError, UsageError
from recurra.plain_arrays import as_sequences, check_same_channels


def message(error, function, *args, **kwargs):
    with pytest.raises(error) as caught:
        function(*args, **kwargs)
    return str(caught.value)


def test_choice_suggests_the_nearest():
    assert message(UsageError, check_choice, "Net", "cell", "ltsm", ("rnn", "lstm")) == (
        "Net: cell must be one of 'rnn', 'lstm'; got 'ltsm'. Did you mean 'lstm'?"
    )


@pytest.mark.parametrize(
    ("value", "bounds", "rule"),
    [
        (0, {"integer": True, "low": 1}, "n must be a whole number of at least 1; got 0."),
        (1.5, {"integer": True, "low": 1}, "n must be a whole number of at least 1; got 1.5."),
        (True, {"integer": True}, "n must be a whole number; got True."),
        (1.0, {"low": 0, "high": 1, "high_open": True}, "n must be a number in [0, 1); got 1.0."),
        (0.0, {"low": 0, "low_open": True}, "n must be a number greater than 0; got 0.0."),
        (float("nan"), {"low": 0}, "n must be a number of at least 0; got nan."),
        ("3", {}, "n must be a number; got '3'."),
    ],
)
def test_number_states_the_rule(value, bounds, rule):
    assert message(UsageError, check_number, "Net", "n", value, **bounds) == f"Net: {rule}"


def test_number_takes_numpy_and_the_included_bound():
    check_number("Net", "n", np.int64(1), integer=True, low=1)
    check_number("Net", "n", np.float32(0), low=0, high=1)


def test_text_in_a_sequence_is_named():
    text = message(DataError, as_sequences, [np.zeros((2, 1)), np.array([["a"], ["b"]])])
    assert text.startswith("X: sequence 1 must hold numbers; got 'a'")


def test_empty_sequence_is_named_with_its_file():
    text = message(DataError, as_sequences, [np.zeros((2, 1)), np.zeros((0, 1))], names=["a.csv", "b.csv"])
    assert text.startswith("X: sequence 1 ('b.csv') has no time step; a sequence needs at least one.")


def test_three_dimensional_sequence_says_what_to_pass():
    text = message(ShapeError, as_sequences, [np.zeros((2, 1, 1))])
    assert text == (
        "X: sequence 0 must have shape (time, channels); got (2, 1, 1). "
        "Pass one two-dimensional array per sequence."
    )


def test_single_sequence_is_not_a_list_of_sequences():
    assert "Reshape your data" in message(ShapeError, as_sequences, np.zeros(5))
    assert "Pass [X] for a single sequence" in message(ShapeError, as_sequences, [1.0, 2.0])


def test_no_sequence():
    assert message(DataError, as_sequences, []).startswith("X: found 0 sequences")


def test_one_dimensional_sequences_are_univariate():
    (a, b) = as_sequences([[1, 2, 3], np.array([4.0, 5.0])])
    assert a.shape == (3, 1)
    assert b.shape == (2, 1)


def test_object_array_of_unequal_arrays_is_taken():
    X = np.empty(2, dtype=object)
    X[:] = [np.ones((2, 3)), np.ones((4, 3))]
    assert [x.shape for x in as_sequences(X)] == [(2, 3), (4, 3)]


def test_channels_that_differ_name_the_sequence_and_the_turn():
    text = message(ShapeError, check_same_channels, [np.zeros((9, 3)), np.zeros((3, 9))])
    assert text.startswith("X: sequence 0 has 3 channels, but sequence 1 has 9 (shape (3, 9)")
    assert "It looks turned round: pass the transpose." in text


def test_nan_and_infinity_are_placed():
    bad = np.zeros((4, 2))
    bad[2, 1] = np.nan
    text = message(DataError, check_finite, [np.zeros((4, 2)), bad])
    assert text.startswith(
        "X: sequence 1 contains NaN at step 2, channel 1 (1 such values in it). Fill it, or use missing='mask'"
    )
    check_finite([bad], allow_nan=True)
    bad[0, 0] = np.inf
    assert "contains infinity at step 0, channel 0" in message(DataError, check_finite, [bad], allow_nan=True)


def test_missing_extra_names_the_command():
    assert str(missing_extra("av", "video", "Reading video")) == (
        "Reading video needs the package av: pip install 'recurra[video]'"
    )


@pytest.mark.parametrize("name", ["LSTM", "Lstm", "lsmt", "lstmm"])
def test_a_name_is_found_whatever_its_capitals(name):
    assert did_you_mean(name, ["rnn", "lstm", "GRU"]) == " Did you mean 'lstm'?"
    assert did_you_mean("gru", ["rnn", "lstm", "GRU"]) == " Did you mean 'GRU'?"


def test_one_has_its_singular():
    assert [counted(n, "step") for n in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
    assert [counted(n, "class", "classes") for n in (1, 3)] == ["1 class", "3 classes"]
