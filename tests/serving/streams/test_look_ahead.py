"""Windows of the newest rows: every answer is that of predict on the window stated."""

import numpy as np
import pytest

import recurra
from models import random_model, recording_for
from recurra.errors import StoreError, UsageError
from recurra.runs.stream.lines import Row
from recurra.runs.stream.session import Session

AHEAD = 3


def labeler(seed=0, **words):
    return random_model(
        np.random.default_rng(seed), task="labeling", bidirectional=True, num_layers=2, **words
    )


@pytest.mark.parametrize("missing", ["error", "mask"])
@pytest.mark.parametrize("steps", [1, 3, 4, 20])
def test_row_t_is_answered_from_the_rows_around_it(missing, steps):
    model = labeler(missing=missing)
    rng = np.random.default_rng(1)
    rows = recording_for(rng, model, steps)
    stream = model.stream(look_ahead=AHEAD)
    answers = [stream.push(rows[:2]), *(stream.step(row) for row in rows[2:5])]
    state, stream = stream.state, model.stream(look_ahead=AHEAD)
    stream.state = state
    answers += [stream.push(rows[5:])]
    assert sum(len(a.labels) for a in answers) == max(0, steps - AHEAD)
    answers += [stream.finish()]
    found = np.concatenate([a.probabilities for a in answers])
    assert len(found) == steps
    for t in range(steps):
        first = max(0, t - AHEAD)
        expected = model.predict_proba([rows[first : t + AHEAD + 1]])[0][t - first]
        np.testing.assert_allclose(found[t], expected, rtol=0, atol=1e-7)
    labels = np.concatenate([a.labels for a in answers])
    assert labels.tolist() == model.classes[found.argmax(axis=1)].tolist()


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("loss", ["mse", "quantile"])
def test_a_number_per_row_is_answered_from_the_rows_around_it(loss, targets):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(steps, 2)) for steps in (9, 1, 14, 20)]
    y = [np.stack([x.cumsum(axis=0)[:, 0], x[:, 1]], axis=1)[:, 0 if targets == 1 else slice(2)] for x in X]
    words = {"bidirectional": True, "hidden_size": 4, "max_epochs": 2, "random_state": 0, "verbose": 0}
    model = recurra.SequenceRegressor(loss=loss, **words).fit(X, y)
    stream, rows = model.stream(look_ahead=AHEAD), X[-1]
    answers = [stream.step(rows[0])]
    assert answers[0].value is None
    answers += [stream.push(rows[1:9]), *(stream.step(row) for row in rows[9:])]
    newest = answers[-1]
    answers += [stream.finish()]
    found = np.concatenate([answer.values for answer in answers])
    assert len(found) == len(rows)
    windows = [rows[max(0, t - AHEAD) : t + AHEAD + 1] for t in range(len(rows))]
    expected = [own[min(t, AHEAD)] for t, own in enumerate(model.predict(windows))]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(newest.value, newest.values[-1])
    if loss == "quantile":
        own = model.predict_quantiles(windows[-AHEAD - 1 : -AHEAD])[0][AHEAD]
        np.testing.assert_allclose(newest.quantiles, own, rtol=0, atol=1e-5)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_one_answer_per_sequence_is_that_of_the_newest_rows(task):
    model = random_model(np.random.default_rng(2), task=task, bidirectional=True)
    rows = recording_for(np.random.default_rng(3), model, 9)
    stream = model.stream(look_ahead=AHEAD)
    assert stream.push(rows[:0]).label is None
    for t, row in enumerate(rows):
        answer = stream.step(row)
        window = rows[max(0, t - AHEAD) : t + 1]
        if task == "regression":
            np.testing.assert_allclose(answer.value, model.predict([window])[0], rtol=0, atol=1e-6)
        else:
            np.testing.assert_allclose(
                answer.probabilities, model.predict_proba([window])[0], rtol=0, atol=1e-7
            )
    assert stream.finish().steps == 9
    stream.reset()
    at_once = stream.push(rows)
    if task == "regression":
        np.testing.assert_array_equal(at_once.value, answer.value)
    else:
        np.testing.assert_array_equal(at_once.probabilities, answer.probabilities)


def test_a_causal_network_may_have_a_window_too_and_zero_is_the_row_alone():
    model = random_model(np.random.default_rng(4), task="labeling")
    rows = recording_for(np.random.default_rng(5), model, 3)
    stream = model.stream(look_ahead=0)
    for row in rows:
        expected = model.predict_proba([row[None]])[0]
        np.testing.assert_allclose(stream.step(row).probabilities, expected, rtol=0, atol=1e-7)


def test_after_the_end_comes_a_reset():
    model = labeler(missing="error")
    rows = recording_for(np.random.default_rng(6), model, 5)
    stream = model.stream(look_ahead=2)
    stream.push(rows)
    first = stream.finish()
    assert len(first.labels) == 2
    assert len(stream.finish().labels) == 0
    with pytest.raises(UsageError) as caught:
        stream.step(rows[0])
    assert str(caught.value) == "stream: finish() has ended this sequence; begin a new one with reset()."
    stream.reset()
    stream.push(rows)
    np.testing.assert_array_equal(stream.finish().probabilities, first.probabilities)


@pytest.mark.parametrize("value", [-1, 1.5, "2", True])
def test_a_look_ahead_that_is_no_number_of_rows(value):
    with pytest.raises(UsageError, match="stream: look_ahead must be a whole number of at least 0; got"):
        labeler().stream(look_ahead=value)


def test_a_state_of_another_look_ahead_is_refused():
    model = labeler(missing="error")
    stream = model.stream(look_ahead=2)
    with pytest.raises(StoreError, match="stream state: has a look-ahead of 2 rows, this stream of 3"):
        model.stream(look_ahead=3).state = stream.state


def test_memory_is_the_window():
    model = labeler(missing="error")
    stream = model.stream(look_ahead=2)
    stream.push(recording_for(np.random.default_rng(7), model, 50))
    assert len(stream._window) == 4


@pytest.mark.parametrize("targets", [1, 2])
def test_every_line_of_a_stream_that_looks_ahead_has_its_quantiles(targets):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(steps, 2)) for steps in (9, 14, 20)]
    y = [x.cumsum(axis=0)[:, 0 if targets == 1 else slice(2)] for x in X]
    words = {"bidirectional": True, "hidden_size": 4, "max_epochs": 2, "random_state": 0, "verbose": 0}
    model = recurra.SequenceRegressor(loss="quantile", quantiles=(0.1, 0.5, 0.9), **words).fit(X, y)
    opened = model.stream(look_ahead=AHEAD)
    session = Session(model.model_, opened, named=False, look_ahead=AHEAD, proba=False)
    rows = X[-1].tolist()
    assert session.take(Row(rows[:1])) is None
    lines = [
        session.take(Row(rows[1:9])),
        session.take(Row(rows[9])),
        *(session.take(Row(row)) for row in rows[10:]),
    ]
    lines += session.finish()
    windows = [X[-1][max(0, t - AHEAD) : t + AHEAD + 1] for t in range(20)]
    expected = [own[min(t, AHEAD)] for t, own in enumerate(model.predict_quantiles(windows))]
    for place, share in enumerate(("0.1", "0.5", "0.9")):
        found = np.concatenate([np.reshape(line["quantiles"][share], (-1, targets)) for line in lines])
        np.testing.assert_allclose(found, np.array(expected)[..., place].reshape(20, targets), atol=1e-5)
