import re
from itertools import pairwise

import numpy as np
import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.signals.edf import read_edf
from signal_files import message, refused, waves

edfio = pytest.importorskip("edfio")


def write(path, values, rates=(100, 100), annotations=()):
    signals = [
        edfio.EdfSignal(column, rate, label=f"lead {i + 1}", physical_range=(-2, 2))
        for i, (column, rate) in enumerate(zip(values, rates, strict=True))
    ]
    edfio.Edf(signals, annotations=annotations).write(path)


def test_values_names_rate_and_annotations(tmp_path):
    values = waves()
    write(
        tmp_path / "a.edf",
        values.T,
        annotations=[edfio.EdfAnnotation(1, 2, "asleep"), edfio.EdfAnnotation(4, None, "awake")],
    )
    found = read_edf(tmp_path / "a.edf")
    np.testing.assert_allclose(found.values, values, atol=4 / 65535)
    assert (found.sample_rate_hz, found.channel_names) == (100.0, ["lead 1", "lead 2"])
    data = recurra.load(tmp_path / "a.edf", label="annotations")
    assert [str(data[0].label[i]) for i in (0, 99, 100, 299, 300, 400, 499)] == [
        "none", "none", "asleep", "asleep", "none", "awake", "awake",
    ]  # fmt: skip
    assert recurra.load(tmp_path / "a.edf", channels=["lead 2"]).channel_names == ["lead 2"]
    (offered,) = (note for note in recurra.load(tmp_path / "a.edf").notes if "annotations" in note)
    assert offered.endswith(
        "a.edf: holds 2 annotations ('asleep', 'awake'); label='annotations' labels every step with them."
    )
    assert not any("annotations" in note for note in data.notes)


def test_bdf(tmp_path):
    values = waves()
    signals = [
        edfio.BdfSignal(c, 100, label=f"lead {i}", physical_range=(-2, 2)) for i, c in enumerate(values.T)
    ]
    edfio.Bdf(signals).write(tmp_path / "a.bdf")
    np.testing.assert_allclose(read_edf(tmp_path / "a.bdf").values, values, atol=4 / 2**23)


def test_signals_of_different_rates(tmp_path):
    write(tmp_path / "a.edf", [waves()[:, 0], waves(steps=50)[:, 0]], rates=(100, 10))
    said = message(lambda: read_edf(tmp_path / "a.edf"), DataError)
    assert said.endswith(
        "its signals are sampled at different rates: 'lead 1' at 100 Hz, 'lead 2' at 10 Hz. Choose some with channels=, "
        "or bring all to one rate with resample_hz=."
    )
    assert read_edf(tmp_path / "a.edf", resample_hz=50).values.shape == (250, 2)
    assert "has no channel 'lead 3'" in message(
        lambda: read_edf(tmp_path / "a.edf", channels=["lead 3"]), DataError
    )


def test_a_file_that_was_cut(tmp_path):
    path = tmp_path / "a.edf"
    write(path, waves().T)
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    assert message(lambda: read_edf(path), DataError) == (
        f"{path}: its header promises {len(whole):,} bytes, the file holds {len(whole) - 500:,}. It was cut; get it again."
    )
    for count in (300, 200, 8):
        path.write_bytes(whole[:count])
        assert "It may be cut" in message(lambda: read_edf(path), DataError)


def test_no_byte_of_the_header_gives_anything_but_a_sentence(tmp_path):
    path = tmp_path / "a.edf"
    write(path, waves(steps=200).T)
    whole = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    count = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, 768, size=3):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(damaged)
        count += refused(lambda: read_edf(path), DataError)
    assert count > 10


def with_gaps(path, starts, annotations):
    """Write records of a second that begin at these times; the values count the steps of 10 Hz since the first."""
    times = np.concatenate([start + np.arange(10) / 10 for start in starts])
    signals = [
        edfio.EdfSignal(times * 10, 10, label="clock", physical_range=(0, 32767), digital_range=(0, 32767))
    ]
    room = "taken out again, for longer numbers"
    notes = [edfio.EdfAnnotation(*note) for note in [*annotations, (len(starts) - 0.5, None, room)]]
    edfio.Edf(signals, annotations=notes, data_record_duration=1).write(path)
    whole = path.read_bytes().replace(b"EDF+C", b"EDF+D", 1)
    header, width = 256 * 3, 2 * 10
    own = (len(whole) - header) // len(starts)
    records = [whole[header + i * own : header + (i + 1) * own] for i in range(len(starts))]
    for i, (record, start) in enumerate(zip(records, starts, strict=True)):
        _, rest = record[width:].split(b"\x00", 1)
        rest = re.sub(rb"\+[\d.]+\x14" + room.encode() + rb"\x14\x00", b"", rest)
        told = f"+{start}".encode() + b"\x14\x14\x00" + rest.rstrip(b"\x00") + b"\x00"
        records[i] = record[:width] + told.ljust(own - width, b"\x00")
        assert len(records[i]) == own
    path.write_bytes(whole[:header] + b"".join(records))
    return times


