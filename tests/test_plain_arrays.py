"""Arrays of every kind are read as what they hold, or refused in one sentence that says what to do."""

import array
import datetime
import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import recurra
from recurra.errors import DataError, RecurraWarning, ShapeError
from recurra.plain_arrays import as_sequences, mean_of_known, plain, spread_of_known
from recurra.readers.tables import series

RNG = np.random.default_rng(0)
Y = np.arange(12) % 2
X = [RNG.normal(size=(5, 2)) + k for k in Y]
HOLES = [x.copy() for x in X]
HOLES[0][1, 0] = HOLES[3][4, 1] = np.nan


def small(kind=recurra.SequenceClassifier, **words):
    return kind(hidden_size=3, max_epochs=1, random_state=0, verbose=0, **words)


def masked(x):
    return np.ma.array(np.where(np.isnan(x), 7e5, x), mask=np.isnan(x))


@pytest.mark.parametrize(
    "given",
    [
        [masked(x) for x in HOLES],
        np.ma.stack([masked(x) for x in HOLES]),
        [[masked(row) for row in x] for x in HOLES],
        [torch.tensor(x, requires_grad=True) for x in HOLES],
        torch.tensor(np.stack(HOLES), requires_grad=True),
        [pd.DataFrame(x).convert_dtypes().to_numpy() for x in HOLES],
        [x.astype(">f8") for x in HOLES],
        [np.asarray(x, np.longdouble) for x in HOLES],
        [x.view(np.matrix) for x in HOLES],
    ],
    ids=[
        "masked",
        "masked 3-D",
        "masked rows",
        "grad",
        "grad 3-D",
        "pandas NA",
        "big-endian",
        "long",
        "matrix",
    ],
)
def test_kinds_of_arrays_give_the_same_answers(given):
    expected = small(missing="mask").fit(HOLES, Y).predict_proba(HOLES)
    np.testing.assert_array_equal(small(missing="mask").fit(given, Y).predict_proba(given), expected)
    loaded = recurra.load(given)
    for record, values in zip(loaded, HOLES, strict=True):
        np.testing.assert_array_equal(record.values, values)


