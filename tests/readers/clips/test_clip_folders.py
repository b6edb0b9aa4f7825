"""Layouts of folders and tables of clips."""

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.readers.clips.clip_folders import media_in, read_clips

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("av")


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def picture(path, level=9, size=(4, 3)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)


def told(data):
    return [(r.name, r.label, r.group, r.part) for r in data]


def test_a_folder_per_class(tmp_path):
    data = recurra.load(
        touch(tmp_path, "run/b.mp4", "run/a.avi", "jump/c.webm", "jump/notes.txt", ".hidden/x.mp4")
    )
    assert data.kind == "video"
    assert told(data) == [
        ("jump/c.webm", "jump", None, None),
        ("run/a.avi", "run", None, None),
        ("run/b.mp4", "run", None, None),
    ]
    assert data[1].values == str(tmp_path / "run" / "a.avi")
    assert data.notes == (f"{tmp_path / 'jump'}: left out 1 that is no clip: 'notes.txt'.",)
    assert "length_min" not in data.summary()


def test_train_and_test(tmp_path):
    data = recurra.load(touch(tmp_path, "train/run/a.mp4", "test/run/b.mp4"))
    assert told(data) == [
        ("train/run/a.mp4", "run", None, "train"),
        ("test/run/b.mp4", "run", None, "test"),
    ]


def test_folders_of_images_are_clips_and_single_images_are_rows(tmp_path):
    for clip in ("a", "b"):
        for frame in range(2):
            picture(tmp_path / "frames" / "run" / clip / f"{frame}.png")
    clips = recurra.load(tmp_path / "frames")
    assert [(r.values, r.label) for r in clips] == [
        (str(tmp_path / "frames" / "run" / clip), "run") for clip in ("a", "b")
    ]
    picture(tmp_path / "rows" / "dark" / "1.png", 0)
    picture(tmp_path / "rows" / "bright" / "1.png", 255)
    rows = recurra.load(tmp_path / "rows")
    assert rows.kind == "sequence"
    assert [(r.label, r.values.tolist()) for r in rows] == [
        ("bright", np.ones((3, 4)).tolist()),
        ("dark", np.zeros((3, 4)).tolist()),
    ]


def test_a_picture_beside_recordings_changes_nothing(tmp_path):
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "1.csv").write_text("1\n2\n")
    picture(tmp_path / "up" / "chart.png")
    assert media_in(tmp_path) is None
    assert recurra.load(tmp_path).kind == "sequence"


def test_ucf101_with_its_split(tmp_path):
    names = [f"v_Bowl_g{g:02d}_c{c:02d}.avi" for g in (1, 8) for c in (1, 2)]
    root = touch(tmp_path / "UCF-101", *(f"Bowl/{n}" for n in names))
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text("".join(f"Bowl/{n} 1\n" for n in names[2:]))
    (lists / "testlist01.txt").write_text("".join(f"Bowl/{n}\n" for n in names[:1]))
    (lists / "trainlist02.txt").write_text(f"Bowl/{names[0]} 1\n")
    (lists / "testlist02.txt").write_text("")
    for path in (root, tmp_path):  # the classes alone, or the folder with both
        data = recurra.load(path)
        assert [(r.name, r.label, r.group, r.part) for r in data] == [
            (f"Bowl/{names[0]}", "Bowl", "Bowl_g01", "test"),
            (f"Bowl/{names[2]}", "Bowl", "Bowl_g08", "train"),
            (f"Bowl/{names[3]}", "Bowl", "Bowl_g08", "train"),
        ]
        assert any("Left out 1 clip that the split does not name" in note for note in data.notes)
    assert len(read_clips(root, split_number=2)) == 1
    with pytest.raises(DataError, match="has no split number 3"):
        recurra.load(root, split_number=3)


def test_hmdb51_with_its_split(tmp_path):
    root = touch(tmp_path / "hmdb51", "wave/a.avi", "wave/b.avi", "wave/c.avi", "run/d.avi")
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    (lists / "wave_test_split1.txt").write_text("a.avi 1\nb.avi 2\nc.avi 0\n")
    (lists / "run_test_split1.txt").write_text("d.avi 1\n")
    data = recurra.load(root)
    assert told(data) == [
        ("run/d.avi", "run", None, "train"),
        ("wave/a.avi", "wave", None, "train"),
        ("wave/b.avi", "wave", None, "test"),
    ]


