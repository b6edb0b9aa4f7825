import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recurra
from recurra.errors import DataError, UsageError
from recurra.readers.ts import read_ts, read_ts_pair

HEAD = (
    "#about\n@problemName P\n@timeStamps false\n@univariate false\n@dimensions 2\n"
    "@classLabel true up down\n@data\n"
)

STAMPED = "@timeStamps True\n@classLabel true up down\n@data\n"


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
    assert data.notes[0].endswith("1 value is missing (kept as NaN); fit with missing='mask', or fill them.")


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
            STAMPED + "(0,1),(1,2):(0,4),(2,5):up\n",
            "channel 1 has other time stamps than channel 0 ('2' for '1')",
        ),
        (
            STAMPED + "(0,1),(1,2):(0,4):up\n",
            "other time stamps than channel 0 (1 for 2). Write the file as a table",
        ),
        (
            STAMPED + "(0,1):(0,1),7:up\n",
            "line 4: channel 1 must be steps like (stamp,value), as @timeStamps true says",
        ),
        (STAMPED + "(0,1)\n", "line 4: must end with ':' and its class; got '(0,1)'."),
        (
            STAMPED + "(0,1),(2,2),(1,2):up\n",
            "line 4 (sequence 'P_TRAIN 0') has 1 after 2. Sort the table, or pass sort=True",
        ),
        (
            STAMPED + "# a\n(2020-01-01,1):up\n(x,2):up\n",
            "must hold numbers or dates like 2024-05-31 12:30:00; line 6 has 'x'.",
        ),
        (STAMPED + "(0,a):up\n", "line 4: channel 0 must hold numbers or '?'; step 0 is 'a'."),
        (STAMPED + ":up\n", "line 4: channel 0 has no value"),
        (
            STAMPED + "(1/2/2020,1):up\n",
            "'1/2/2020' is 2020-02-01 with the day first, 2020-01-02 with the month first.",
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


STAMPS = {
    "counter": (lambda k: str(k), {}, None, False),
    "tenths": (lambda k: f"{k / 10:.1f}", {}, 10.0, False),
    "ms": (lambda k: str(20 * k), {"time_unit": "ms"}, 50.0, False),
    "iso": (lambda k: f"2020-01-{1 + k // 24:02d} {k % 24:02d}:00:00", {}, 1 / 3600, True),
    "iso T": (lambda k: f"2020-01-01T00:{k:02d}", {}, 1 / 60, True),
    "epoch": (lambda k: str(1_577_836_800 + 60 * k), {}, 1 / 60, True),
    "day first": (lambda k: f"01/01/2020 00:{k:02d}", {"time_format": "day first"}, 1 / 60, True),
    "pm": (lambda k: f"01.01.2020 12:{k:02d} am", {}, 1 / 60, True),
}


@pytest.mark.parametrize("form", STAMPS)
def test_time_stamps_are_read_as_those_of_a_table(write, form):
    stamp, words, rate, dated = STAMPS[form]
    values = [np.arange(12.0).reshape(6, 2), np.arange(50.0, 60).reshape(5, 2)]
    values[1][2, 0] = np.nan
    lines = [
        ":".join(
            ",".join(f"({stamp(k)},{'?' if np.isnan(v) else v})" for k, v in enumerate(channel))
            for channel in sequence.T
        )
        for sequence in values
    ]
    path = write(STAMPED + f"{lines[0]}:up\n\n{lines[1]}:down\n")
    data = read_ts(path, part="test", **words)
    assert data.y.tolist() == ["up", "down"]
    for record, expected in zip(data, values, strict=True):
        np.testing.assert_array_equal(record.values, expected)
        assert record.sample_rate_hz == (None if rate is None else pytest.approx(rate, rel=1e-3))
        assert record.start == (1_577_836_800.0 if dated else None)
        assert record.part == "test"
    assert any("1 of 22 values is missing" in note for note in data.notes)
    assert recurra.load(path, **words).y.tolist() == ["up", "down"]


def test_time_stamps_out_of_order_and_words_for_them(write):
    path = write(STAMPED + "(2,3),(0,1),(1,2):up\n")
    assert read_ts(path, sort=True)[0].values[:, 0].tolist() == [1, 2, 3]
    write(STAMPED + "(01/02/2020,3),(02/02/2020,1):up\n", "P_TEST.ts")
    write(STAMPED + "(01/02/2020,3),(02/02/2020,1):down\n")
    data = recurra.load(path.parent, time_format="day first")
    assert [record.start for record in data] == [1_580_515_200.0] * 2
    plain = write("@data\n1,2\n")
    with pytest.raises(UsageError, match="has no time stamps, on which time_unit= would act. Leave it out"):
        recurra.load(plain, time_unit="s")


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