def test_masked_table_and_stream():
    table = np.ma.masked_invalid(np.where(RNG.random((12, 6)) < 0.1, np.nan, RNG.normal(size=(12, 6))))
    model = small(missing="mask").fit(table, Y)
    expected = model.predict_proba(table.filled(np.nan)[:, :])
    np.testing.assert_array_equal(model.predict_proba(table), expected)
    stream = small(missing="mask").fit(HOLES, Y).stream()
    one, other = stream.push(masked(HOLES[0])), small(missing="mask").fit(HOLES, Y).stream().push(HOLES[0])
    assert one.steps == other.steps
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_nullable_frames():
    frames = [pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64"), "b": [1.0, 2.0, k]}) for k in Y]
    plain_ones = [np.array([[1, 1.0], [np.nan, 2.0], [3, k]]) for k in Y]
    model = small(missing="mask").fit(frames, Y)
    np.testing.assert_array_equal(model.predict_proba(frames), model.predict_proba(plain_ones))


class Interface:
    def __init__(self, array):
        self.__array_interface__ = array.__array_interface__


class Like:
    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class Doubling(np.ndarray):
    """Means twice what it holds, to who asks it item by item."""

    def __getitem__(self, key):
        return np.asarray(self)[key] * 2


def as_object(value):
    out = np.empty((), dtype=object)
    out[()] = value
    return out


def as_rows(x):
    out = np.empty(len(x), dtype=object)
    out[:] = list(x)
    return out


def made_in_inference_mode(x):
    with torch.inference_mode():
        return torch.tensor(x)


SAME = {
    "interface": Interface,
    "like an array": Like,
    "subclass": lambda x: x.view(Doubling),
    "reversed": lambda x: x[::-1].copy()[::-1],
    "memory": lambda x: memoryview(np.ascontiguousarray(x)),
    "object of no dimension": as_object,
    "object of no dimension, a list": lambda x: as_object(x.tolist()),
    "objects of rows": as_rows,
    "rows of tensors": lambda x: as_rows(list(torch.tensor(x))),
    "numbers of no dimension": lambda x: [[np.array(v) for v in row] for row in x],
    "tensors of no dimension": lambda x: [[torch.tensor(v, dtype=torch.float64) for v in row] for row in x],
    "array.array": lambda x: [array.array("d", row) for row in x],
    "decimals": lambda x: np.array([[decimal.Decimal(repr(float(v))) for v in row] for row in x]),
    "Float64": lambda x: pd.DataFrame(x).astype("Float64"),
    "sparse columns": lambda x: pd.DataFrame(x).astype(pd.SparseDtype(float)),
    "categories": lambda x: pd.DataFrame(x).astype("category"),
    "columns of two levels": lambda x: pd.DataFrame(
        x, columns=pd.MultiIndex.from_product([["a"], ["x", "y"]])
    ),
    "sparse tensor": lambda x: torch.tensor(x).to_sparse(),
    "negated tensor": lambda x: torch._neg_view(torch.tensor(-x)),
    "imaginary part": lambda x: torch.tensor(x * -1j).conj().imag,
    "parameter": lambda x: torch.nn.Parameter(torch.tensor(x)),
    "inference mode": made_in_inference_mode,
    "nested tensor": lambda x: torch.nested.nested_tensor(list(torch.tensor(x))),
    "masked tensor": lambda x: torch.masked.masked_tensor(torch.tensor(x), torch.tensor(x == x)),
    "MKL-DNN": lambda x: torch.tensor(x, dtype=torch.float32).to_mkldnn(),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("make", SAME.values(), ids=SAME)
def test_arrays_of_any_library_hold_the_same_numbers(make):
    for record, values in zip(recurra.load([make(x) for x in X], labels=list(Y)), X, strict=True):
        assert record.values.shape == values.shape
        np.testing.assert_allclose(record.values, values, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_tensors_and_columns_say_is_missing_is_nan():
    holes = HOLES[0]
    given = [
        torch.masked.masked_tensor(torch.tensor(holes).nan_to_num(7.0), torch.tensor(~np.isnan(holes))),
        pd.DataFrame(holes).astype(pd.SparseDtype(float)),
        pd.DataFrame(holes).astype("Float64"),
        np.ma.masked_invalid(holes),
    ]
    for record in recurra.load(given):
        np.testing.assert_array_equal(record.values, holes)
    zeros = recurra.load([torch._efficientzerotensor((3, 2))])[0].values
    np.testing.assert_array_equal(zeros, np.zeros((3, 2)))
    nested = recurra.load(torch.nested.nested_tensor([torch.tensor(X[0]), torch.tensor(X[1][:2])]))
    assert nested.lengths.tolist() == [5, 2]


class Quantity(np.ndarray):
    unit = "m"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.rec.fromarrays(X[0].T, names="a,b"), "has named fields ['a', 'b']; pass its columns as a table"),
        (np.ma.array([(1.0, 2.0)] * 5, dtype=[("a", float), ("b", float)]), "has named fields ['a', 'b']"),
        (as_rows([[1.0, 2.0], [3.0]]), "must have as many values at every step"),
        (as_rows([{"a": 1}, {"a": 2}]), "must hold numbers; got"),
        (X[0].astype("M8[s]"), "must hold numbers; got"),
        (X[0] + 1j, "must hold real numbers. Complex data not supported"),
        (torch.tensor(X[0]) + 1j, "must hold real numbers. Complex data not supported"),
        (torch.empty(3, 2, device="meta"), "is a tensor without values"),
        (scipy.sparse.csr_array(X[0]), "is a sparse array; pass it as a full one with toarray()"),
        (X[0].view(Quantity), "has units, which are not read"),
        ([[1.0, 2.0], [3.0]], "must have as many values at every step"),
        (np.full((3, 2), 2**53 + 1), "holds the whole number 9007199254740993"),
        (np.full((3, 2), 2**64 - 1, np.uint64), "holds the whole number 18446744073709551615"),
        (np.full((3, 2), "1e400", np.longdouble), "holds a number beyond those of 64 bits"),
        ([[10**400, 1]], "must hold numbers; got '1000"),
    ],
)
def test_what_cannot_be_read_is_refused(value, words):
    for call in (lambda: small().fit([value] * 12, Y), lambda: recurra.load([value] * 12, labels=list(Y))):
        with pytest.raises((DataError, ShapeError)) as caught:
            call()
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_half_precision_does_not_overflow():
    wide = [(x * 5000 + 4e4).astype(np.float16) for x in X]
    assert recurra.load(wide)[0].values.dtype == np.float32
    expected = (
        small().fit([x.astype(np.float32) for x in wide], Y).predict_proba([wide[0].astype(np.float32)])
    )
    np.testing.assert_array_equal(small().fit(wide, Y).predict_proba(wide[:1]), expected)