@pytest.mark.parametrize("resample_hz", [None, 20])
@pytest.mark.parametrize("seed", range(6))
def test_annotations_of_a_recording_with_gaps_stand_at_their_time(seed, resample_hz, tmp_path):
    rng = np.random.default_rng(seed)
    starts = np.cumsum(1 + rng.integers(0, 3, size=8) * rng.integers(0, 9, size=8)).astype(int)
    starts -= starts[0]
    starts[-1] += 5  # one gap at least
    edges = np.unique(rng.integers(0, 10 * int(starts[-1]) + 10, size=12)) / 10
    notes = [(a, round(b - a, 1), f"part {i}") for i, (a, b) in enumerate(pairwise(edges)) if i % 2]
    notes.append((float(edges[-1]), None, "to the end"))
    times = with_gaps(tmp_path / "gaps.edf", starts.tolist(), notes)
    record = recurra.load(tmp_path / "gaps.edf", label="annotations", resample_hz=resample_hz).records[0]
    expected = np.full(len(times), "none", dtype=object)
    for begin, duration, text in notes:
        end = np.inf if duration is None else begin + duration
        expected[(times > begin - 0.01) & (times < end - 0.01)] = text
    if resample_hz is None:
        np.testing.assert_array_equal(np.rint(record.values[:, 0]), np.rint(times * 10))
        np.testing.assert_array_equal(record.label, expected)
    else:
        np.testing.assert_array_equal(record.label[::2], expected)


@pytest.mark.parametrize("names", [["EMG", "EEG", "EMG"], ["EMG", "EMG", "EMG (1)"]])
def test_signals_of_one_name_are_told_apart(tmp_path, names):
    values = waves(channels=3)
    signals = [
        edfio.EdfSignal(column, 100, label=name, physical_range=(-2, 2))
        for name, column in zip(names, values.T, strict=True)
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    data = recurra.load(tmp_path / "a.edf")
    assert len(set(data.channel_names)) == 3
    assert any("2 signals are called 'EMG'" in note for note in data.notes)
    for place, name in enumerate(data.channel_names):
        one = recurra.load(tmp_path / "a.edf", channels=[name])
        np.testing.assert_array_equal(one[0].values, data[0].values[:, [place]])
        assert one.channel_names == [name]
    if "EMG" not in data.channel_names:
        assert "has no channel 'EMG'; it has" in message(
            lambda: recurra.load(tmp_path / "a.edf", channels=["EMG"]), DataError
        )


def test_signals_of_one_name_and_different_rates_can_be_chosen_as_they_are_told(tmp_path):
    signals = [
        edfio.EdfSignal(waves(steps=steps)[:, 0], rate, label="EMG", physical_range=(-2, 2))
        for steps, rate in ((500, 100), (1000, 200))
    ]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    said = message(lambda: read_edf(tmp_path / "a.edf"), DataError)
    assert "'EMG (1)' at 100 Hz, 'EMG (2)' at 200 Hz. Choose some with channels=" in said
    assert read_edf(tmp_path / "a.edf", channels=["EMG (2)"]).sample_rate_hz == 200


def lies(path, *, at, field):
    """Write a whole EDF file of one signal, then one field of its header."""
    write(path, waves()[:, :1].T, rates=(100,))
    data = bytearray(path.read_bytes())
    data[at : at + 8] = field.ljust(8).encode()
    path.write_bytes(data)


# Where the header of a signal and its annotations says its own length, that of a record, and the lowest value.
OWN_LENGTH, SECONDS, LOWEST = 184, 244, 256 + 104 * 2


@pytest.mark.parametrize(
    ("at", "field", "said"),
    [
        (OWN_LENGTH, "0", "header says that it has 0 bytes; with 2 signals it takes 768"),
        (OWN_LENGTH, "99999999", "header says that it has 99,999,999 bytes"),
        (SECONDS, "0", "a data record lasts 0 seconds"),
        (SECONDS, "-1", "a data record lasts -1 seconds"),
        (SECONDS, "nan", "a data record lasts nan seconds"),
        (SECONDS, "1e-300", "sample rate must be a number of steps a second"),
        (SECONDS, "1e300", "sample rate must be a number of steps a second"),
        (LOWEST, "nan", "its header gives 'lead 1' a range of nan to 2; both ends must be finite"),
    ],
)
def test_a_header_that_lies(tmp_path, at, field, said):
    path = tmp_path / "a.edf"
    lies(path, at=at, field=field)
    assert said in message(lambda: recurra.load(path), DataError)


def test_a_range_of_one_value_is_told(tmp_path):
    lies(tmp_path / "a.edf", at=LOWEST, field="2")
    (note,) = (note for note in recurra.load(tmp_path / "a.edf").notes if "range" in note)
    assert note.endswith(
        "its header gives 'lead 1' a range of one value, so the numbers are those that were stored, in no unit."
    )


@pytest.mark.parametrize("kind", ["EDF", "BDF"])
@pytest.mark.parametrize(("says", "told"), [("", False), ("+C", False), ("+D", True)])
def test_gaps_that_nothing_places_are_told(tmp_path, kind, says, told):
    path = tmp_path / f"a.{kind.lower()}"
    signal, file = getattr(edfio, f"{kind.title()}Signal"), getattr(edfio, kind.title())
    file([signal(waves()[:, 0], 100, label="lead", physical_range=(-2, 2))]).write(path)
    data = path.read_bytes()
    path.write_bytes(data[:192] + f"{kind}{says}".ljust(44).encode() + data[236:])
    notes = [note for note in recurra.load(path).notes if "nothing says where" in note]
    assert len(notes) == told
