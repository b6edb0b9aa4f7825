"""Features of clips: computed once, continued after a kill, broken clips named."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from recurra.errors import DataError, MissingDataError
from recurra.features.frames.cache import FrameCache, content_hash
from recurra.features.frames.clip_features import FRAMES_AT_ONCE, FrameNetwork, extract
from recurra.readers.clips.video import VideoWords

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("av")

WORDS = VideoWords(frames=4, size=8)


class Counting:
    """Mean colour of each frame, and how many frames were asked for."""

    def __init__(self):
        self.frames = 0

    def __call__(self, frames):
        self.frames += len(frames)
        return frames.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture
def clips(tmp_path):
    """Five folders of three images each, the fourth broken."""
    paths = []
    for clip in range(5):
        folder = tmp_path / f"clip{clip}"
        folder.mkdir()
        for frame in range(3):
            Image.new("RGB", (10, 8), (clip * 20, frame * 20, 7)).save(folder / f"{frame}.png")
        paths.append(folder)
    (paths[3] / "1.png").write_bytes(b"broken")
    return paths


def test_features_and_errors(clips, tmp_path):
    found = extract([*clips, tmp_path / "gone"], FrameNetwork(Counting(), "mean"), WORDS)
    assert found.features[2].tolist() == [[40, 0, 7], [40, 20, 7], [40, 40, 7]]
    assert [f is None for f in found.features] == [False, False, False, True, False, True]
    assert isinstance(found.errors[3], DataError)
    assert "clip3: it cannot be decoded" in str(found.errors[3])
    assert isinstance(found.errors[5], MissingDataError)


def test_a_second_run_computes_nothing(clips, tmp_path):
    sound = [clips[i] for i in (0, 1, 2, 4)]
    first, second = Counting(), Counting()
    kept = extract(sound, FrameNetwork(first, "mean"), WORDS, cache=FrameCache(tmp_path / "cache"))
    again = extract(sound, FrameNetwork(second, "mean"), WORDS, cache=FrameCache(tmp_path / "cache"))
    assert (first.frames, kept.computed) == (12, 4)
    assert (second.frames, again.computed) == (0, 0)
    assert all(np.array_equal(a, b) for a, b in zip(kept.features, again.features, strict=True))
    other = Counting()
    extract(sound, FrameNetwork(other, "another network"), WORDS, cache=FrameCache(tmp_path / "cache"))
    assert other.frames == 12


def test_long_clips_go_through_in_portions():
    asked = []

    def run(frames):
        asked.append(len(frames))
        return frames.reshape(len(frames), -1)[:, :2].astype(np.float32)

    frames = np.arange(40 * 12, dtype=np.uint8).reshape(40, 2, 2, 3)
    features = FrameNetwork(run, "first pixels")(frames)
    assert asked == [FRAMES_AT_ONCE, FRAMES_AT_ONCE, 40 - 2 * FRAMES_AT_ONCE]
    assert np.array_equal(features, frames.reshape(40, -1)[:, :2])


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_a_killed_run_is_continued(clips, tmp_path):
    """The run is killed at the third clip; the next one computes only what is missing."""
    program = textwrap.dedent(
        f"""
        import os, signal, sys
        from recurra.features.frames.cache import FrameCache
        from recurra.features.frames.clip_features import FrameNetwork, extract
        from recurra.readers.clips.video import VideoWords
        calls = []
        def run(frames):
            calls.append(1)
            if len(calls) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return frames.mean(axis=(1, 2)).astype("f4")
        cache = FrameCache({str(tmp_path / "cache")!r})
        extract(sys.argv[1:], FrameNetwork(run, "mean"), VideoWords(frames=4, size=8), cache=cache)
        """
    )
    sound = [str(clips[i]) for i in (0, 1, 2, 4)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", program, *sound], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    network = Counting()
    found = extract(sound, FrameNetwork(network, "mean"), WORDS, cache=FrameCache(tmp_path / "cache"))
    assert (found.computed, network.frames) == (2, 6)
    assert all(f is not None for f in found.features)


@pytest.mark.parametrize("spoiled", [[0], [0, 1, 3], [0, 1, 2, 3]])
@pytest.mark.parametrize("fresh", [True, False])
def test_kept_features_of_other_channels_are_computed_again(clips, tmp_path, spoiled, fresh):
    """Whole entries with a right checksum, but of the wrong shape: a few beside right ones, or all but a new clip."""
    sound = [clips[i] for i in (0, 1, 2, 4)]
    cache = FrameCache(tmp_path / "cache")
    right = extract(sound, FrameNetwork(Counting(), "mean"), WORDS, cache=cache).features
    if fresh and len(spoiled) < 4:
        (sound[2] / "0.png").unlink()  # a new content, which is not kept yet
        right = extract(sound, FrameNetwork(Counting(), "mean"), WORDS).features
    elif len(spoiled) > 2:
        return  # nothing tells which of them are right
    for index in spoiled:
        key = cache.key(content_hash(sound[index]), WORDS.sampling, "mean")
        cache.put(key, np.zeros((3, 7), np.float32))
    found = extract(sound, FrameNetwork(Counting(), "mean"), WORDS, cache=cache).features
    assert all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))
