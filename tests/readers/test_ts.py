import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.readers.ts import read_ts, read_ts_pair

HEAD = (
    "#about\n@problemName P\n@timeStamps false\n@univariate false\n@dimensions 2\n"
    "@classLabel true up down\n@data\n"
)


@pytest.fixture
def write(tmp_path):
    def make(text, name="P_TRAIN.ts"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def message(path):
    with pytest.raises(DataError) as caught:
        read_ts(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_classes_unequal_lengths_and_missing_values(write):
    data = read_ts(write(HEAD + "1,2,3:4,?,6:up\n% a remark\n7:8:down\n"), part="train")
    np.testing.assert_array_equal(data[0].values, [[1, 4], [2, np.nan], [3, 6]])
    assert data.lengths.tolist() == [3, 1]
    assert data.y.tolist() == ["up", "down"]
    assert data[0].part == "train"
    assert data.notes[0].endswith(
        "1 values are missing (kept as NaN); fit with missing='mask', or fill them."
    )


def test_targets_and_no_labels(write):
    assert read_ts(write("@targetLabel true\n@data\n1,2:0.5\n3:1.5\n")).y.tolist() == [0.5, 1.5]
    assert read_ts(write("@classLabel false\n@data\n1,2\n3\n")).y is None


def test_pair(write):
    data = read_ts_pair(write(HEAD + "1:2:up\n"), write(HEAD + "3:4:down\n", "P_TEST.ts"))
    assert [record.part for record in data] == ["train", "test"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("@problemName P\n", "has no line @data, behind which the sequences stand."),
        (HEAD, "has a header but no sequence behind @data."),
        ("1,2:up\n", "line 1 must be a header line starting with @, or @data before it; got '1,2:up'."),
        (
            "@timeStamps True\n@data\n(0,1):up\n",
            "has a time stamp at every value (@timeStamps true), which is not supported",
        ),
        (HEAD + "1,2:3,x:up\n", "line 8: channel 1 must hold numbers or '?'; step 1 is 'x'."),
        (HEAD + "1,2:3:up\n", "channel 0 has 2 steps, channel 1 has 1."),
        (HEAD + "1,2:up\n", "line 8: must have the 2 channels the header declares; got 1."),
        (HEAD + "1:2:upp\n", "class 'upp' is not among those of @classLabel. Did you mean 'up'?"),
        (HEAD + "1:2:?\n", "line 8: the class is missing."),
        (HEAD + ":2:up\n", "line 8: channel 0 has no value; a sequence needs at least one time step."),
        (HEAD + "1\n", "line 8: must end with ':' and its class; got '1'."),
        ("@targetLabel true\n@data\n1:x\n", "line 3: the target must be a number; got 'x'."),
        ("@data\n1:2\n1:2:3\n", "'P_TRAIN 1' has 3 channels, 'P_TRAIN 0' has 2."),
    ],
)
def test_bad_files(write, text, expected):
    assert expected in message(write(text))


@settings(max_examples=50, deadline=None)
@given(
    data=st.lists(
        st.integers(1, 5).flatmap(
            lambda n: st.lists(
                st.lists(st.floats(allow_nan=True), min_size=n, max_size=n), min_size=2, max_size=2
            )
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_was_written_is_read(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("ts") / "a.ts"
    cell = lambda v: "?" if np.isnan(v) else repr(v)  # noqa: E731
    lines = [
        ":".join([*(",".join(cell(v) for v in channel) for channel in sequence), "up"]) for sequence in data
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n")
    for a, b in zip(data, read_ts(path), strict=True):
        np.testing.assert_array_equal(np.array(a).T, b.values)
