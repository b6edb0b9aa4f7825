import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import csc_matrix

import recurra
from recurra.errors import DataError
from recurra.readers.files import unpacked_size
from recurra.readers.signals import matlab
from recurra.readers.signals.matlab import read_mat
from signal_files import message, refused, waves


@pytest.mark.parametrize("options", [{"format": "4"}, {}, {"do_compression": True}])
def test_one_matrix(tmp_path, options):
    values = waves()
    savemat(tmp_path / "a.mat", {"x": values, "Fs": 250.0}, **options)
    content = read_mat(tmp_path / "a.mat")
    np.testing.assert_array_equal(content.recordings[0].values, values)
    assert content.recordings[0].sample_rate_hz == 250
    data = recurra.load(tmp_path / "a.mat")
    assert data.sample_rate_hz == 250
    assert data.names == ["a"]


def test_cells_are_sequences(tmp_path):
    cells = np.empty(3, dtype=object)
    cells[:] = [waves(steps=n).T for n in (30, 40, 50)]
    labels = np.array(["up", "down", "up"], dtype=object)
    savemat(tmp_path / "a.mat", {"X": cells, "Y": labels})
    data = recurra.load(tmp_path / "a.mat", channels_first=True)
    assert data.lengths.tolist() == [30, 40, 50]
    assert data.y.tolist() == ["up", "down", "up"]
    assert data.names == ["X{1}", "X{2}", "X{3}"]
    np.testing.assert_array_equal(data[1].values, waves(steps=40))
    said = message(lambda: recurra.load(tmp_path / "a.mat"), DataError)
    assert said.endswith(
        "its sequences have [30, 40, 50] channels; all need the same number. If channels come first in the file, give "
        "channels_first=True."
    )


def test_a_row_is_one_channel(tmp_path):
    savemat(tmp_path / "a.mat", {"val": waves()[:, :1].T})
    assert recurra.load(tmp_path / "a.mat")[0].values.shape == (500, 1)
    assert recurra.load(tmp_path / "a.mat", channels_first=True)[0].values.shape == (500, 1)


def test_look_sees_what_is_turned_round(tmp_path):
    savemat(tmp_path / "a.mat", {"X": waves().T})
    notes = recurra.look(tmp_path / "a.mat").remarks
    assert any("if it is turned round, give channels_first=True" in note for note in notes)
    assert not any("turned round" in n for n in recurra.look(tmp_path / "a.mat", channels_first=True).remarks)


def test_objects_of_classes_are_refused(tmp_path):
    # As MATLAB writes them, scipy gives objects of these types.
    from scipy.io.matlab import MatlabObject, MatlabOpaque

    for kind in (MatlabObject, MatlabOpaque):
        made = np.zeros((1, 1), dtype=[("a", "O")]).view(kind)
        said = message(lambda made=made: matlab._plain(tmp_path / "a.mat", "labels", made), DataError)
        assert (
            "labels is an object of a MATLAB class, which is never loaded. In MATLAB, save a matrix" in said
        )


