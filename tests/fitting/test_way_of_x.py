"""What `fit` does once: few changes of file before the first kernel call, data hashed and looked at once."""

import hashlib
import sys

import numpy as np
import pytest

import recurra
import recurra.array_summaries
from recurra.array_summaries import Findings, look_at, look_at_all
from recurra.inspection.inspection import inspect
from recurra.records import Dataset, Record, RunData

# Counted with any number of sequences: 71, and 72 where the options are left to the data; calls from a file into another,
# returned from or not: 86. Whoever gets lower lowers the bounds.
MOST_CHANGES, MOST_CALLS = 72, 86


def sequences(count: int) -> list[np.ndarray]:
    return [np.random.default_rng(i).normal(size=(40 + i % 5, 2)) for i in range(count)]


def classifier(**options) -> recurra.SequenceClassifier:
    return recurra.SequenceClassifier(max_epochs=1, hidden_size=8, verbose=0, random_state=0, **options)


def changes_of_file(estimator: recurra.SequenceClassifier, count: int) -> tuple[int, int]:
    """Return how often the file changes from call to call before the first kernel call, and from caller to called."""
    files: list[str] = []
    across, done = [0], [False]

    def caller(frame):
        while (frame := frame.f_back) is not None:
            if "/recurra/" in frame.f_code.co_filename and "/tests/" not in frame.f_code.co_filename:
                return frame.f_code.co_filename
        return None

    def note(frame, event, arg):
        name = frame.f_code.co_filename
        if done[0] or event != "call" or "/recurra/" not in name or "/tests/" in name:
            return
        if not files or files[-1] != name:
            files.append(name)
        across[0] += caller(frame) not in (None, name)
        done[0] = frame.f_code.co_name == "forward_pass"

    X, y = sequences(count), ["a", "b"] * (count // 2)
    sys.setprofile(note)
    try:
        estimator.fit(X, y)
    finally:
        sys.setprofile(None)
    assert done[0], "no kernel was called"
    return len(files) - 1, across[0]


@pytest.mark.parametrize("options", [{}, {"max_epochs": 1, "hidden_size": 8}], ids=["recipe", "options"])
def test_few_changes_of_file_before_the_first_kernel_call(options):
    def make():
        return recurra.SequenceClassifier(verbose=0, random_state=0, **options)

    make().fit(sequences(4), ["a", "b"] * 2)  # what is imported or cached at first
    few, many = changes_of_file(make(), 4), changes_of_file(make(), 24)
    assert few == many, "a station looks at one sequence a call"
    assert many[0] <= MOST_CHANGES
    assert many[1] <= MOST_CALLS


def run_data(count: int) -> RunData:
    y = ["a", "b"] * (count // 2)
    return RunData.of(
        Dataset([Record(x, label) for x, label in zip(sequences(count), y, strict=True)]), Findings()
    )


def test_training_data_are_hashed_at_most_three_times(monkeypatch, tmp_path):
    from recurra.batches.training_digests import TrainedOn
    from recurra.runs.data.identity import digest

    data, hashed, real = run_data(60), [0], hashlib.blake2b

    class Counted:
        def __init__(self, first=b"", **options):
            self.inner = real(**options)
            self.update(first)

        def update(self, part):
            hashed[0] += memoryview(part).nbytes
            self.inner.update(part)

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(hashlib, "blake2b", Counted)
    digest(data)
    train, _ = data.split(0.2)
    inspect(data, train=train, test=None)
    classifier(checkpoint_dir=tmp_path).fit(train)
    TrainedOn.of(train)
    digest(train)
    assert hashed[0] <= 3 * sum(x.nbytes for x in data.X)


def test_a_value_is_looked_at_once(monkeypatch):
    looked, real_all = [0], recurra.array_summaries.look_at_all

    def counted(arrays):
        looked[0] += sum(array.size for array in arrays)
        return real_all(arrays)

    monkeypatch.setattr(recurra.array_summaries, "look_at_all", counted)
    data = run_data(60)
    size = sum(x.size for x in data.X)
    for name in ("isnan", "isfinite", "isinf", "abs"):  # a comparison of magnitudes is a look too
        real = getattr(np, name)

        def count(x, *args, _real=real, _name=name, **options):
            looking = sys._getframe(1).f_code.co_name in ("look_at", "_look_together")
            if not looking and np.asarray(x).dtype == np.float64:
                column = np.ndim(x) == 1 and np.size(x) > 1000 and _name != "abs"
                looked[0] += np.size(x) if column or np.ndim(x) == 2 else 0
            return _real(x, *args, **options)

        monkeypatch.setattr(np, name, count)
    inspect(data)
    data.summary()
    classifier().fit(data)
    assert looked[0] == size


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int16, bool])
def test_a_look_tells_range_missing_and_infinite_values(dtype):
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(dtype)
    look = look_at(values)
    np.testing.assert_array_equal(look.low, values.min(axis=0).astype(np.float64))
    np.testing.assert_array_equal(look.high, values.max(axis=0).astype(np.float64))
    assert look.complete
    assert look.finite
    if np.dtype(dtype).kind == "f":
        values[3, 0], values[4:6, 1], values[:, 2] = np.nan, -np.inf, np.nan
        look = look_at(values)
        assert look.missing.tolist() == [1, 0, 50]
        assert look.infinite.tolist() == [0, 2, 0]
        assert look.largest[2] == 0
        assert look.low[2] == np.inf
        kept = np.delete(values[:, 1], [4, 5])
        assert look.low[1] == kept.min()
        assert not look.complete
        assert not look.finite


