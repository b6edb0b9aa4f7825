"""A folder of data is read as far as it goes: links inside are followed, links out of it are not."""

import os

import numpy as np
import pytest

import recurra
from recurra.errors import DataError


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, np.full((5, 2), value), delimiter=",")


def picture(path, value):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


@pytest.fixture
def data(tmp_path):
    """Two classes of two files, and a secret beside the folder."""
    for label in ("a", "b"):
        for i in range(2):
            write(tmp_path / "data" / label / f"{i}.csv", i)
    write(tmp_path / "secret" / "0.csv", 77)
    write(tmp_path / "secret.csv", 77)
    return tmp_path / "data"


def seen(dataset):
    return sorted(record.name for record in dataset.records)


WHOLE = ["a/0.csv", "a/1.csv", "b/0.csv", "b/1.csv"]


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(
    ("link", "target"),
    [("a/link.csv", "secret.csv"), ("c", "secret"), ("a/up", ".."), ("c", "data/../secret")],
)
def test_links_out_of_class_folders(data, tmp_path, link, target, relative):
    place = tmp_path / target
    (data / link).symlink_to(os.path.relpath(place, (data / link).parent) if relative else place)
    read = recurra.load(data)
    assert seen(read) == WHOLE
    assert not any((record.values == 77).any() for record in read.records)
    assert any("1 link that leads out of the folder" in note for note in read.notes)


def test_links_inside_are_followed_and_the_folder_may_be_one(data, tmp_path):
    (data / "a" / "link.csv").symlink_to(data / "b" / "0.csv")
    (tmp_path / "elsewhere").symlink_to(data)
    assert seen(recurra.load(data)) == sorted([*WHOLE, "a/link.csv"])
    assert seen(recurra.load(tmp_path / "elsewhere")) == sorted([*WHOLE, "a/link.csv"])


def test_train_and_test_folders(data, tmp_path):
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "train").symlink_to(data)
    (data.rename(tmp_path / "both" / "inner"))
    (tmp_path / "both" / "train").unlink()
    (tmp_path / "both" / "inner").rename(tmp_path / "both" / "train")
    write(tmp_path / "both" / "test" / "a" / "0.csv", 1)
    (tmp_path / "both" / "test" / "b").symlink_to(tmp_path / "secret")
    (tmp_path / "both" / "test" / "a" / "x.csv").symlink_to(tmp_path / "secret.csv")
    (tmp_path / "both" / "test" / "a" / "y.csv").symlink_to(tmp_path / "both" / "train" / "b" / "0.csv")
    read = recurra.load(tmp_path / "both")
    assert seen(read) == sorted([*(f"train/{n}" for n in WHOLE), "test/a/0.csv", "test/a/y.csv"])


def test_a_folder_without_classes_and_one_of_links_alone(data, tmp_path):
    flat = tmp_path / "flat"
    write(flat / "0.csv", 1)
    (flat / "x.csv").symlink_to(tmp_path / "secret.csv")
    assert seen(recurra.load(flat)) == ["0.csv"]
    (flat / "0.csv").unlink()
    with pytest.raises(DataError, match="Links that lead out of it are not followed"):
        recurra.load(flat)


def test_images_and_clips(tmp_path):
    for label in ("a", "b"):
        for i in range(2):
            picture(tmp_path / "images" / label / f"{i}.png", 10)
            for frame in range(3):
                picture(tmp_path / "clips" / label / f"clip{i}" / f"{frame}.png", 10)
    picture(tmp_path / "secret" / "0.png", 200)
    (tmp_path / "images" / "a" / "x.png").symlink_to(tmp_path / "secret" / "0.png")
    (tmp_path / "images" / "c").symlink_to(tmp_path / "secret")
    read = recurra.load(tmp_path / "images")
    assert seen(read) == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    (tmp_path / "clips" / "a" / "clip0" / "9.png").symlink_to(tmp_path / "secret" / "0.png")
    (tmp_path / "clips" / "b" / "clip9").symlink_to(tmp_path / "secret")
    (tmp_path / "clips" / "c").symlink_to(tmp_path / "secret")
    read = recurra.load(tmp_path / "clips")
    assert seen(read) == ["a/clip1", "b/clip0", "b/clip1"]
    assert any("out of the folder" in note for note in read.notes)
