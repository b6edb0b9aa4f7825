import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError
from recurra.readers.signals.physionet import read_annotations, read_physionet
from signal_files import message, waves

# Its own warnings, of pandas and of pkg_resources.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def wfdb():
    """The package of the format's makers."""
    return pytest.importorskip("wfdb")


def write(wfdb, folder, form, steps=501, name="r1"):
    values = waves(steps=steps, channels=3)
    wfdb.wrsamp(
        name,
        fs=250,
        units=["mV", "mV", "C"],
        sig_name=["I", "lead II", "temperature"],
        p_signal=values,
        fmt=[form] * 3,
        adc_gain=[50.0, 60.0, 70.0],
        baseline=[0, 3, -5],
        write_dir=str(folder),
    )
    return values


@pytest.mark.parametrize("form", ["16", "80", "212"])
@pytest.mark.parametrize("steps", [501, 500, 1])
def test_signals_as_wfdb_reads_them(wfdb, tmp_path, form, steps):
    write(wfdb, tmp_path, form, steps)
    found = read_physionet(tmp_path / "r1.hea")
    theirs = wfdb.rdrecord(str(tmp_path / "r1"))
    np.testing.assert_array_equal(found.values, theirs.p_signal)
    assert found.sample_rate_hz == theirs.fs
    assert found.channel_names == theirs.sig_name


@pytest.mark.parametrize("form", ["16", "80", "212"])
def test_every_number_of_a_format(wfdb, tmp_path, form):
    bits = {"16": 16, "80": 8, "212": 12}[form]
    numbers = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    digital = np.stack([numbers, numbers[::-1]], axis=1)
    wfdb.wrsamp(
        "r1", fs=100, units=["V", "V"], sig_name=["a", "b"], d_signal=digital, fmt=[form] * 2,
        adc_gain=[1.0, 1.0], baseline=[0, 0], write_dir=str(tmp_path),
    )  # fmt: skip
    found = read_physionet(tmp_path / "r1.hea").values
    np.testing.assert_array_equal(found, wfdb.rdrecord(str(tmp_path / "r1")).p_signal)
    assert np.isnan(found[0, 0])  # the lowest number means that there is no sample
    np.testing.assert_array_equal(found[1:, 0], numbers[1:])


def test_annotations_as_wfdb_reads_them(wfdb, tmp_path):
    write(wfdb, tmp_path, "16")
    sample = np.array([5, 40, 41, 300, 100_000, 5_000_000])
    symbol = ["N", "V", "+", "A", "+", "N"]
    aux = ["", "", "(AFIB", "", "(N", ""]
    wfdb.wrann("r1", "atr", sample, symbol, aux_note=aux, write_dir=str(tmp_path), fs=250)
    found = read_annotations(tmp_path / "r1.atr")
    theirs = wfdb.rdann(str(tmp_path / "r1"), "atr")
    assert [a.sample for a in found] == theirs.sample.tolist() == sample.tolist()
    assert [a.symbol for a in found] == theirs.symbol
    assert [a.text for a in found] == [note.rstrip("\0") for note in theirs.aux_note] == aux
    labels = recurra.load(tmp_path / "r1.hea", label="annotations")[0].label
    assert [str(labels[i]) for i in (0, 40, 41, 500)] == ["none", "none", "AFIB", "AFIB"]
    with (tmp_path / "r1.atr").open("r+b") as file:
        file.truncate(14)
    said = message(lambda: read_annotations(tmp_path / "r1.atr"), DataError)
    assert "bytes of annotations, the file holds 14" in said


def header(folder, *lines):
    (folder / "r1.hea").write_text("\n".join(lines) + "\n")
    return folder / "r1.hea"


