"""States come back for the same model only; what is damaged or made up is refused, and nothing is changed by it."""

import numpy as np
import pytest

import recurra
from models import random_model, recording_for
from recurra import store
from recurra.errors import RecurraError, StoreError


def lived(seed=0, **words):
    """Return a model and a stream of it after a few rows."""
    rng = np.random.default_rng(seed)
    model = random_model(
        rng, **{"task": "classification", "missing": "mask", "pooling": "attention", **words}
    )
    stream = model.stream()
    stream.push(recording_for(rng, model, 5))
    return model, stream


def test_every_flipped_byte_is_an_error_or_the_same_state():
    model, stream = lived()
    state = stream.state
    rng = np.random.default_rng(1)
    other = model.stream()
    fresh = other.state
    for _ in range(400):
        damaged = bytearray(state)
        damaged[rng.integers(len(state))] ^= 1 << int(rng.integers(8))
        try:
            other.state = bytes(damaged)
        except StoreError:
            assert other.state == fresh
        else:
            assert other.state == state
            other.state = fresh


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, -1])
def test_a_state_cut_short(cut):
    model, stream = lived()
    with pytest.raises(StoreError):
        model.stream().state = stream.state[:cut]


def made_up(change):
    """Assign a state that was changed on purpose, its checksum right; return the message."""
    model, stream = lived()
    manifest, arrays = store.loads(stream.state)
    change(manifest, arrays)
    other = model.stream()
    before = other.state
    with pytest.raises(StoreError) as caught:
        other.state = store.dumps(manifest, arrays)
    assert other.state == before
    many = recurra.Streams(model)
    with pytest.raises(StoreError):
        many.restore("a", store.dumps(manifest, arrays))
    assert many.names == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m, a: m.update(kind="model"), "stream state: these bytes hold a model, not a stream."),
        (
            lambda m, a: m.update(schema=9),
            "stream state: was written as schema 9; this version reads 1. Update recurra.",
        ),
        (
            lambda m, a: m.update(model="0" * 32),
            "stream state: belongs to another model: its numbers mean nothing to this one. "
            "Restore it with the model file that the stream was made from.",
        ),
        (
            lambda m, a: m.update(steps=-1),
            "stream state: steps must be a whole number of at least 0; got -1.",
        ),
        (
            lambda m, a: m.update(rows="x"),
            "stream state: rows must be a whole number of at least 0; got 'x'.",
        ),
        (lambda m, a: a.pop("network.h"), "stream state, network: the array 'h' is missing."),
        (
            lambda m, a: a.update({"network.z": np.zeros(2)}),
            "stream state, network: the array 'z' is not known here.",
        ),
        (lambda m, a: a.update(z=np.zeros(2)), "stream state: the array 'z' is not known here."),
        (
            lambda m, a: a.update({"network.pool.mass": np.array(np.nan, np.float32)}),
            "stream state, network: the array 'pool.mass' holds NaN.",
        ),
        *(
            (
                lambda m, a, name=name, bad=bad: a.update(
                    {f"network.{name}": np.full_like(a[f"network.{name}"], bad)}
                ),
                f"stream state, network: the array {name!r} holds infinity.",
            )
            for name, bad in (("h", np.inf), ("h", -np.inf), ("pool.mass", np.inf), ("pool.total", np.inf))
        ),
        (
            lambda m, a: a.update({"network.pool.count": np.array(-3)}),
            "stream state, network: the array 'pool.count' holds a negative count.",
        ),
        (
            lambda m, a: a.update({"features.1.last": np.zeros((1, 1))}),
            "stream state, features: the array '1.last' must hold float64 of shape",
        ),
    ],
)
def test_a_state_that_makes_no_sense(change, text):
    assert text in made_up(change)


def test_a_state_of_another_model_is_refused():
    _, stream = lived(0)
    with pytest.raises(StoreError, match="belongs to another model"):
        lived(1)[1].state = stream.state


def test_one_weight_or_one_class_makes_another_model():
    model, stream = lived()
    weights = {name: array.copy() for name, array in model.weights.items()}
    weights["head.bias"][0] = np.nextafter(weights["head.bias"][0], np.float32(9))
    changed = type(model)(model.manifest, model.features, weights)
    classes = [*model.manifest["target"]["classes"][1:], "other"]
    renamed = type(model)(
        {**model.manifest, "target": {"classes": classes, "dtype": "<U7"}}, model.features, model.weights
    )
    for other in (changed, renamed):
        with pytest.raises(StoreError, match="belongs to another model"):
            other.stream().state = stream.state
    again = type(model)({**model.manifest, "channel_names": ["x"]}, model.features, model.weights)
    again.stream().state = stream.state


@pytest.mark.parametrize("what", [None, "text", 7])
def test_what_is_no_bytes(what):
    with pytest.raises(StoreError, match="stream state: must be the bytes that .state gave; got"):
        lived()[1].state = what


def test_states_of_the_other_kernels_are_taken():
    if not recurra.kernels.describe()["native"]:
        pytest.skip("the compiled extension is not there")
    rng = np.random.default_rng(3)
    model = random_model(rng, task="classification", cell="lstm", pooling="mean", missing="mask")
    rows = recording_for(rng, model, 9)
    whole = model.predict_proba([rows])[0]
    for first, second in (("native", "reference"), ("reference", "native")):
        with recurra.kernels.use(first):
            begun = model.stream()
            begun.push(rows[:4])
        with recurra.kernels.use(second):
            stream = model.stream()
            stream.state = begun.state
            np.testing.assert_allclose(stream.push(rows[4:]).probabilities, whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["steps", "window"])
def test_a_look_ahead_state_that_makes_no_sense(name):
    model = random_model(np.random.default_rng(4), task="labeling", missing="error")
    stream = model.stream(look_ahead=2)
    stream.push(recording_for(np.random.default_rng(5), model, 4))
    manifest, arrays = store.loads(stream.state)
    if name == "steps":
        manifest["steps"] = -1
    else:
        arrays["window"] = arrays["window"][:1]
    other = model.stream(look_ahead=2)
    with pytest.raises(RecurraError, match=name):
        other.state = store.dumps(manifest, arrays)
    assert other.steps == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda m, a: m.update(names=["a", "a"]),
        lambda m, a: m.update(names=[1, 2]),
        lambda m, a: m.update(names=["a"]),
        lambda m, a: a.pop("counts.steps"),
        lambda m, a: a.update({"network.h": a["network.h"][:1]}),
    ],
)
def test_a_state_of_many_that_makes_no_sense(change):
    model, _ = lived()
    streams = recurra.Streams(model)
    row = np.zeros(model.features.n_channels)
    streams.step({"a": row, "b": row})
    manifest, arrays = store.loads(streams.state)
    before = streams.state
    change(manifest, arrays)
    with pytest.raises(StoreError, match="stream state"):
        streams.state = store.dumps(manifest, arrays)
    assert streams.state == before
