"""No container unfolds to more than its bound, whatever it claims; honest ones are read."""

import io
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from scipy.io import savemat

import recurra
from recurra.errors import DataError
from recurra.readers.files import unpacked_size
from recurra.readers.signals.recording import resample

ZEROS = 12_000_000  # numbers: 96 MB that take next to nothing


def npz(path):
    np.savez_compressed(path, X=np.zeros((ZEROS // 4, 4)))


def npz_of_many(path):
    np.savez_compressed(path, **{f"x{i}": np.zeros((ZEROS // 400, 4)) for i in range(100)})


def zipped(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"a,b\n" + b"0,0\n" * (ZEROS * 2))


def mat(path):
    savemat(path, {"X": np.zeros((ZEROS // 4, 4))}, do_compression=True)


def mat_of_many(path):
    savemat(path, {f"X{i}": np.zeros((ZEROS // 400, 4)) for i in range(100)}, do_compression=True)


def hdf5(path, **how):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        file.create_dataset("X", shape=(ZEROS // 4, 4), dtype="f8", **how)


def hdf5_packed(path):
    hdf5(path, data=np.zeros((ZEROS // 4, 4)), compression="gzip")


def hdf5_that_was_never_filled(path):
    hdf5(path, chunks=True)


def hdf5_of_one_cell_many_times(path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        one = file.create_dataset("#refs#/a", data=np.zeros((ZEROS // 400, 4)), compression="gzip")
        cells = file.create_dataset("X", (100,), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = b"cell"
        cells[...] = [one.ref] * 100


def parquet(path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"id": np.zeros(ZEROS // 2, np.int64), "x": np.zeros(ZEROS // 2)})
    parquet.write_table(table, path)


def flac(path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, np.zeros(ZEROS), 44100)


BOMBS = [
    (npz, "a.npz"),
    (npz_of_many, "a.npz"),
    (zipped, "a.zip"),
    (mat, "a.mat"),
    (mat_of_many, "a.mat"),
    (hdf5_packed, "a.mat"),
    (hdf5_that_was_never_filled, "a.mat"),
    (hdf5_of_one_cell_many_times, "a.mat"),
    (parquet, "a.parquet"),
    (flac, "a.flac"),
]


@pytest.mark.parametrize(("make", "name"), BOMBS, ids=lambda v: getattr(v, "__name__", ""))
def test_a_bomb_is_refused_in_a_sentence(tmp_path, make, name):
    make(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 1 << 20
    code = "import recurra, sys\nrecurra.load(sys.argv[1])"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError) as caught:
        recurra.load(tmp_path / name)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / name}: unfolds from ")
    assert "to 1, as a zip bomb does." in text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 90_000, (
        code
    )  # KB; it was not unfolded


@pytest.mark.parametrize(("make", "name"), BOMBS, ids=lambda v: getattr(v, "__name__", ""))
def test_the_size_alone_is_bounded_too(tmp_path, monkeypatch, make, name):
    monkeypatch.setattr(sys.modules[__name__], "ZEROS", 400_000)
    monkeypatch.setattr(unpacked_size, "LIMIT_BYTES", 1 << 19)
    make(tmp_path / name)
    with pytest.raises(DataError, match="at most 524,288 are read"):
        recurra.load(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npz", "a.mat", "a.parquet", "a.zip", "a.flac"])
def test_honest_files_are_read(tmp_path, name):
    values = np.random.default_rng(0).normal(size=(3000, 2)) / 10
    path = tmp_path / name
    if name == "a.npz":
        np.savez_compressed(path, x0=values)
    elif name == "a.mat":
        savemat(path, {"X": values}, do_compression=True)
    elif name == "a.flac":
        pytest.importorskip("soundfile").write(path, np.clip(values, -1, 1), 8000, subtype="PCM_24")
    elif name == "a.zip":
        text = io.StringIO()
        np.savetxt(text, values, delimiter=",", fmt="%.9g")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("one.csv", text.getvalue())
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(pyarrow.table({"a": values[:, 0], "b": values[:, 1]}), path)
    read = np.concatenate(recurra.load(path).X).reshape(-1, 2)  # a plain table has a sequence a row
    np.testing.assert_allclose(read, values, atol=1e-6)


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("shape", [(10**12, 4), (2**62, 4), (10**9,)])
def test_an_array_that_claims_more_than_its_member_holds(tmp_path, version, shape):
    content = io.BytesIO()
    content.write(b"\x93NUMPY" + bytes(version))
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content.write(struct.pack("<H" if version == (1, 0) else "<I", len(head)) + head + bytes(80))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", content.getvalue())
    with pytest.raises(DataError, match=r"X\.npy claims more numbers than its .* bytes hold"):
        recurra.load(tmp_path / "a.npz")


def test_cells_that_hold_themselves(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w") as file:
        cells = file.create_dataset("X", (1,), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = b"cell"
        cells[0] = cells.ref
    with pytest.raises(DataError, match="holds cells in cells, more than 16 deep"):
        recurra.load(tmp_path / "a.mat")


@pytest.mark.parametrize("own", [1e-7, 1e-30, 1e12])
def test_a_rate_that_no_recording_has_is_not_resampled(own):
    with pytest.raises(DataError, match="Check the rate that the file claims"):
        resample(np.zeros((1000, 2)), own, 250.0)


def test_memory_of_a_large_bomb_stays_small(tmp_path):
    """The file of the report: 6 MB that claim 6.3 GB."""
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("X.npy", "w") as out,
    ):
        np.lib.format.write_array_header_1_0(
            out, {"descr": "<f8", "fortran_order": False, "shape": (50_000_000, 4)}
        )
        for _ in range(100):
            out.write(bytes(16_000_000))
    code = (
        "import resource, sys, recurra\n"
        "from recurra.readers import arrays\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    recurra.load(sys.argv[1])\n"
        "except recurra.errors.DataError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.npz")], capture_output=True, text=True, check=True
    )
    said, grown = done.stdout.splitlines()
    assert "as a zip bomb does. If you trust it, load it with numpy and pass the arrays." in said
    assert int(grown) < 200_000
