"""A stream equals the whole: cut anywhere, saved and restored anywhere, in another process too."""

import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from models import CELLS, POOLINGS, SIDE_BY_SIDE, chunks, random_model, recording_for
from recurra.errors import DataError, ShapeError, UsageError
from recurra.features.chain import Chain
from recurra.features.rows.streaming import ChainStream

# Promise 1 of ARCHITECTURE.md: the same bits with the native kernels; the reference hides the order of its sums.
TOLERANCE = {"native": 0.0, "reference": 1e-6}


@pytest.fixture(params=["native", "reference"])
def kernels(request):
    if request.param == "native" and not recurra.kernels.describe()["native"]:
        pytest.skip("the compiled extension is not there")
    with recurra.kernels.use(request.param):
        yield request.param


def assert_same(found, expected, kernels):
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[kernels], strict=True)


def assert_stream_equals_whole(model, pieces, kernels, swap=None):
    """Feed the pieces; at piece ``swap`` go on in another stream. Compare with the whole after each piece."""
    stream = model.stream()
    so_far, labels, shares = [], [], []
    for index, piece in enumerate(pieces):
        if index == swap:
            state, stream = stream.state, model.stream()
            stream.state = state
        answer = stream.push(piece) if len(piece) != 1 else stream.step(piece[0])
        so_far.extend(piece)
        assert answer.steps == stream.steps == len(so_far)
        if model.task == "labeling":
            labels.extend(answer.labels)
            shares.extend(answer.probabilities)
        elif so_far:
            whole = [np.array(so_far)]
            expected = model.predict(whole)[0]
            if model.task == "regression":
                assert_same(np.asarray(answer.value), np.asarray(expected), kernels)
            else:
                assert answer.label == expected
                assert_same(answer.probabilities, model.predict_proba(whole)[0], kernels)
        else:
            assert answer.label is None
            assert answer.value is None
    if model.task == "labeling" and so_far:
        assert labels == model.predict([np.array(so_far)])[0].tolist()
        assert_same(np.array(shares), model.predict_proba([np.array(so_far)])[0], kernels)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_stream_cut_anywhere_equals_the_whole(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    pieces = chunks(rng, recording_for(rng, model, int(rng.integers(1, 25))))
    swap = int(rng.integers(0, len(pieces)))
    for which in ("native", "reference") if recurra.kernels.describe()["native"] else ("reference",):
        with recurra.kernels.use(which):
            assert_stream_equals_whole(model, pieces, which, swap=swap)


@pytest.mark.parametrize("pooling", [*POOLINGS, *SIDE_BY_SIDE, "none"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_pooling_row_by_row(kernels, cell, pooling):
    rng = np.random.default_rng(1)
    task = "labeling" if pooling == "none" else "classification"
    for missing in ("error", "mask"):
        model = random_model(rng, task=task, cell=cell, pooling=pooling, missing=missing)
        rows = recording_for(rng, model, 12)
        assert_stream_equals_whole(model, [rows[i : i + 1] for i in range(12)], kernels, swap=5)


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.int64, list])
def test_numbers_of_every_kind(kernels, kind):
    rng = np.random.default_rng(2)
    model = random_model(rng, task="classification", channels=2, missing="error")
    whole = np.round(rng.normal(0, 5, (6, 2)))
    stream = model.stream()
    for row in whole:
        answer = stream.step(row.tolist() if kind is list else row.astype(kind))
    assert_same(answer.probabilities, model.predict_proba([whole])[0], kernels)


def test_rows_that_are_not_contiguous(kernels):
    rng = np.random.default_rng(3)
    model = random_model(rng, task="classification", channels=3, missing="error")
    turned = np.ascontiguousarray(recording_for(rng, model, 5).T)
    stream = model.stream()
    for step in range(5):
        answer = stream.step(turned[:, step])
    assert_same(answer.probabilities, model.predict_proba([turned.T])[0], kernels)


def test_the_reference_streams_in_double_as_it_predicts():
    rng = np.random.default_rng(0)
    with recurra.kernels.use("reference"):
        model = random_model(
            rng, task="regression", cell="rnn", hidden_size=60, num_layers=2, missing="error"
        )
        for weight in model.weights.values():
            weight *= 1.5  # no longer contracting: single precision would show
        rows = recording_for(rng, model, 60)
        found = model.stream().push(rows)._outputs
        np.testing.assert_allclose(found, model.outputs([rows])[0], rtol=1.2e-7, atol=6e-8)


def test_an_answer_is_not_changed_by_later_steps(kernels):
    rng = np.random.default_rng(4)
    model = random_model(rng, task="classification", missing="error")
    rows = recording_for(rng, model, 3)
    stream = model.stream()
    first = stream.step(rows[0])
    before = first.probabilities.copy(), first.label
    stream.push(rows[1:])
    np.testing.assert_array_equal(first.probabilities, before[0])
    assert first.label == before[1]


def test_reset_begins_a_new_sequence(kernels):
    rng = np.random.default_rng(5)
    model = random_model(rng, task="classification", missing="mask", pooling="attention")
    rows = recording_for(rng, model, 9)
    stream = model.stream()
    stream.push(rows[:4])
    stream.reset()
    assert stream.steps == 0
    assert_same(stream.push(rows[4:]).probabilities, model.predict_proba([rows[4:]])[0], kernels)


def test_two_streams_of_one_model_do_not_meet(kernels):
    rng = np.random.default_rng(6)
    model = random_model(rng, task="classification", missing="mask")
    one, two = recording_for(rng, model, 6), recording_for(rng, model, 6)
    first, second = model.stream(), model.stream()
    for a, b in zip(one, two, strict=True):
        found = first.step(a), second.step(b)
    assert_same(found[0].probabilities, model.predict_proba([one])[0], kernels)
    assert_same(found[1].probabilities, model.predict_proba([two])[0], kernels)


def test_state_restored_in_another_process(tmp_path):
    rng = np.random.default_rng(7)
    model = random_model(rng, task="classification", missing="mask")
    rows = recording_for(rng, model, 8)
    model.save(tmp_path / "m.recurra")
    stream = model.stream()
    (tmp_path / "state").write_bytes(stream.push(rows[:5]).state)
    np.save(tmp_path / "rest.npy", rows[5:])
    code = f"""
import numpy as np, pathlib, recurra
folder = pathlib.Path({str(tmp_path)!r})
stream = recurra.load_model(folder / "m.recurra", runtime="light").stream()
stream.state = (folder / "state").read_bytes()
np.save(folder / "answer.npy", stream.push(np.load(folder / "rest.npy")).probabilities)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), stream.push(rows[5:]).probabilities)


def test_memory_does_not_grow(kernels):
    rng = np.random.default_rng(8)
    stream = random_model(rng, task="classification", missing="error", pooling="attention").stream()
    row = np.zeros(stream._model.features.n_channels)
    steps = 3000 if kernels == "native" else 1000
    tracemalloc.start()
    try:
        for _ in range(200):
            stream.step(row)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(steps):
            stream.step(row)
        assert tracemalloc.get_traced_memory()[0] - before < steps
    finally:
        tracemalloc.stop()


def test_latency_counts_every_call():
    rng = np.random.default_rng(9)
    stream = random_model(rng, channels=2, missing="error").stream()
    for _ in range(5):
        stream.step([1.0, 2.0])
    stream.push(np.zeros((3, 2)))
    figures = stream.latency.summary()
    assert figures["answers"] == 6
    assert 0 < figures["p50_seconds"] <= figures["p99_seconds"] <= figures["max_seconds"] < 10


def test_state_of_an_old_answer_is_refused():
    rng = np.random.default_rng(10)
    stream = random_model(rng, channels=1, missing="error").stream()
    first = stream.step(1.0)
    assert first.state == stream.state
    stream.step(2.0)
    with pytest.raises(UsageError) as caught:
        _ = first.state
    assert str(caught.value) == (
        "Answer.state: the stream has gone on from step 1 to step 2; take the state before the next step."
    )


def test_a_bidirectional_network_says_why_and_what_to_train():
    model = random_model(np.random.default_rng(0), bidirectional=True)
    with pytest.raises(UsageError) as caught:
        model.stream()
    assert str(caught.value) == (
        "stream: this network is bidirectional: its backward direction starts at the end of the sequence, which a "
        "stream has not reached; train with bidirectional=False, or wait for N more rows with stream(look_ahead=N)."
    )


@pytest.mark.parametrize(
    ("row", "kind", "text"),
    [
        ([1.0, 2.0], ShapeError, "stream: a row must have shape (3,), one number per channel .* got shape (2,)."),
        (np.zeros((1, 3)), ShapeError, "stream: a row must have shape (3,), .* got shape (1, 3)."),
        (["a", "b", "c"], DataError, "stream: rows must hold real numbers; got <U1 such as 'a'. Convert them first."),
        ([1j, 0, 0], DataError, "stream: rows must hold real numbers; got complex128 such as '1j'. Convert them first."),
        ([None, [1], 2], DataError, "stream: rows must hold real numbers; got object .*Convert them first."),
        ([0, np.nan, 0], DataError, "stream: step 2 contains NaN in channel 1. .* train with missing='mask'."),
        ([0, 0, np.inf], DataError, "stream: step 2 contains infinity in channel 2. Leave the row out."),
        ([1e300, 0, 0], DataError, "stream: step 2 is too large for 32-bit numbers in input 0 .* Leave the row out."),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_changes_nothing(kernels, row, kind, text):
    rng = np.random.default_rng(11)
    model = random_model(rng, task="classification", channels=3, missing="error", scaling="zscore")
    rows = recording_for(rng, model, 4)
    stream = model.stream()
    stream.push(rows[:2])
    with pytest.raises(kind) as caught:
        stream.step(np.array(row, dtype=object) if None in row else row)
    assert re.fullmatch(re.escape(text).replace(r"\.\*", ".*"), str(caught.value))
    assert_same(stream.push(rows[2:]).probabilities, model.predict_proba([rows])[0], kernels)


def test_a_chunk_of_the_wrong_shape():
    stream = random_model(np.random.default_rng(0), channels=3, missing="error").stream()
    with pytest.raises(ShapeError, match=r"stream: rows must have shape \(time, 3\), .* got shape \(3,\)"):
        stream.push([1.0, 2.0, 3.0])


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_a_refused_row_leaves_the_last_values_seen(value):
    rng = np.random.default_rng(12)
    model = random_model(rng, task="classification", channels=2, missing="mask", scaling="zscore")
    stream = model.stream()
    stream.step([1.0, 2.0])
    with pytest.raises(DataError):
        stream.step([value, 3.0])
    found = stream.step([np.nan, np.nan]).probabilities
    expected = model.predict_proba([np.array([[1.0, 2.0], [np.nan, np.nan]])])[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


class EveryOther:
    """A feature that waits: the mean of two rows, every second row; not row-wise, like a spectrum."""

    def output_size(self, input_size):
        return input_size

    def transform(self, sequence):
        even = len(sequence) // 2 * 2
        return sequence[:even].reshape(-1, 2, sequence.shape[1]).mean(axis=1)

    def stream(self, input_size):
        return EveryOtherStream(input_size)

    def to_manifest(self):
        return {"name": "every_other"}, {}


class EveryOtherStream:
    row_wise = False
    delay = 1

    def __init__(self, channels):
        self._kept = np.zeros((1, channels))
        self._there = np.zeros((1, 1))

    def push(self, chunk, slot):
        rows = np.concatenate([self._kept[slot : slot + 1], chunk]) if self._there[slot, 0] else chunk
        self._there[slot] = len(rows) % 2
        self._kept[slot] = rows[-1] if len(rows) % 2 else 0
        return EveryOther().transform(rows)

    def state(self, slot):
        return {"kept": self._kept[slot].copy(), "there": self._there[slot].copy()}

    def set_state(self, slot, arrays):
        self._kept[slot], self._there[slot] = arrays["kept"], arrays["there"]

    def reset(self, slot):
        self._kept[slot] = self._there[slot] = 0

    def grow(self, slots):
        more = slots - len(self._kept)
        self._kept = np.pad(self._kept, ((0, more), (0, 0)))
        self._there = np.pad(self._there, ((0, more), (0, 0)))


def waiting_model(rng, **words):
    """Return a model whose features give one row for two."""
    model = random_model(rng, missing="error", **words)
    chain = Chain([*model.features.steps, EveryOther()], model.features.n_channels)
    return type(model)(model.manifest, chain, model.weights)


@pytest.mark.parametrize("task", ["classification", "regression", "labeling"])
def test_a_feature_that_waits_for_more_rows(kernels, task):
    rng = np.random.default_rng(13)
    model = waiting_model(rng, task=task)
    assert isinstance(model.features.stream(), ChainStream)
    assert model.features.stream().delay == 1
    rows = recording_for(rng, model, 9)
    stream = model.stream()
    first = stream.step(rows[0])
    assert first.label is None
    assert first.value is None
    answers = [first, stream.push(rows[1:4])]
    state, stream = stream.state, model.stream()
    stream.state = state
    answers.append(stream.push(rows[4:]))
    if task == "labeling":
        found = np.concatenate([a.probabilities for a in answers])
        assert_same(found, _whole(model, rows), kernels)
    elif task == "classification":
        assert_same(answers[-1].probabilities, model.predict_proba([rows])[0], kernels)
    else:
        assert_same(np.asarray(answers[-1].value), np.asarray(model.predict([rows])[0]), kernels)


def _whole(model, rows):
    from recurra.kernels.heads import pooling as heads

    return heads.softmax(model.outputs([rows]))
