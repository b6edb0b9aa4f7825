"""``missing="fill"``: gaps filled before features are computed, the same in a stream, in a file and without torch."""

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.errors import StoreError, UsageError
from recurra.features.rows.missing import FilledGaps
from recurra.records import Dataset, Record

SMALL = {"hidden_size": 4, "max_epochs": 2, "random_state": 0, "verbose": 0}
FEATURES = {"name": "statistics", "window_s": 0.2, "hop_s": 0.1}


def with_gaps(count=12, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for i in range(count):
        x = rng.normal(loc=i % 2, size=(int(rng.integers(60, 90)), 2))
        x[rng.random(x.shape) < 0.2] = np.nan
        x[:5, 1] = np.nan  # nothing before the first value
        out.append(x.astype(np.float32) if i % 3 == 0 else x)
    return out


X, Y = with_gaps(), ["ab"[i % 2] for i in range(12)]
DATA = Dataset([Record(x, label=y, sample_rate_hz=50.0) for x, y in zip(X, Y, strict=True)])


def test_the_last_value_stands_in_and_before_the_first_the_mean():
    gaps = FilledGaps.fit(
        [np.array([[1.0, np.nan], [3.0, np.nan]]), np.array([[8.0, np.nan]])], np.array([1, 2])
    )
    np.testing.assert_allclose(gaps.center, [(1 + 3 + 2 * 8) / 4, 0])
    found = gaps.transform(np.array([[np.nan, np.nan], [2, 7], [np.nan, np.nan]]))
    np.testing.assert_array_equal(found, [[5, 0], [2, 7], [2, 7]])


@pytest.fixture(
    scope="module", params=[None, FEATURES, {**FEATURES, "deltas": 1}], ids=["bare", "windows", "deltas"]
)
def fitted(request):
    return recurra.SequenceClassifier(features=request.param, missing="fill", wide=False, **SMALL).fit(DATA)


def test_a_stream_a_file_and_the_light_runtime_give_the_same(fitted, tmp_path):
    expected = fitted.predict_proba(DATA)
    assert np.isfinite(expected).all()
    fitted.save(tmp_path / "m.recurra")
    for runtime in ("full", "light"):
        loaded = recurra.load_model(tmp_path / "m.recurra", runtime=runtime)
        np.testing.assert_array_equal(loaded.predict_proba(DATA), expected)
    for x, own in zip(X[:4], expected, strict=False):
        for chunk in (1, 7, 1000):
            stream = fitted.stream()
            for first in range(0, len(x), chunk):
                answer = stream.push(x[first : first + chunk])
            np.testing.assert_array_equal(answer.probabilities, own)
        with pytest.raises(recurra.errors.DataError, match="infinity"):
            stream.push(np.array([[np.inf, 0.0]]))


def test_what_fills_must_fit_the_channels(fitted, tmp_path):
    fitted.save(tmp_path / "m.recurra")
    manifest, arrays = store.load(tmp_path / "m.recurra")
    name = next(n for n in arrays if n.endswith("0.center"))
    for bad in (np.zeros(3), np.zeros(2, np.float32), np.array([0, np.inf])):
        store.save(tmp_path / "bad.recurra", manifest, {**arrays, name: bad})
        with pytest.raises(StoreError):
            recurra.load_model(tmp_path / "bad.recurra")


def test_marks_beside_features_say_what_to_pass():
    with pytest.raises(UsageError, match="cannot stand beside features=, .* Pass missing='fill'"):
        recurra.SequenceClassifier(features=FEATURES, missing="mask", **SMALL).fit(DATA)


def test_occlusion_is_told_on_the_steps(fitted):
    assert fitted.explain(X[1], method="occlusion").values.shape == X[1].shape
