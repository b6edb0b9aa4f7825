"""``.arff`` files: those of the archives with a relational attribute, flat ones, tables, and what is wrong in them."""

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError

RELATIONAL = r"""% motions
@relation 'Basic Motions'
@attribute relationalAtt relational
 @attribute t1 numeric
 @attribute t2 numeric
 @attribute t3 numeric
@end relationalAtt
@attribute activity {walking,'at rest'}

@data
"1,2,3\n10,20,30",walking
'4,?,6\n40,50,60','at rest'
"7,8,?\n70,80,?",walking
"""
FLAT = """@relation flat
@ATTRIBUTE att1 numeric
@attribute att2 REAL
@attribute att3 integer
@attribute target {1,2}
@data
0.5,1.5,2.5,1
1,?,3,2

% a comment
1.25 , 2 , ? , 1
"""


def load(tmp_path, text, name="x.arff", **words):
    (tmp_path / name).write_text(text)
    return recurra.load(tmp_path / name, **words)


def test_a_relational_attribute_is_a_channel_a_row(tmp_path):
    data = load(tmp_path, RELATIONAL)
    assert data.y.tolist() == ["walking", "at rest", "walking"]
    assert [x.shape for x in data.X] == [(3, 2), (3, 2), (2, 2)]  # the last is shorter, not full of gaps
    np.testing.assert_array_equal(data.X[0], [[1, 10], [2, 20], [3, 30]])
    np.testing.assert_array_equal(data.X[1], [[4, 40], [np.nan, 50], [6, 60]])
    assert data.names == ["x 0", "x 1", "x 2"]


def test_a_flat_file_is_one_channel_a_row(tmp_path):
    data = load(tmp_path, FLAT)
    assert data.y.tolist() == ["1", "2", "1"]
    assert [x.ravel().tolist() for x in data.X[::2]] == [[0.5, 1.5, 2.5], [1.25, 2.0]]
    np.testing.assert_array_equal(data.X[1].ravel(), [1, np.nan, 3])


def test_a_number_as_target(tmp_path):
    data = load(tmp_path, FLAT.replace("target {1,2}", "target numeric"))
    assert data.y.tolist() == [1.0, 2.0, 1.0]
    assert data.y.dtype.kind == "f"


def test_the_words_of_a_table(tmp_path):
    rows = "\n".join(
        f"{who},{step},{step * 2},{'b' if who else 'a'}" for who in range(2) for step in range(3)
    )
    kinds = {"who": "string", "when": "numeric", "x": "numeric", "c": "{a,b}"}
    head = "".join(f"@attribute {name} {kind}\n" for name, kind in kinds.items())
    text = f"@relation r\n{head}@data\n{rows}\n"
    data = load(tmp_path, text, id="who", time="when")
    assert [x.ravel().tolist() for x in data.X] == [[0, 2, 4]] * 2
    assert (data.names, data.y.tolist()) == (["0", "1"], ["a", "b"])
    with pytest.raises(
        UsageError, match=r"delimiter= does not apply to .*x\.arff, an \.arff file; it takes encoding="
    ):
        load(tmp_path, text, delimiter=";")


def test_the_files_of_a_split(tmp_path):
    for part in ("TRAIN", "TEST"):
        (tmp_path / f"Name_{part}.arff").write_text(RELATIONAL)
    data = recurra.load(tmp_path)
    assert [record.part for record in data.records] == ["train"] * 3 + ["test"] * 3


@pytest.mark.parametrize("text", [RELATIONAL, FLAT])
def test_trained_and_judged_from_the_file(tmp_path, text):
    head, _, rows = text.partition("@data\n")
    rows = "\n".join(row for row in rows.splitlines() if row and row[0] != "%" and "?" not in row)
    more = "\n".join([rows] * 3 + [rows.replace("walking", "'at rest'").replace(",1", ",2")] * 3)
    data = load(tmp_path, f"{head}@data\n{more}\n")
    clf = recurra.SequenceClassifier(hidden_size=3, max_epochs=1, random_state=0, verbose=0).fit(data)
    assert len(clf.predict(data)) == len(data)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("@data\n", "", "line 10 must be @relation, @attribute with a name and a kind, or @data"),
        ("t1 numeric", "t1 nominal", None),  # inside of a relational attribute kinds do not count
        ("@attribute activity {walking,'at rest'}", "@attribute activity numerc", r"Did you mean 'numeric'"),
        ("10,20,30", "10,20,x", r"line 11: channel 1, step 2 must be a number or '\?'; got 'x'"),
        ('30",walking', '30"', "line 11 must have 2 cells, one for each attribute; it has 1"),
        (
            '30",walking',
            '30",walkin',
            "line 11: 'walkin' is not among the values of 'activity'. Did you mean 'walking'",
        ),
        (r"\n10,20,30", "", r"line 12 has 2 channels, line 11 has 1"),
        ("10,20,30", "10,20", "equally long"),
        ('"1,2,3', '{0 "1,2,3', "a row in braces gives only the cells that are not 0"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, before, after, told):
    text = RELATIONAL.replace(before, after)
    assert text != RELATIONAL
    if told is None:
        assert len(load(tmp_path, text)) == 3
        return
    with pytest.raises(DataError, match=told):
        load(tmp_path, text)


def test_several_attributes_with_classes_are_asked_about(tmp_path):
    text = (
        FLAT.replace("@data", "@attribute side {l,r}\n@data")
        .replace(",1\n", ",1,l\n")
        .replace(",2\n", ",2,r\n")
    )
    text = text.replace(", 1\n", ",1,l\n")
    with pytest.raises(
        DataError, match=r"'target', 'side' all have classes as values\. Name the label with label='side'"
    ):
        load(tmp_path, text)
    data = load(tmp_path, text, label="target", static="side")
    assert data.static == [["l"], ["r"], ["l"]]