ESTIMATORS = {
    "classifier": lambda x: small().fit(x, Y),
    "regressor": lambda x: small(recurra.SequenceRegressor).fit(x, Y),
    "labeler": lambda x: small(recurra.SequenceLabeler).fit(x, [[0, 1, 0, 1, 1]] * 12),
    "detector": lambda x: small(recurra.AnomalyDetector).fit([np.tile(own, (20, 1)) for own in x]),
    "forecaster": lambda x: small(recurra.Forecaster, horizon=2).fit(
        [np.tile(own, (20, 1))[:, 0] for own in x]
    ),
}


@pytest.mark.parametrize("fit", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize(
    ("factor", "words"),
    [(1e200, "values must be below 1e+100"), (1e-300, "values must reach 1e-100"), (1e80, ""), (1e-80, "")],
)
def test_values_out_of_range_are_refused_by_every_estimator(fit, factor, words):
    given = [x * factor for x in X]
    if not words:
        fit(given)
        return
    with pytest.raises(DataError) as caught:
        fit(given)
    assert words in str(caught.value)


@pytest.mark.parametrize(("factor", "words"), [(1e300, "below 1e+100"), (1e-300, "must reach 1e-100")])
def test_targets_out_of_range_are_refused(factor, words):
    with pytest.raises(DataError) as caught:
        small(recurra.SequenceRegressor).fit(X, Y * factor)
    assert words in str(caught.value)


def test_a_tiny_channel_beside_large_ones_and_zeros_is_fine():
    small().fit([np.concatenate([x * 1e-150, x], axis=0) for x in X], Y)
    small().fit([x * [0, 1] for x in X], Y)


def test_huge_weights_are_refused():
    with pytest.raises(DataError, match=r"sample_weight must be at most 1e\+30"):
        small().fit(X, Y, sample_weight=np.full(12, 1e300))


BAD_LABELS = {
    "dates": np.array(["2020-01-01", "2020-01-02"] * 6, "M8[D]"),
    "python dates": [datetime.date(2020, 1, 1 + k) for k in Y],
    "tuples": [(1, 2), (3, 4)] * 6,
    "ragged tuples": [(1,), (3, 4)] * 6,
    "mixed": [1, "a"] * 6,
    "true and number": np.array([True, 2] * 6, object),
    "bytes": [b"a", b"b"] * 6,
    "bytes as objects": np.array([b"a", b"b"] * 6, object),
    "structures": np.array([(1, 2), (3, 4)] * 6, dtype=[("a", int), ("b", int)]),
    "complex": [1j, 2j] * 6,
    "beyond 64 bits": [2**70, 1] * 6,
    "periods": pd.period_range("2020", "2021", freq="Y").repeat(6),
    "masked": np.ma.array(Y, mask=np.arange(12) == 3),
}


@pytest.mark.parametrize("labels", BAD_LABELS.values(), ids=BAD_LABELS)
def test_labels_that_cannot_be_saved_are_refused_before_training(labels):
    with pytest.raises(DataError) as caught:
        small().fit(X, labels)
    assert "y" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "labels", [[True, False] * 6, pd.Categorical(["a", "ü"] * 6), pd.array([3, 4] * 6, dtype="Int64")]
)
def test_labels_that_can_be_saved_come_back(labels, tmp_path):
    model = small().fit(X, labels)
    model.save(tmp_path / "m.recurra")
    assert recurra.load_model(tmp_path / "m.recurra").classes_.tolist() == sorted(
        set(np.asarray(labels).tolist())
    )