def test_looks_together_are_those_one_by_one():
    arrays = [np.random.default_rng(i).normal(size=(1 + i % 7, 1 + (i > 30))) for i in range(60)]
    arrays[5][0, 0], arrays[40][0, 1] = np.nan, np.inf
    arrays[50] = arrays[50].astype(np.float32)
    arrays[55] = np.arange(6).reshape(3, 2)
    for look, array in zip(look_at_all(arrays), arrays, strict=True):
        for name, value in vars(look_at(array)).items():
            np.testing.assert_array_equal(getattr(look, name), value)


def test_findings_are_of_the_object_and_keep_none_alive():
    import gc
    import weakref

    findings, array = Findings(), np.zeros(3)
    calls = []

    def sums(arrays):
        calls.append(len(arrays))
        return [float(one.sum()) for one in arrays]

    other = array + 1
    assert findings.of("sum", [array], sums) == [0]
    assert findings.of("sum", [other, array], sums) == [3, 0]
    assert findings.of("sum", [other, array], sums) == [3, 0]
    assert calls == [1, 1]
    gone = weakref.ref(array)
    del array
    gc.collect()
    assert gone() is None


def test_findings_of_several_kinds_do_not_mix():
    rng = np.random.default_rng(0)
    findings, arrays = Findings(), [rng.normal(size=3) for _ in range(6)]
    asked = {kind: [] for kind in ("sum", "least", "none")}
    find = {"sum": np.sum, "least": np.min, "none": lambda array: None}  # None is a finding too
    for _ in range(60):
        kind = str(rng.choice(list(asked)))
        some = [int(i) for i in rng.permutation(6)[: rng.integers(1, 6)]]

        def found(unknown, kind=kind):
            numbers = [next(i for i, one in enumerate(arrays) if one is array) for array in unknown]
            asked[kind] += numbers
            return [find[kind](array) for array in unknown]

        answers = findings.of(kind, [arrays[i] for i in some], found)
        assert answers == [find[kind](arrays[i]) for i in some]
    assert all(sorted(numbers) == sorted(set(numbers)) for numbers in asked.values())  # each once
    kept = arrays[2]
    arrays[2] = np.full(3, 7.0)
    assert findings.of("sum", [arrays[2]], lambda unknown: [21.0]) == [21.0]
    assert findings.of("sum", [kept], lambda unknown: pytest.fail("is known")) == [kept.sum()]


def test_findings_of_an_array_that_is_gone_are_not_those_of_the_next_in_its_place():
    findings, places = Findings(), set()
    for number in range(100):
        array = np.full(3, float(number))
        places.add(id(array))
        assert findings.of("sum", [array], lambda unknown: [float(one.sum()) for one in unknown]) == [
            3 * number
        ]
        del array
    assert len(places) < 100
