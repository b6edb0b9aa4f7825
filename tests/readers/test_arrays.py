import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recurra.errors import DataError, MissingDataError, ShapeError
from recurra.readers.arrays import from_arrays, load, read_arrays


def message(kind, *args, **kwargs):
    call = read_arrays if hasattr(args[0], "suffix") else from_arrays
    with pytest.raises(kind) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_list():
    data = from_arrays(
        [np.zeros((3, 2)), [[1, 2]]], ["p", "q"], groups=[1, 2], names=["a", "b"], sample_rate_hz=5.0
    )
    assert data.lengths.tolist() == [3, 1]
    assert data.y.tolist() == ["p", "q"]
    assert data.groups.tolist() == [1, 2]
    assert data.names == ["a", "b"]
    assert data.sample_rate_hz == 5.0


def test_one_array():
    X = np.arange(24.0).reshape(2, 4, 3)
    assert from_arrays(X).X[1].tolist() == X[1].tolist()
    assert from_arrays(X[:, :, 0]).X[1].tolist() == X[1, :, :1].tolist()  # two dimensions: one channel
    assert from_arrays(X, lengths=[2, 4]).lengths.tolist() == [2, 4]
    assert from_arrays(X.reshape(8, 3), lengths=[5, 3]).lengths.tolist() == [5, 3]


def test_labels_per_step_are_cut_like_the_values():
    y = np.arange(8).reshape(2, 4)
    data = from_arrays(np.zeros((2, 4, 3)), y, lengths=[2, 4])
    assert [label.tolist() for label in data.y] == [[0, 1], [4, 5, 6, 7]]
    flat = from_arrays(np.zeros((8, 3)), np.arange(8), lengths=[5, 3])
    assert [label.tolist() for label in flat.y] == [[0, 1, 2, 3, 4], [5, 6, 7]]
    many = from_arrays(np.zeros((2, 4, 3)), np.zeros((2, 5)))
    assert many.y.shape == (2, 5)


def test_texts():
    assert from_arrays(["a b", "c"], ["p", "q"]).kind == "text"


def test_file_of_each_form(tmp_path):
    X = np.arange(24.0).reshape(2, 4, 3)
    np.save(tmp_path / "a.npy", X)
    assert read_arrays(tmp_path / "a.npy", labels=["p", "q"]).y.tolist() == ["p", "q"]
    np.savez(
        tmp_path / "b.npz",
        X=X,
        y=np.array(["p", "q"]),
        lengths=[2, 4],
        groups=[7, 8],
        names=np.array(["u", "v"]),
        part=np.array(["train", "test"]),
        channel_names=np.array(["x", "y", "z"]),
        sample_rate_hz=50.0,
    )
    data = read_arrays(tmp_path / "b.npz")
    assert data.lengths.tolist() == [2, 4]
    assert (data[1].label, data[1].group, data[1].name, data[1].part) == ("q", 8, "v", "test")
    assert data.channel_names == ["x", "y", "z"]
    assert data.sample_rate_hz == 50.0
    np.savez(tmp_path / "c.npz", *[np.full((n, 2), n) for n in range(1, 12)])
    assert read_arrays(tmp_path / "c.npz").lengths.tolist() == list(range(1, 12))