def test_step_labels_are_held_to_the_same_rule():
    with pytest.raises(DataError, match="all of one kind"):
        small(recurra.SequenceLabeler).fit(X, [[1, "a", 1, "a", 1]] * 12)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"] * 6,
        [0, 1] * 6,
        [0.5, 1.5] * 6,
        np.arange(12) % 2,
        np.array(["a", "b"] * 6),
        pd.Series(["a", "b"] * 6),
        pd.Categorical(["a", "b"] * 6),
        torch.arange(12) % 2,
        [np.array(0), np.array(1)] * 6,
        ["aaaaa", "babab"] * 6,
        [["a"] * 5] * 11 + ["b"],
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_one_label_a_sequence_is_no_label_per_time_step(labels):
    with pytest.raises(
        DataError, match="one label per time step; got .* for the whole of it.*SequenceClassifier"
    ):
        small(recurra.SequenceLabeler).fit(X, labels)
    fitted = small(recurra.SequenceLabeler).fit(X, [["a", "b"] * 2 + ["a"]] * 12)
    for judge in (fitted.fit, fitted.evaluate, fitted.score, fitted.gradient_flow):
        with pytest.raises(DataError, match="one label per time step; got"):
            judge(X, labels)
    with pytest.raises(DataError, match="one label per time step; got"):
        small(recurra.SequenceLabeler).fit(X, [["a", "b"] * 2 + ["a"]] * 12, validation=(X, labels))


ANSWERS = {
    recurra.SequenceClassifier: Y,
    recurra.SequenceLabeler: [["a", "b"] * 2 + ["a"]] * 12,
    recurra.SequenceRegressor: Y * 1.5,
}


@pytest.mark.parametrize("kind", ANSWERS, ids=lambda kind: kind.__name__)
def test_a_single_value_or_too_few_are_no_answers(kind):
    good = ANSWERS[kind]
    fitted = small(kind).fit(X, good)
    for judge in (small(kind).fit, fitted.evaluate, fitted.score, fitted.gradient_flow):
        for single in (1, 1.5, "walk", np.array(1), np.float64(2), b"walk"):
            with pytest.raises(
                DataError, match="one entry per sequence; got the single value .*12 sequences"
            ):
                judge(X, single)
        with pytest.raises(DataError, match="12 sequences.* 5 (labels|entries)"):
            judge(X, good[:5])


def test_labels_per_step_are_no_labels_of_sequences():
    fitted = small().fit(X, Y)
    for judge in (fitted.evaluate, fitted.score, fitted.gradient_flow):
        with pytest.raises(DataError, match="use SequenceLabeler"):
            judge(X, [["a", "b", "a", "b", "a"]] * 12)


LENGTHS = np.array([3, 5, 1, 5, 2, 4] * 2)
PADDED = np.full((12, 5, 2), np.nan)
for _i, _n in enumerate(LENGTHS):
    PADDED[_i, :_n] = X[_i][:_n]


@pytest.mark.parametrize(
    "padded", [PADDED, PADDED[:, :, :1], PADDED[:, :, 0]], ids=["3-D", "one channel", "2-D"]
)
@pytest.mark.parametrize("missing", ["error", "mask"])
def test_padding_is_never_read_as_missing_values_unseen(padded, missing):
    for fit in (
        lambda x: small(missing=missing).fit(x, Y),
        lambda x: small(recurra.SequenceRegressor, missing=missing).fit(x, Y),
        lambda x: small(recurra.AnomalyDetector).fit(x),
        lambda x: small(recurra.Forecaster, horizon=1).fit(x),
        lambda x: (
            small(missing=missing).fit(X if x.shape[2:] == (2,) else [o[:, :1] for o in X], Y).predict(x[:1])
        ),
    ):
        with pytest.raises(
            ShapeError, match=r"ends in steps without any value.*recurra.load\(X, lengths='nan'\)"
        ):
            fit(padded)
    assert "pass lengths='nan'" in recurra.load(padded).notes[0]


