"""Streams of networks with static inputs: the bits of the whole, in any chunks, alone and in company."""

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, StoreError, UsageError

DESIGNS = {
    "lstm": (recurra.SequenceClassifier, {"wide": False, "bidirectional": False}),
    "gru, attention": (recurra.SequenceClassifier, {"cell": "gru", "pooling": "attention"}),
    "mean and max": (recurra.SequenceClassifier, {"pooling": ("mean", "max")}),
    "no scaling": (recurra.SequenceClassifier, {"scaling": "none"}),
    "convolutions": (recurra.SequenceClassifier, {"frontend": "convolutions", "causal": True}),
    "members": (recurra.SequenceClassifier, {"members": 2}),
    "mask": (recurra.SequenceClassifier, {"missing": "mask"}),
    "regressor": (recurra.SequenceRegressor, {"cell": "rnn"}),
    "labeler": (recurra.SequenceLabeler, {"causal": True}),
}
ROW = {"sensor": "b", "age": 4.5}


def made(design):
    kind, options = DESIGNS[design]
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(int(rng.integers(6, 12)), 2)) for _ in range(24)]
    static = [{"sensor": "ab"[i % 2], "age": float(i)} for i in range(24)]
    y = [np.arange(len(x)) % 2 for x in X] if kind is recurra.SequenceLabeler else np.arange(24) % 2
    options = {"max_epochs": 2, "hidden_size": 8, **options}
    return kind(random_state=0, verbose=0, **options).fit(X, y, static=static), X


@pytest.fixture(scope="module", params=DESIGNS)
def model(request):
    return made(request.param)


def whole_of(fitted, x, row=ROW):
    if fitted.model_.task == "regression":
        return fitted.predict([x], static=[row])[0]
    return fitted.predict_proba([x], static=[row])[0]


def told(answer):
    return answer.value if answer.probabilities is None else answer.probabilities


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_stream_equals_the_whole(model, dtype):
    fitted, X = model
    x = X[0].astype(dtype)
    stream = fitted.stream(static=ROW)
    answers = [told(stream.step(row)) for row in x]
    expected = whole_of(fitted, x)
    if fitted.model_.task == "labeling":
        assert np.concatenate(answers).tobytes() == expected.tobytes()
    else:
        for end in (1, 3, len(x)):
            assert np.array_equal(answers[end - 1], whole_of(fitted, x[:end]))
    chunked = fitted.stream(static=ROW)
    parts = [told(chunked.push(x[:4])), told(chunked.push(x[4:]))]
    last = np.concatenate(parts) if fitted.model_.task == "labeling" else parts[-1]
    assert np.array_equal(last, expected)


def test_a_state_brings_its_static_inputs_and_reset_gives_others(model):
    fitted, X = model
    x = X[1]
    stream = fitted.stream(static=ROW)
    stream.push(x[:3])
    again = fitted.stream()
    again.state = stream.state
    assert np.array_equal(told(again.push(x[3:])), told(stream.push(x[3:])))
    other = {"sensor": "a", "age": 20.0}
    stream.reset(static=other)
    assert np.array_equal(told(stream.push(x)), whole_of(fitted, x, other))
    stream.reset()
    assert np.array_equal(told(stream.push(x)), whole_of(fitted, x, other))
    assert not np.array_equal(whole_of(fitted, x, other), whole_of(fitted, x))


def test_named_streams_have_static_inputs_of_their_own(model):
    fitted, X = model
    rows = {name: {"sensor": "ab"[i % 2], "age": 2.0 * i} for i, name in enumerate("pqrs")}
    streams = recurra.Streams(fitted)
    with pytest.raises(DataError, match=r"before its first row, with begin\('p', static=...\)"):
        streams.step({"p": X[0][0]})
    assert len(streams) == 0
    for name, row in rows.items():
        streams.begin(name, static=row)
    for t in range(5):  # all together, in changing order
        names = list(rows)[:: 1 if t % 2 else -1]
        answers = streams.step(np.stack([X[ord(name) % 7][t] for name in names]), names)
    state, alone = streams.state, streams.push("q", X[ord("q") % 7][5:6])
    assert answers is not None
    again = recurra.Streams(fitted)
    again.state = state
    assert np.array_equal(told(again.push("q", X[ord("q") % 7][5:6])), told(alone))
    single = fitted.stream(static=rows["q"])
    single.push(X[ord("q") % 7][:5])
    assert np.array_equal(told(single.push(X[ord("q") % 7][5:6])), told(alone))
    single.state = streams.push("r", X[0][:1]).state
    moved = recurra.Streams(fitted)
    moved.restore("r", single.state)
    assert np.array_equal(told(moved.push("r", X[0][1:2])), told(single.push(X[0][1:2])))
    streams.begin("q", static=ROW)
    assert np.array_equal(told(streams.push("q", X[2])), whole_of(fitted, X[2]))


def test_sentences():
    fitted, X = made("lstm")
    with pytest.raises(
        DataError, match="static inputs 'sensor', 'age'; give those of the sequence before its first row"
    ):
        fitted.stream().step(X[0][0])
    with pytest.raises(DataError, match="static has no column 'age'"):
        fitted.stream(static={"sensor": "a"})
    plain = recurra.SequenceClassifier(max_epochs=1, hidden_size=4, verbose=0).fit(X, np.arange(24) % 2)
    with pytest.raises(UsageError, match="trained without static inputs"):
        plain.stream(static=ROW)
    stream = fitted.stream(static=ROW)
    with pytest.raises(StoreError):
        plain.stream().state = stream.state


def test_look_ahead_reads_them_and_keeps_them():
    fitted, X = made("lstm")
    fitted = recurra.SequenceLabeler(
        random_state=0, max_epochs=2, hidden_size=4, bidirectional=True, verbose=0
    ).fit(
        X,
        [np.arange(len(x)) % 2 for x in X],
        static=[{"sensor": "ab"[i % 2], "age": float(i)} for i in range(24)],
    )
    stream = fitted.stream(look_ahead=20, static=ROW)
    stream.push(X[0][:4])
    again = fitted.stream(look_ahead=20)
    again.state = stream.state
    again.push(X[0][4:])
    assert np.array_equal(again.finish().probabilities, whole_of(fitted, X[0]))
    with pytest.raises(DataError, match="before its first row"):
        fitted.stream(look_ahead=2).step(X[0][0])


def test_light_streams(tmp_path):
    fitted, X = made("convolutions")
    fitted.save(tmp_path / "m.recurra")
    light = recurra.load_model(tmp_path / "m.recurra", runtime="light")
    assert np.array_equal(light.stream(static=ROW).push(X[0]).probabilities, whole_of(fitted, X[0]))