def test_a_header_that_promises_more_than_the_file_holds(tmp_path):
    (tmp_path / "r1.dat").write_bytes(np.arange(100, dtype="<i2").tobytes())
    path = header(tmp_path, "r1 2 300 60", "r1.dat 16 200 16 0 0 0 0 a", "r1.dat 16 200 16 0 0 0 0 b")
    assert message(lambda: read_physionet(path), DataError) == (
        f"{path}: r1.dat: its header promises 60 samples of each signal, the file holds 50. It was cut; get it again."
    )
    path = header(tmp_path, "r1 2 300", "r1.dat 16 200 16 0 0 0 0 a", "r1.dat 16 200 16 0 0 0 0 b")
    np.testing.assert_array_equal(read_physionet(path).values, np.arange(100).reshape(50, 2) / 200)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["hello"], "does not begin like a PhysioNet header"),
        (["r1 2 300 50", "r1.dat 16"], "promises 2 signals and describes 1. It may be cut."),
        (
            ["r1 1 300 50", "../r1.dat 16"],
            "names the file '../r1.dat'; a record's files must be beside its header.",
        ),
        (
            ["r1 1 300 50", "r1.dat 310"],
            "r1.dat is in format 310; read are 16, 61, 80, 212. Convert it with wfdb.",
        ),
        (["r1/3 1 300 50", "r1.dat 16"], "is a record of several segments"),
        (["r1 1 300 50", "r1.dat 16x4"], "has several samples per frame or a skew"),
        (["r1 1 many 50", "r1.dat 16"], "has 'many 50' where the rate and the samples belong."),
        (["r1 1 300 50", "r1.dat 16 big"], "has the gain 'big'; a number is needed."),
    ],
)
def test_headers_that_make_no_sense(tmp_path, lines, said):
    (tmp_path / "r1.dat").write_bytes(bytes(100))
    path = header(tmp_path, *lines)
    assert said in message(lambda: read_physionet(path), DataError)


def test_signals_that_are_not_there(tmp_path):
    path = header(tmp_path, "r1 1 300 50", "other.dat 16")
    said = message(lambda: read_physionet(path), MissingDataError)
    assert said.endswith("names the file 'other.dat', which is not beside it.")


def test_a_folder_of_records(wfdb, tmp_path):
    for name in ("a", "b"):
        write(wfdb, tmp_path, "212", name=name)
    (tmp_path / "labels.csv").write_text("file,label,group\na.hea,sick,p1\nb.hea,well,p2\n")
    data = recurra.load(tmp_path)
    assert data.y.tolist() == ["sick", "well"]
    assert data.channel_names == ["I", "lead II", "temperature"]
    assert data.sample_rate_hz == 250


def test_the_challenge_as_wfdb_reads_it(wfdb, real_data, tmp_path):
    import zipfile

    with zipfile.ZipFile(real_data("cinc2017-validation/validation.zip")) as archive:
        for name in ("A00001.hea", "A00001.mat"):
            archive.extract(name, tmp_path)
    head = (tmp_path / "A00001.hea").read_text()
    (tmp_path / "A00001.hea").write_text(
        head.replace("2014-05-08 05:05:15", "")
    )  # wfdb wants dates as 08/05/2014
    found = read_physionet(tmp_path / "A00001.hea")
    np.testing.assert_array_equal(found.values, wfdb.rdrecord(str(tmp_path / "A00001")).p_signal)
    assert len(recurra.load(tmp_path)) == 1  # the .mat file belongs to the header


def test_signals_of_one_name_are_told_apart(wfdb, tmp_path):
    values = waves(channels=3)
    wfdb.wrsamp(
        "r1", fs=250, units=["mV"] * 3, sig_name=["V", "I", "VV"], p_signal=values, fmt=["16"] * 3,
        write_dir=str(tmp_path),
    )  # fmt: skip
    header = tmp_path / "r1.hea"  # the package itself writes no name twice
    header.write_text(header.read_text().replace(" VV", " V"))
    data = recurra.load(tmp_path / "r1.hea")
    assert data.channel_names == ["V (1)", "I", "V (2)"]
    assert any("2 signals are called 'V'; here they are 'V (1)', 'V (2)'" in note for note in data.notes)
    last = recurra.load(tmp_path / "r1.hea", channels=["V (2)"])
    np.testing.assert_array_equal(last[0].values[:, 0], data[0].values[:, 2])