def test_tables(tmp_path):
    touch(tmp_path, "clips/a.mp4", "clips/b.mp4")
    (tmp_path / "table.csv").write_text("path,class,group\nclips/a.mp4,x,1\nclips/b.mp4,y,2\n")
    data = recurra.load(tmp_path / "table.csv")
    assert told(data) == [("clips/a.mp4", "x", 1, None), ("clips/b.mp4", "y", 2, None)]
    (tmp_path / "clips" / "labels.csv").write_text("file,label,part\na.mp4,x,train\nb.mp4,y,test\n")
    assert told(recurra.load(tmp_path / "clips")) == [
        ("a.mp4", "x", None, "train"),
        ("b.mp4", "y", None, "test"),
    ]
    (tmp_path / "table.csv").write_text("path,class\nclips/c.mp4,x\n")
    with pytest.raises(DataError, match=r"names 'clips/c\.mp4', which is not there"):
        recurra.load(tmp_path / "table.csv")


def test_one_clip_and_what_does_not_apply(tmp_path):
    touch(tmp_path, "run/a.mp4")
    assert told(recurra.load(tmp_path / "run" / "a.mp4")) == [("a.mp4", None, None, None)]
    with pytest.raises(UsageError, match="sort= does not apply to .*, a folder of clips"):
        recurra.load(tmp_path, sort=True)
    with pytest.raises(DataError, match="holds no clip"):
        read_clips(touch(tmp_path / "empty", "notes.txt"))
    with pytest.raises(MissingDataError, match="there is no such folder"):
        read_clips(tmp_path / "gone")


@pytest.mark.parametrize("size", [(5, 3), (3, 3), (8, 5)])
def test_an_image_of_another_width_is_named(tmp_path, size):
    for number in range(3):
        picture(tmp_path / "a" / f"{number}.png")
    picture(tmp_path / "b" / "odd.png", size=size)
    with pytest.raises(
        DataError, match=r"b/odd\.png: its rows have \d values, those of .*a/0\.png 4; .* as wide"
    ):
        recurra.load(tmp_path)


def test_images_of_other_heights_are_longer_and_shorter_sequences(tmp_path):
    picture(tmp_path / "a" / "0.png", size=(4, 3))
    picture(tmp_path / "b" / "0.png", size=(4, 7))
    assert [len(record.values) for record in recurra.load(tmp_path)] == [3, 7]


@pytest.mark.parametrize("deep", [False, True])
def test_an_empty_folder_beside_those_of_classes_is_told(tmp_path, deep):
    image = pytest.importorskip("PIL.Image")
    for label in ("cat", "dog"):
        for number in range(2):
            place = tmp_path / label / (str(number) if deep else "")
            place.mkdir(parents=True, exist_ok=True)
            image.new("L", (4, 4)).save(place / f"{number}.png")
    (tmp_path / "cow").mkdir()
    data = recurra.load(tmp_path)
    what = "clip" if deep else "image"
    assert f"{tmp_path}: the folder 'cow' has no {what}; there is no class of this name." in data.notes
    assert sum("no class of this name" in note for note in data.notes) == 1


def test_labels_of_clips_in_tabs(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for number in range(2):
        (tmp_path / str(number)).mkdir()
        image.new("L", (4, 4)).save(tmp_path / str(number) / "0.png")
    (tmp_path / "labels.tsv").write_text("file\tlabel\n0\tcat\n1\tdog\n")
    assert recurra.load(tmp_path).y.tolist() == ["cat", "dog"]


def test_labels_of_videos_in_tabs(tmp_path):
    touch(tmp_path, "a.avi", "b.avi")
    (tmp_path / "labels.tsv").write_text("file\tlabel\na.avi\tcat\nb.avi\tdog\n")
    data = recurra.load(tmp_path)
    assert (data.kind, data.y.tolist()) == ("video", ["cat", "dog"])