def test_padding_ends_sequences_where_told():
    cut = recurra.load(PADDED, labels=Y, lengths="nan")
    assert cut.lengths.tolist() == LENGTHS.tolist()
    assert recurra.load(list(PADDED), lengths="nan").lengths.tolist() == LENGTHS.tolist()
    expected = small().fit([x[:n] for x, n in zip(X, LENGTHS, strict=True)], Y).predict_proba([X[0][:3]])
    np.testing.assert_array_equal(
        small().fit(cut).predict_proba(recurra.load(PADDED[:1], lengths="nan")), expected
    )
    steps = recurra.load(PADDED, labels=np.zeros((12, 5), int), lengths="nan")
    assert [len(r.label) for r in steps] == LENGTHS.tolist()


def test_a_dataset_that_looks_padded_is_told_when_it_is_masked():
    with pytest.warns(RecurraWarning, match="8 of 12 sequences end in steps without any value"):
        small(missing="mask").fit(recurra.load(PADDED), Y)


def test_channels_before_time_are_named():
    with pytest.raises(ShapeError, match=r"pass X.transpose\(0, 2, 1\)"):
        small(missing="mask").fit(PADDED.transpose(0, 2, 1), Y)


def test_plain_leaves_what_is_no_array():
    assert plain([1, 2], "X") == [1, 2]
    assert plain(None, "X") is None


def test_means_of_what_is_known_are_numpys_and_warn_of_nothing():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 5, 3))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[0] = values[:, :, 1] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmean(values, axis=(1, 2)), np.nanmean(values, axis=0), np.nanstd(values[1], axis=0)
    np.testing.assert_allclose(mean_of_known(values, (1, 2)), expected[0])
    np.testing.assert_allclose(mean_of_known(values, 0), expected[1])
    np.testing.assert_allclose(spread_of_known(values[1]), np.nan_to_num(expected[2]))
    assert spread_of_known(np.zeros((0, 2))).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", "int64[pyarrow]"])
@pytest.mark.parametrize("number", [2**53 + 1, 2**60 + 1, 10**18 + 1])
def test_whole_numbers_beside_floats_in_a_frame_are_kept_or_refused(dtype, number):
    frame = pd.DataFrame({"ids": pd.array([number, 5], dtype=dtype), "x": [0.5, 1.5]})
    with pytest.raises(DataError, match=str(number)):
        as_sequences([frame])
    fine = as_sequences([pd.DataFrame({"n": pd.array([2**53, 5], dtype=dtype), "x": [0.5, 1.5]})])[0]
    assert fine.astype(np.float64).tolist() == [[2.0**53, 0.5], [5.0, 1.5]]
    dated = pd.DataFrame({"y": pd.array([number] * 9, dtype=dtype)}, index=pd.date_range("2024", periods=9))
    with pytest.raises(DataError, match=str(number)):
        series.from_frame("X", dated)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_at_the_end_of_a_series_is_no_future(value):
    frame = pd.DataFrame({"y": [1.0, 2.0, 3.0, value]}, index=pd.date_range("2024", periods=4))
    assert series.from_frame("X", frame)[0].values[:, 0].tolist() == [1.0, 2.0, 3.0, value]


@pytest.mark.parametrize("cells", [[[1, 2], [3, 4], 5], [[1, 2], [3, 4]], [[1], 2.0], [{"a": 1}, 2]])
def test_cells_of_a_frame_that_are_no_numbers(cells):
    with pytest.raises(DataError, match="sequence 0 must hold numbers"):
        as_sequences([pd.DataFrame({"y": pd.Series(cells, dtype=object), "z": 1.0})])


@pytest.mark.parametrize("X", [{"a": np.ones((3, 2))}, {}, pd.Series({"a": 1}).to_dict()])
def test_a_dictionary_is_no_list_of_sequences(X):
    with pytest.raises(DataError, match=r"got dict. Pass list\(X.values\(\)\)"):
        as_sequences(X)