def test_what_unfolds_to_too_much_is_not_unfolded(tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    savemat(path, {"X": np.zeros((1_000_000, 4))}, do_compression=True)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(unpacked_size, "LIMIT_BYTES", 1 << 24)
    said = message(lambda: read_mat(path), DataError)
    assert "at most 16,777,216 are read" in said


def test_several_matrices_none_of_a_usual_name(tmp_path):
    savemat(tmp_path / "a.mat", {"first": waves(), "second": waves()})
    said = message(lambda: read_mat(tmp_path / "a.mat"), DataError)
    assert "holds several matrices, 'first', 'second'" in said
    assert said.endswith("Save one of them alone, call it X, or name the one that holds labels with label=.")


def test_cut_and_damaged_files_give_a_sentence(tmp_path):
    path = tmp_path / "a.mat"
    rng = np.random.default_rng(0)
    for options in ({"format": "4"}, {"do_compression": True}, {}):
        savemat(path, {"X": waves(steps=60), "fs": 100.0}, **options)
        whole = path.read_bytes()
        for _ in range(60):
            damaged = bytearray(whole[: int(rng.integers(1, len(whole) + 1))])
            damaged[int(rng.integers(min(len(damaged), 300)))] = int(rng.integers(256))
            path.write_bytes(damaged)
            refused(lambda: read_mat(path), DataError)


def test_version_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.mat"
    values = waves()
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("X", data=values.T).attrs["MATLAB_class"] = b"double"
        file.create_dataset("fs", data=np.array([[50.0]])).attrs["MATLAB_class"] = b"double"
        cell = file.create_dataset("cells", (2, 1), dtype=h5py.ref_dtype)
        for i in range(2):
            part = file.create_dataset(f"#refs#/{i}", data=values[: 100 + i].T)
            cell[i, 0] = part.ref
        cell.attrs["MATLAB_class"] = b"cell"
    content = read_mat(path)  # X before cells
    np.testing.assert_array_equal(content.recordings[0].values, values)
    assert content.recordings[0].sample_rate_hz == 50
    with h5py.File(path, "r+") as file:
        del file["X"]
    assert [len(r.values) for r in read_mat(path).recordings] == [100, 101]
    with h5py.File(path, "r+") as file:
        file["cells"].attrs["MATLAB_object_decode"] = 3
    assert "is an object of a MATLAB class" in message(lambda: read_mat(path), DataError)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    assert "cannot be read as a MATLAB file of version 7.3" in message(lambda: read_mat(path), DataError)


def test_links_in_version_7_3_lead_nowhere(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["X"] = np.arange(6.0)
    with h5py.File(tmp_path / "m.mat", "w", userblock_size=512) as file:
        file["own"] = np.ones((2, 5))
        file["X"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/X")
        file["val"] = h5py.SoftLink("/own")
    found = read_mat(tmp_path / "m.mat")
    assert found.names == ["own"]
    assert found.recordings[0].values.tolist() == np.ones((5, 2)).tolist()


@pytest.mark.parametrize("name", ["labels", "label", "Labels", "y", "classes"])
@pytest.mark.parametrize("signal", ["recordings", "X", "data"])
def test_a_variable_of_a_usual_name_holds_the_labels(tmp_path, name, signal):
    cells = np.empty(4, dtype=object)
    cells[:] = [waves(steps=n) for n in (30, 40, 50, 60)]
    savemat(tmp_path / "a.mat", {signal: cells, name: np.array([[1.0, 2, 1, 2]])})
    data = recurra.load(tmp_path / "a.mat")
    assert data.y.tolist() == [1, 2, 1, 2]
    assert f"labels are read from the variable {name!r}; label='' leaves it alone." in data.notes[-1]
    assert recurra.load(tmp_path / "a.mat", label="").y is None


@pytest.mark.parametrize("labels", [np.repeat([0.0, 1.0], 250), np.array(["up", "down"] * 250, dtype=object)])
def test_a_label_for_each_step_of_one_matrix(tmp_path, labels):
    savemat(tmp_path / "a.mat", {"signal": waves(), "labels": labels})
    for words in ({}, {"label": "labels"}):
        data = recurra.load(tmp_path / "a.mat", **words)
        assert data.labels_per_step
        assert data.y[0].tolist() == labels.tolist()
    for folder in ("up", "down"):
        (tmp_path / "classes" / folder).mkdir(parents=True)
        savemat(tmp_path / "classes" / folder / "1.mat", {"signal": waves(), "labels": labels})
    assert recurra.load(tmp_path / "classes").y.tolist() == ["down", "up"]


def test_a_variable_of_another_size_is_no_labels(tmp_path):
    savemat(tmp_path / "a.mat", {"X": waves(), "y": np.arange(7.0)})
    data = recurra.load(tmp_path / "a.mat")
    assert data.y is None
    said = message(lambda: recurra.load(tmp_path / "a.mat", label="y"), DataError)
    assert said.endswith(
        "must be one text or number for each of 1 sequence, or for each of 500 time steps; there are 7."
    )


def steps_of(kind, size, start):
    """Labels of the steps of one sequence, as a program of MATLAB's may have saved them, and what they are."""
    numbers = (np.arange(size) + start) // 7 % 2
    texts = np.where(numbers, "walk", "rest").astype(object)
    return {
        "column": (numbers[:, None].astype(float), numbers),
        "row": (numbers[None].astype(float), numbers),
        "cellstr": (texts[None], texts),
        "chars": (texts.astype(str), texts),
        "fractions": (numbers[None] + 0.25, numbers + 0.25),
    }[kind]


@pytest.mark.parametrize("kind", ["column", "row", "cellstr", "chars", "fractions"])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize(("signal", "name"), [("X", "Y"), ("XTrain", "labels"), ("XTrain", "YTrain")])
def test_a_label_for_each_step_of_several_sequences(tmp_path, kind, across, signal, name):
    sizes = (30, 41, 52)
    cells, labels = np.empty((1, 3), dtype=object), np.empty((1, 3), dtype=object)
    made = [steps_of(kind, size, size) for size in sizes]
    for i, size in enumerate(sizes):
        cells[0, i] = waves(steps=size).T if across else waves(steps=size)
        labels[0, i] = made[i][0]
    savemat(tmp_path / "a.mat", {signal: cells, name: labels})
    words = {"channels_first": True} if across else {}
    if name == "YTrain":
        if kind in ("column", "row", "fractions"):  # texts can only be labels
            said = message(lambda: recurra.load(tmp_path / "a.mat", **words), DataError)
            assert "name the one that holds labels with label=" in said
        words["label"] = name
    data = recurra.load(tmp_path / "a.mat", **words)
    assert data.labels_per_step
    assert [one.tolist() for one in data.y] == [one[1].tolist() for one in made]
    assert data.lengths.tolist() == list(sizes)
    if name != "YTrain":
        assert recurra.load(tmp_path / "a.mat", **{**words, "label": ""}).y is None


def test_labels_per_step_of_several_sequences_that_do_not_fit(tmp_path):
    cells, labels = np.empty(2, dtype=object), np.empty(2, dtype=object)
    cells[:] = [waves(steps=30), waves(steps=40)]
    labels[:] = [np.ones(30), np.ones(39)]
    savemat(tmp_path / "a.mat", {"X": cells, "marks": labels})
    said = message(lambda: recurra.load(tmp_path / "a.mat", label="marks"), DataError)
    assert said.endswith("X{2} has 40 time steps and 39 labels; a label per step needs as many.")
    cells[:] = [waves(steps=30).T, waves(steps=30).T]
    labels[:] = [np.ones(30), np.ones(30)]
    savemat(tmp_path / "a.mat", {"X": cells, "labels": labels})
    said = message(lambda: recurra.load(tmp_path / "a.mat"), DataError)
    assert said.endswith(
        "30 labels; a label per step needs as many. If channels come first in the file, give channels_first=True."
    )


def cells_of(values):
    cells = np.empty((1, len(values)), dtype=object)
    for i, value in enumerate(values):
        cells[0, i] = value
    return cells


@pytest.mark.parametrize("name", ["Y", "labels"])
@pytest.mark.parametrize("columns", [2, 3])
def test_matrices_beside_the_signals_are_no_labels(tmp_path, name, columns):
    signals = [waves(steps=20 + i) for i in range(30)]
    savemat(tmp_path / "a.mat", {"X": cells_of(signals), name: cells_of([np.ones((20, columns))] * 30)})
    data = recurra.load(tmp_path / "a.mat")
    assert (len(data), data.y) == (30, None)


@pytest.mark.parametrize("kind", ["column", "row", "cellstr"])
def test_labels_per_step_of_which_one_has_another_length_are_not_dropped(tmp_path, kind):
    sizes = [20] * 29 + [19]
    labels = [steps_of(kind, size, i)[0] for i, size in enumerate(sizes)]
    savemat(tmp_path / "a.mat", {"X": cells_of([waves(steps=20)] * 30), "labels": cells_of(labels)})
    said = message(lambda: recurra.load(tmp_path / "a.mat"), DataError)
    assert said.endswith("X{30} has 20 time steps and 19 labels; a label per step needs as many.")
    assert recurra.load(tmp_path / "a.mat", label="").y is None
    few = [np.ones(20)] * 10 + [np.ones(7)] * 20  # something else beside the signals
    savemat(tmp_path / "a.mat", {"X": cells_of([waves(steps=20)] * 30), "labels": cells_of(few)})
    assert recurra.load(tmp_path / "a.mat").y is None


@pytest.mark.parametrize("shape", [(1, 1), (1,)])
@pytest.mark.parametrize(("name", "words"), [("Y", {}), ("Y", {"label": "Y"}), ("mark", {"label": "mark"})])
@pytest.mark.parametrize("factor", [1, 0.5])
def test_cells_of_one_number_are_labels_of_whole_sequences(tmp_path, shape, name, words, factor):
    told = [factor * (i % 3) for i in range(30)]
    labels = cells_of([np.full(shape, one) for one in told])
    savemat(tmp_path / "a.mat", {"X": cells_of([waves(steps=20 + i) for i in range(30)]), name: labels})
    data = recurra.load(tmp_path / "a.mat", **words)
    assert not data.labels_per_step
    assert data.y.tolist() == told


def test_texts_in_cells_of_their_own_are_labels_of_whole_sequences(tmp_path):
    told = ["up", "down", "up"] * 3
    labels = cells_of([cells_of([text]) for text in told])
    savemat(tmp_path / "a.mat", {"X": cells_of([waves(steps=20)] * 9), "labels": labels})
    assert recurra.load(tmp_path / "a.mat").y.tolist() == told


@pytest.mark.parametrize("rate", [0.0, -5.0, np.nan, np.inf, 1e300])
def test_a_rate_that_is_none(tmp_path, rate):
    savemat(tmp_path / "a.mat", {"X": waves(), "fs": rate})
    assert "a.mat: fs: the sample rate must be a number of steps a second" in message(
        lambda: recurra.load(tmp_path / "a.mat"), DataError
    )


def test_a_sparse_matrix_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"X": csc_matrix((2**30, 200))})  # 2 TB as a full one
    said = message(lambda: recurra.load(tmp_path / "a.mat"), DataError)
    assert said.endswith("X is a sparse matrix, which is not read. In MATLAB, save full(X).")
