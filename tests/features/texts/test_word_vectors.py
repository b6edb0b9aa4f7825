import numpy as np
import pytest

from recurra import WordVectors
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.features.texts.word_vectors import scaled_rows


def message(call, kind=DataError):
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_glove_word2vec_and_a_word_with_a_blank(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("the 0.5 -1\nnew york 1 2e-1\n", encoding="utf-8")
    read = WordVectors.load(path)
    assert read.words == ["the", "new york"]
    np.testing.assert_allclose(read["new york"], [1, 0.2])
    path.write_text("2 2\nthe 0.5 -1 \ncafé 1 2 \n", encoding="utf-8")
    assert WordVectors.load(path).words == ["the", "café"]


def test_a_malformed_line_is_named(tmp_path):
    path = tmp_path / "v.txt"
    for bad in ("a 1", "a 1 x", "1 2", "a nan 1"):
        path.write_text(f"the 0.5 -1\n{bad}\n")
        assert message(lambda: WordVectors.load(path)).startswith(
            f"{path}: line 2 must be a word and 2 numbers, with a blank between; got {bad!r}."
        )
    path.write_bytes(b"a \xff 1\n")
    assert "is not UTF-8 text" in message(lambda: WordVectors.load(path))
    path.write_text("\n")
    assert "holds no word" in message(lambda: WordVectors.load(path))


def test_an_array_with_its_list_of_words(tmp_path):
    np.save(tmp_path / "v.npy", np.eye(2))
    (tmp_path / "w.txt").write_text("a\nb\n")
    assert WordVectors.load(tmp_path / "v.npy", words=tmp_path / "w.txt").index == {"a": 0, "b": 1}
    assert "needs words=" in message(lambda: WordVectors.load(tmp_path / "v.npy"), UsageError)
    (tmp_path / "w.txt").write_text("a\n")
    assert "one vector for each of 1 words" in message(
        lambda: WordVectors.load(tmp_path / "v.npy", words=tmp_path / "w.txt")
    )


def test_what_is_nowhere_or_double():
    text = message(lambda: WordVectors.load("glove-6b-50"), MissingDataError)
    assert text.endswith("Did you mean 'glove-6b-50d'?")
    assert "'a' comes twice" in message(lambda: WordVectors(["a", "a"], np.eye(2)))


def test_neighbours_and_analogies():
    words = WordVectors(["king", "queen", "man", "woman", "car"], [[5, 1], [5, -1], [1, 1], [1, -1], [-4, 0]])
    assert words.nearest("king", n=1)[0][0] == "queen"
    assert words.analogy("man", "king", "woman", n=1)[0][0] == "queen"
    assert words.nearest(np.array([-1.0, 0]), n=1) == [("car", 1.0)]
    assert "Did you mean 'queen'?" in message(lambda: words.nearest("quen"), UsageError)
    assert words.take(["car", "none", "car"]).words == ["car"]
    assert words.coverage(["car", "none"]) == 0.5


def test_rows_are_scaled_over_the_training_words_and_zero_where_there_is_none():
    words = WordVectors(["a", "b", "c"], [[1, 0], [3, 0], [5, 8]])
    rows, found = scaled_rows(words, ["[UNK]", "a", "b", "c", "d"], ["a", "b", "d"])
    np.testing.assert_allclose(rows, [[0, 0], [-1, 0], [1, 0], [3, 8], [0, 0]])
    assert found == {"words": 3, "with_vector": 2}
    assert "none of the 1 word " in message(lambda: scaled_rows(words, ["x"], ["x"]))


def test_an_array_that_claims_what_it_has_not(tmp_path):
    head = b"{'descr':'<f4','fortran_order':False,'shape':(9999999999,100)}"
    (tmp_path / "v.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + b"\0" * 16
    )
    (tmp_path / "w.txt").write_text("a\nb\n")
    assert "v.npy: cannot be read as numpy arrays: " in message(
        lambda: WordVectors.load(tmp_path / "v.npy", words=tmp_path / "w.txt"), DataError
    )
    np.save(tmp_path / "v.npy", np.eye(2))
    (tmp_path / "w.txt").write_bytes(b"a\n\xff\n")
    assert "w.txt: is not utf-8 text" in message(
        lambda: WordVectors.load(tmp_path / "v.npy", words=tmp_path / "w.txt"), DataError
    )
