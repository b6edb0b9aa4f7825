"""Many named streams as one batch: each answers as if it were alone, in any order of arrival."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from models import random_model, recording_for
from recurra.errors import DataError, ShapeError, StoreError, UsageError
from serving.streams.test_stream import waiting_model


def answer_of(answers, model, index):
    return answers.values[index] if model.task == "regression" else answers.probabilities[index]


def whole(model, rows):
    if model.task == "regression":
        return model.predict([rows])[0]
    found = model.predict_proba([rows])[0]
    return found[-1] if model.task == "labeling" else found


def assert_same(found, expected):
    exact = recurra.kernels.current() == "native"
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if exact else 1e-6)


def run_at_random(rng, model, recordings):
    """Step random streams together until all are through, saving and restoring on the way; compare every answer."""
    streams = recurra.Streams(model)
    read = dict.fromkeys(recordings, 0)
    while left := [name for name, rows in recordings.items() if read[name] < len(rows)]:
        some = [str(n) for n in rng.permutation(left)[: int(rng.integers(1, len(left) + 1))]]
        if rng.random() < 0.3:  # a name may come twice; its rows keep their order
            some += [n for n in some if read[n] + 1 < len(recordings[n])]
        given_rows, places = [], []
        for name in some:
            given_rows.append(recordings[name][read[name]])
            read[name] += 1
            places.append(read[name])
        answers = streams.step(np.array(given_rows), some)
        assert answers.names == some
        assert answers.steps.tolist() == places
        for index, name in enumerate(some):
            expected = whole(model, recordings[name][: places[index]])
            assert_same(answer_of(answers, model, index), expected)
        if rng.random() < 0.2:
            state, streams = streams.state, recurra.Streams(model)
            streams.state = state
    assert sorted(streams.names) == sorted(recordings)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_each_stream_answers_as_if_it_were_alone(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    recordings = {
        f"s{i}": recording_for(rng, model, int(rng.integers(1, 8))) for i in range(rng.integers(1, 7))
    }
    run_at_random(rng, model, recordings)


def test_on_the_reference_too():
    rng = np.random.default_rng(1)
    with recurra.kernels.use("reference"):
        model = random_model(rng, task="classification", pooling="mean", missing="mask")
        run_at_random(rng, model, {f"s{i}": recording_for(rng, model, 6) for i in range(4)})


def test_a_dictionary_in_any_order_gives_labels_by_name():
    rng = np.random.default_rng(2)
    model = random_model(rng, task="classification", channels=2, missing="error")
    rows = {"b": [1.0, 2.0], "a": [3.0, 4.0], "c": [5.0, 6.0]}
    streams = recurra.Streams(model)
    answers = streams.step(rows)
    assert answers.names == ["b", "a", "c"]
    assert len(answers) == 3
    for name, row in rows.items():
        assert answers[name] == model.predict([np.array([row])])[0]
    backward = streams.step({name: rows[name] for name in ("c", "a", "b")})
    for name, row in rows.items():
        assert backward[name] == model.predict([np.array([row, row])])[0]
    with pytest.raises(UsageError, match="Answers: 'd' had no row in this step"):
        answers["d"]


def test_thousands_with_one_channel():
    rng = np.random.default_rng(3)
    model = random_model(rng, task="regression", channels=1, output_size=1, missing="error")
    streams = recurra.Streams(model)
    names = [f"{i}" for i in range(3000)]
    rows = rng.normal(size=(2, 3000))
    streams.step(rows[0], names)
    answers = streams.step(dict(zip(names, rows[1].tolist(), strict=True)))
    assert answers.probabilities is None
    assert_same(answers.values, model.predict(list(rows.T[:, :, None])))
    assert len(streams) == 3000


def test_push_and_step_and_a_stream_of_its_own_agree():
    rng = np.random.default_rng(4)
    model = random_model(rng, task="labeling", missing="mask")
    rows = recording_for(rng, model, 9)
    streams, alone = recurra.Streams(model), model.stream()
    streams.step({"x": rows[0], "y": rows[3]})
    alone.push(rows[:1])
    answer, expected = streams.push("x", rows[1:5]), alone.push(rows[1:5])
    assert_same(answer.probabilities, expected.probabilities)
    assert answer.labels.tolist() == expected.labels.tolist()
    assert answer.state == alone.state == streams.state_of("x")
    alone.push(rows[5:])
    other = recurra.Streams(model)
    other.restore("moved", alone.state)
    assert other.state_of("moved") == alone.state
    assert other.push("moved", rows[:0]).steps == 9


def test_reset_and_drop():
    rng = np.random.default_rng(5)
    model = random_model(rng, task="classification", missing="mask", pooling="max")
    rows = recording_for(rng, model, 6)
    streams = recurra.Streams(model)
    for row in rows[:3]:
        streams.step({"a": row, "b": row})
    streams.reset("a")
    for row in rows[3:]:
        answers = streams.step({"b": row, "a": row})
    assert_same(answers.probabilities, np.stack([whole(model, rows), whole(model, rows[3:])]))
    streams.drop("b")
    assert "b" not in streams
    assert streams.names == ["a"]
    assert_same(streams.step({"b": rows[0]}).probabilities[0], whole(model, rows[:1]))
    streams.reset()
    assert_same(streams.step({"a": rows[0]}).probabilities[0], whole(model, rows[:1]))


@pytest.mark.parametrize("task", ["classification", "labeling"])
def test_features_that_wait_for_more_rows(task):
    rng = np.random.default_rng(6)
    model = waiting_model(rng, task=task, channels=2)
    rows = {name: recording_for(rng, model, 5) for name in "abc"}
    streams = recurra.Streams(model)
    streams.step({"a": rows["a"][0]})
    read = {"a": 1, "b": 0, "c": 0}
    for _ in range(4):
        answers = streams.step({name: rows[name][read[name]] for name in "cab"})
        for index, name in enumerate("cab"):
            read[name] += 1
            ready = read[name] % 2 == 0 if task == "labeling" else read[name] > 1
            assert bool(answers.ready[index]) == ready
            if not ready:
                assert answers[name] is None
                continue
            alone = model.stream().push(rows[name][: read[name]])
            shares = alone.probabilities[-1] if task == "labeling" else alone.probabilities
            assert_same(answers.probabilities[index], shares)


def test_an_estimator_is_taken_as_well_and_what_is_none_is_refused():
    with pytest.raises(UsageError, match="Streams: needs a fitted model; got dict. Call fit first."):
        recurra.Streams({})
    with pytest.raises(UsageError, match="stream: this network is bidirectional"):
        recurra.Streams(random_model(np.random.default_rng(0), bidirectional=True))


def streams_of_three():
    model = random_model(np.random.default_rng(7), task="classification", channels=2, missing="error")
    streams = recurra.Streams(model)
    streams.step({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    return streams


@pytest.mark.parametrize(
    ("rows", "names", "kind", "text"),
    [
        ([[1.0, 2.0]], None, UsageError, "needs a dictionary of name to row, or rows and names; got list"),
        ([[1.0, 2.0]], ["a", "b"], ShapeError, "needs one name per row; got 1 row, 2 names"),
        ({"a": [1.0, 2.0], "b": [1.0]}, None, ShapeError, "every row must have the same shape"),
        ({"a": [1.0, 2.0, 3.0]}, None, ShapeError, r"rows must have shape \(time, 2\)"),
        (
            {"a": [1.0, 2.0], "b": [1.0, np.nan]},
            None,
            DataError,
            "the row of 'b' cannot be used: .* NaN in channel 1",
        ),
        ({7: [1.0, 2.0]}, None, UsageError, "Streams: a name must be a string; got 7"),
    ],
)
def test_rows_that_cannot_be_used_change_nothing(rows, names, kind, text):
    streams = streams_of_three()
    before = streams.state
    with pytest.raises(kind, match=text):
        streams.step(rows, names)
    assert streams.state == before


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="there is no stream 'aa' among 2"):
        streams_of_three().reset("aa")


def test_states_of_something_else_are_refused():
    streams = streams_of_three()
    with pytest.raises(StoreError, match="stream state: these bytes hold a stream, not a streams"):
        streams.state = streams.state_of("a")
    other = recurra.Streams(random_model(np.random.default_rng(8), task="classification", missing="error"))
    with pytest.raises(StoreError, match="stream state: belongs to another model"):
        other.state = streams.state
    with pytest.raises(StoreError, match="stream state: belongs to another model"):
        other.restore("a", streams.state_of("a"))


def test_nothing_to_do():
    streams = streams_of_three()
    assert len(streams.step({})) == 0
    empty = recurra.Streams(streams._model)
    empty.state = recurra.Streams(streams._model).state
    assert empty.names == []
