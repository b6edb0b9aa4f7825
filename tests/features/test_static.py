import json

import numpy as np
import pandas as pd
import pytest

from recurra.errors import DataError, RecurraError, RecurraWarning, ShapeError
from recurra.features.static import StaticInputs, as_table, cells_key, one_row

ROWS = [{"age": 30, "sensor": "old"}, {"age": None, "sensor": "new"}, {"age": 50.0, "sensor": "old"}]


def fitted(static=ROWS, weights=None):
    table = as_table("me", static, len(static))
    columns = StaticInputs.of("me", table)
    rows = columns.of_table("me", table)
    return columns.fitted_on("me", rows, np.ones(len(rows)) if weights is None else np.array(weights)), rows


FORMS = {
    "list of dictionaries": ROWS,
    "DataFrame": pd.DataFrame(ROWS),
    "DataFrame with nullable columns": pd.DataFrame(ROWS).astype({"age": "Float64", "sensor": "category"}),
    "dictionary of columns": {"age": [30, None, 50.0], "sensor": np.array(["old", "new", "old"])},
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_with_names_are_one_table(form):
    table = as_table("me", FORMS[form], 3)
    assert table.names == ["age", "sensor"]
    assert table.rows == [(30.0, "old"), (None, "new"), (50.0, "old")]


@pytest.mark.parametrize(
    ("static", "rows"),
    [
        (np.array([[1, 2], [3, 4]]), [(1.0, 2.0), (3.0, 4.0)]),
        (np.array([1.5, np.nan]), [(1.5,), (None,)]),
        ([1, 2], [(1.0,), (2.0,)]),
        (["a", " "], [("a",), (None,)]),
        ([(1, "a"), (True, "b")], [(1.0, "a"), ("True", "b")]),
        (np.array([[1, "a"], [None, pd.NA]], dtype=object), [(1.0, "a"), (None, None)]),
        (np.ma.array([[1.0], [2.0]], mask=[[False], [True]]), [(1.0,), (None,)]),
    ],
)
def test_forms_without_names(static, rows):
    table = as_table("me", static, 2)
    assert (table.rows, table.names) == (rows, None)


@pytest.mark.parametrize(
    ("static", "words"),
    [
        ([1, 2, 3], "must have one row per sequence, 2; got 3"),
        (np.zeros((2, 2, 2)), r"must have shape \(sequences, columns\); got \(2, 2, 2\)"),
        ([[1, 2], [3]], "same number of columns for every sequence.* sequence 0 has 2, sequence 1 has 1"),
        ([[1], None], "sequence 1 has no static inputs, others have"),
        ([{"a": 1}, {"b": 1}], "every dictionary must have the keys 'a'; that of sequence 1 has 'b'"),
        ([[1], [np.inf]], "'static_0' of sequence 1 must be a number of at most 1e.100 or text; got inf"),
        ([[1], [object]], "must be a number of at most"),
        ([[1j], [2]], "must be a number of at most"),
        ([[10**400], [2]], "must be a number of at most"),
        ({"a": [1, 2], "b": [1]}, "columns must have one length"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), "two columns have one name"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(static, words):
    with pytest.raises(RecurraError, match=words) as caught:
        as_table("me", static, 2)
    assert "\n" not in str(caught.value)


def test_numbers_are_scaled_and_missing_ones_marked():
    columns, rows = fitted()
    # The mean of 30 and 50 is 40, their deviation 10.
    assert columns.encode(rows).tolist() == [[-1, 0, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1]]
    assert columns.size == 4
    assert columns.blocks == [[0, 1], [2, 3]]
    assert columns.summed(np.array([1.0, 2, 3, 4])).tolist() == [3, 7]


def test_a_weight_of_two_is_a_sequence_twice():
    twice, _ = fitted([*ROWS, ROWS[0]])
    weighed, _ = fitted(weights=[2, 1, 1])
    assert np.isclose(twice.columns[0].center, weighed.columns[0].center)
    assert np.isclose(twice.columns[0].spread, weighed.columns[0].spread)


def test_a_constant_number_is_zero_and_a_column_without_any_value_is_refused():
    columns, rows = fitted([[0.1], [0.1], [0.1]])
    assert columns.encode(rows).tolist() == [[0], [0], [0]]
    with pytest.raises(DataError, match="'static_1' is missing for every sequence"):
        fitted([[1, None], [2, None]])


def test_columns_are_found_by_name():
    columns, rows = fitted()
    assert columns.read("me", pd.DataFrame(ROWS)[["sensor", "age"]].assign(more=1), 3) == rows
    with pytest.raises(DataError, match="static has no column 'age'.* Did you mean 'agee'"):
        columns.read("me", [{"agee": 1, "sensor": "old"}], 1)
    with pytest.raises(ShapeError, match="must have 2 columns, 'age', 'sensor'; got 3"):
        columns.read("me", [[1, "old", 2]], 1)
    with pytest.raises(DataError, match="trained with the static inputs 'age', 'sensor'"):
        columns.read("me", None, 1)
    with pytest.raises(DataError, match="'age' of sequence 0 must be a number, as in training; got 'forty'"):
        columns.read("me", [["forty", "old"]], 1)


def test_what_training_did_not_have_is_said():
    columns, _ = fitted([[1, "a"], [2, "b"]])
    rows = columns.read("me", [[None, "c"]], 1)
    assert columns.encode(rows).tolist() == [[0, 0, 0]]
    with pytest.warns(RecurraWarning) as said:
        columns.tell_unknown(rows)
    assert [str(one.message)[:80] for one in said] == [
        "static: 'static_0' is missing for 1 of 1 sequence, and was for none in training; the mean stands in its place."[
            :80
        ],
        "static: 1 of 1 sequence has a 'static_1' that the network does not know, such as 'c'; it is read as"[
            :80
        ],
    ]


def test_whole_numbers_among_categories_may_come_as_floats():
    columns, rows = fitted([[1], ["x"], [3]])
    assert rows == [("1",), ("x",), ("3",)]
    assert columns.read("me", np.array([[3.0]]), 1) == [("3",)]


def test_too_many_categories_and_too_large_numbers():
    with pytest.raises(DataError, match="has 1001 categories, more than 1000"):
        fitted([[f"n{i}"] for i in range(1001)])
    columns, _ = fitted([[1], [2]])
    with pytest.raises(DataError, match="too large for 32-bit numbers"):
        columns.encode([(1e60,)])


def test_manifest_gives_back_the_same():
    columns, rows = fitted()
    again = StaticInputs.from_manifest(json.loads(json.dumps(columns.to_manifest())))
    assert again == columns
    assert again.encode(rows).tobytes() == columns.encode(rows).tobytes()


def test_keys_are_of_the_values():
    assert (
        cells_key([3, "a", None])
        == cells_key([3.0, "a", np.nan])
        == cells_key(np.array([3, "a", ""], object))
    )
    assert len({cells_key(row) for row in ([1, "a"], ["a", 1], [None, "a"], [1.5, "a"], [1])}) == 5


@pytest.mark.parametrize(
    "row", [[3, "a"], (3, "a"), {"x": 3, "y": "a"}, np.array([3, "a"], object), [[3, "a"]]]
)
def test_one_row(row):
    assert as_table("me", one_row(row), 1).rows == [(3.0, "a")]