def test_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert message(DataError, tmp_path / "a.npy").endswith(
        "a.npy: holds Python objects, which are never loaded. Save one array per sequence: np.savez(path, "
        "*sequences)."
    )
    np.savez(tmp_path / "a.npz", X=np.array([[1], [2, 3]], dtype=object))
    assert "holds Python objects" in message(DataError, tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_cut_and_empty_files(tmp_path, name):
    path = tmp_path / name
    np.save(path, np.zeros((5, 4, 3))) if name == "a.npy" else np.savez(path, X=np.zeros((5, 4, 3)))
    path.write_bytes(path.read_bytes()[:-30])
    assert f"{name}: cannot be read as numpy arrays: " in message(DataError, path)
    path.write_bytes(b"")
    assert f"{name}: the file is empty (0 bytes)." in message(DataError, path)
    path.write_bytes(b"nonsense" * 9)
    assert f"{name}: cannot be read as numpy arrays: " in message(DataError, path)
    path.unlink()
    assert message(MissingDataError, path).endswith(f"{name}: there is no such file.")


def test_a_size_that_is_only_claimed_is_not_allocated(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 9), }"
    data = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117) + b"\n"
    (tmp_path / "a.npy").write_bytes(data)
    assert "a.npy: cannot be read as numpy arrays: " in message(DataError, tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    data = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(data.replace(b"(4, 2)", b"(4, 2 "))
    assert "as numpy arrays: EOF in multi-line statement." in message(DataError, tmp_path / "a.npy")


def test_unknown_and_missing_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3, 1)), length=[1, 2])
    assert "has an array 'length'; known are 'X', 'lengths'" in message(DataError, tmp_path / "a.npz")
    assert "Did you mean 'lengths'?" in message(DataError, tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", y=[1])
    assert "must hold either X, or one array per sequence as x0, x1, ...; it holds 'y'." in message(
        DataError, tmp_path / "b.npz"
    )
    np.savez(tmp_path / "c.npz", x0=np.zeros((2, 1)), x2=np.zeros((2, 1)))
    assert "there is no x1" in message(DataError, tmp_path / "c.npz")


def test_bad_arrays():
    one = np.zeros((3, 2))
    assert message(DataError, []) == "arrays: holds no sequence; at least one is needed."
    assert "sequence 1 has no time step" in message(DataError, [one, one[:0]])
    assert "sequence 1 ('b') has 3 (shape (4, 3)" in message(
        ShapeError, [one, np.zeros((4, 3))], names=["a", "b"]
    )
    assert (
        message(ShapeError, [one], ["p", "q"]) == "arrays: labels must have one entry per sequence: 1; got 2."
    )
    assert "the label of sequence 1 is missing." in message(DataError, [one, one], ["p", None])
    assert "the label of sequence 0 is missing." in message(DataError, [one, one], [np.nan, 1.0])
    assert "X must have shape (sequences, time, channels)" in message(ShapeError, np.zeros(3))
    assert "lengths must be one per sequence" in message(ShapeError, np.zeros((2, 3, 1)), lengths=[1, 4])
    assert "lengths must be whole numbers" in message(DataError, np.zeros((2, 3, 1)), lengths=[1.0, 2.0])
    assert "lengths go with one array" in message(ShapeError, [one], lengths=[3])
    assert "channel_names holds 'a' twice." in message(DataError, [one], channel_names=["a", "a"])
    assert "channel_names must have one name per channel: 2; got 1." in message(
        ShapeError, [one], channel_names=["a"]
    )


@settings(max_examples=50, deadline=None)
@given(
    data=st.lists(
        hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.just(2)), elements=st.floats(width=64)),
        min_size=1,
        max_size=5,
    ),
    flat=st.booleans(),
)
def test_what_was_saved_is_read(tmp_path_factory, data, flat):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    if flat:
        np.savez(path, X=np.concatenate(data), lengths=[len(x) for x in data])
    else:
        np.savez(path, *data)
    for a, b in zip(data, read_arrays(path).X, strict=True):
        np.testing.assert_array_equal(a, b)


X12 = np.zeros((6, 4, 2), np.float32)
Y6 = np.array(["a", "b"] * 3)


def called(word):
    """Return the name by which `from_arrays` knows an array of a file."""
    return {"y": "labels", "part": "parts"}.get(word, word)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({"sample_rate_hz": rate}, "sample rate must be a number")
        for rate in (
            np.array([1.0, 2.0]), np.array("abc"), np.nan, np.inf, -5.0, 0, 1e300, 1e-300, 1 + 2j, np.zeros(0), True,
            np.array("2020-01-01", "M8[D]"),
        )
    ]
    + [({"channel_names": names}, "channel_names must be a list") for names in ("ab", 3, [["a", "b"], ["c", "d"]])]
    + [
        ({word: value}, f"{called(word)} must have one entry per sequence: 6")
        for word in ("y", "names", "groups", "part")
        for value in (np.array("abcdef"), np.array(3))
    ]
    + [
        ({word: np.zeros((6, 2))}, f"{word} must have one entry per sequence: 6; got an array of shape (6, 2)")
        for word in ("names", "groups")
    ]
    + [
        ({"y": np.arange(6) * 1j}, "the label of sequence 0 is a complex number"),
        ({"y": np.ones((6, 2)) * 1j}, "the label of sequence 0 is a complex number"),
        ({"y": np.array(["a", "b\ud800"] * 3)}, "the label of sequence 1 holds '\\ud800', half of a character"),
        ({"x" + "9" * 5000: X12[0]}, "has an array 'x999"),
    ],
)  # fmt: skip
def test_annotations_that_make_no_sense_are_refused_in_one_sentence(tmp_path, annotation, said):
    path = tmp_path / "odd.npz"
    np.savez(path, **{"X": X12, "y": Y6, **annotation})
    assert said in message(DataError if "one entry" not in said else ShapeError, path)


@pytest.mark.parametrize("word", ["groups", "names", "parts", "labels"])
def test_a_text_is_no_list_of_its_letters(word):
    said = message(ShapeError, X12, **{word: "abcdef"})
    assert said == f"arrays: {word} must have one entry per sequence: 6; got 'abcdef'."


def test_cells_of_no_bytes_are_not_counted_by_their_header(tmp_path):
    path = tmp_path / "none.npy"
    head = b"{'descr':'V0','fortran_order':False,'shape':(99999999999,)}"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    assert "is no number" in message(DataError, path)


def test_an_array_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "twice.npz"
    np.savez(path, X=X12)
    with zipfile.ZipFile(path, "a") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("X.npy", out.read("X.npy"))
    assert "it has two arrays 'X.npy'" in message(DataError, path)


def test_the_time_for_many_arrays_does_not_grow_with_their_square(tmp_path):
    path = tmp_path / "many.npz"
    np.savez(path, *[np.zeros((1, 1))] * 15_000)
    load(path)  # imports and caches of the system
    begun = time.process_time()
    load(path)
    alone = time.process_time() - begun
    begun = time.process_time()
    assert len(read_arrays(path)) == 15_000
    assert (
        time.process_time() - begun < 2 * alone
    )  # 1.1 times, and 2.8 times where every name was sought in a list of all
