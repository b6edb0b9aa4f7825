"""Frames out of real files, and what happens with those that are none."""

import os
import signal
import sys
import time

import numpy as np
import pytest

from recurra.errors import DataError, MissingDataError, UsageError
from recurra.readers.clips import video, video_child
from recurra.readers.clips.video import Clip, FrameReader, VideoWords, read_frames, read_rows

av = pytest.importorskip("av")
Image = pytest.importorskip("PIL.Image")

CODECS = {"mp4": "libx264", "avi": "mpeg4", "webm": "libvpx", "gif": "gif"}


def grey(level, height=48, width=64):
    return np.full((height, width, 3), level, np.uint8)


def write(path, frames, *, rate=10, codec="libx264"):
    """Write frames as a clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def ramp(tmp_path_factory):
    """20 frames at 10 a second, from dark to bright."""
    return write(tmp_path_factory.mktemp("clips") / "ramp.mp4", [grey(40 + 8 * i) for i in range(20)])


def levels(frames):
    return np.round((frames.mean(axis=(1, 2, 3)) - 40) / 8).astype(int).tolist()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ({"frames": 4}, [2, 7, 12, 17]),
        ({"frames": 99}, list(range(20))),
        ({"rate_hz": 5}, list(range(0, 20, 2))),
        ({"rate_hz": 20, "end_seconds": 0.3}, [0, 0, 1, 1, 2, 2]),
        ({"frames": 99, "start_seconds": 1.0}, list(range(10, 20))),
        ({"frames": 2, "start_seconds": 0.5, "end_seconds": 0.9}, [6, 8]),
    ],
)
def test_frames_are_taken_by_count_or_rate(ramp, words, wanted):
    assert levels(read_frames(ramp, size=16, **words)) == wanted


@pytest.mark.parametrize(("kind", "codec"), CODECS.items())
def test_containers(kind, codec, tmp_path):
    path = write(tmp_path / f"clip.{kind}", [grey(level) for level in (60, 120, 180)], codec=codec)
    frames = read_frames(path, size=32)
    assert frames.shape == (3, 32, 32, 3)
    assert np.abs(frames.mean(axis=(1, 2, 3)) - [60, 120, 180]).max() < 12


def test_crops(tmp_path):
    picture = grey(200, 32, 64)
    picture[:, :16], picture[:, 48:] = 0, 0
    path = write(tmp_path / "wide.mp4", [picture] * 3)
    centre, letterbox, stretched = (
        read_frames(path, size=32, crop=crop)[0].astype(int) for crop in ("centre", "letterbox", "stretch")
    )
    assert centre[:, 2:30].min() > 180
    assert letterbox[:7].max() == 0
    assert letterbox[10:22, 10:22].min() > 180
    assert letterbox[12, 2].max() < 20
    assert stretched[:, 11:21].min() > 180
    assert stretched[:, :6].max() < 20


def test_a_folder_of_images_is_a_clip(tmp_path):
    for number in (1, 2, 10):
        Image.fromarray(grey(20 * number)).save(tmp_path / f"frame{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    assert read_frames(tmp_path, size=8).mean(axis=(1, 2, 3)).tolist() == [20, 40, 200]
    assert len(read_frames(tmp_path, size=8, frames=2)) == 2


def test_images_row_by_row(tmp_path):
    plain = np.arange(12, dtype=np.uint8).reshape(4, 3)
    Image.fromarray(plain).save(tmp_path / "plain.png")
    Image.fromarray(grey(255, 2, 3)).save(tmp_path / "colours.png")
    rows, colours = read_rows([tmp_path / "plain.png", tmp_path / "colours.png"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, plain / 255, rtol=1e-6)
    assert colours.tolist() == np.ones((2, 9)).tolist()


def test_broken_files_are_named_and_the_others_read(ramp, tmp_path):
    whole = ramp.read_bytes()
    for name, data in {"cut.mp4": whole[:800], "empty.mp4": b"", "text.mp4": b"no clip" * 99}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{ramp}\n#EXT-X-ENDLIST\n")
    (tmp_path / "void").mkdir()
    paths = [
        ramp,
        *(tmp_path / n for n in ("cut.mp4", "empty.mp4", "text.mp4", "list.mp4", "gone.mp4", "void")),
        ramp,
    ]
    with FrameReader(VideoWords(frames=3, size=16)) as reader:
        found = list(reader.read_all(paths))
    assert [type(f) for f in found] == [Clip, *[DataError] * 4, MissingDataError, DataError, Clip]
    for path, error in zip(paths[1:5], found[1:5], strict=True):
        assert str(error).startswith(f"{path}: it cannot be decoded (")
    assert str(found[5]) == f"{paths[5]}: there is no such file or folder."
    assert str(found[6]).startswith(f"{paths[6]}: holds no image (.png")
    assert found[7].frames.tolist() == found[0].frames.tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"max_frames": 19}, "it has more than 19 frames; raise max_frames"),
        ({"max_seconds": 1.5}, "it lasts 2 s, max_seconds is 1.5"),
        ({"max_pixels": 3000}, "its frames have 64 x 48 pixels, max_pixels is 3000"),
        ({"max_bytes": 100}, r"bytes, max_bytes is 100; raise it\."),
        ({"rate_hz": 100, "max_frames": 50}, "it gives 200, max_frames is 50"),
        ({"start_seconds": 9.0}, "it has no frame from second 9 on"),
    ],
)
def test_limits(ramp, words, message):
    with pytest.raises(DataError, match=message):
        read_frames(ramp, **words)


def test_a_large_image_is_refused_before_it_is_read(tmp_path):
    Image.new("L", (3000, 3000)).save(tmp_path / "bomb.png")
    with (
        pytest.raises(DataError, match="9000000|3000 x 3000 pixels, max_pixels is 1000"),
        FrameReader(VideoWords(max_pixels=1000)) as reader,
    ):
        reader.image(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        ("frames", 0, "frames must be a whole number of at least 1; got 0"),
        ("crop", "center", "Did you mean 'centre'"),
        ("rate_hz", -1, "rate_hz must be a number greater than 0; got -1"),
        ("end_seconds", 0, "end_seconds must be a number greater than 0"),
    ],
)
def test_words(word, value, message):
    with pytest.raises(UsageError, match=message):
        VideoWords(**{word: value})


@pytest.fixture
def strange_child(monkeypatch, tmp_path):
    """Put a child in the place of the true one that misbehaves at the second request."""

    def install(misbehaviour):
        text = video_child.__file__
        program = (
            "import os, signal, sys, time, runpy\n"
            f"child = runpy.run_path({text!r})\n"
            "answer, asked = child['answer'], []\n"
            "def strange(line):\n"
            "    asked.append(line)\n"
            f"    if b'bad' in line:\n        {misbehaviour}\n"
            "    return answer(line)\n"
            "child['main'].__globals__['answer'] = strange\n"
            "child['main']()\n"
        )
        (tmp_path / "child.py").write_text(program)
        monkeypatch.setattr(video, "_CHILD", tmp_path / "child.py")

    return install


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of POSIX")
@pytest.mark.parametrize(
    ("misbehaviour", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"the decoder crashed on it \(SIGSEGV\)"),
        (
            "sys.stdout.buffer.write(b'{\"shape\": [2'); sys.stdout.flush(); os._exit(3)",
            "the decoder crashed on it",
        ),
        ("open(ASLEEP, 'w').close(); time.sleep(600)", "decoding it takes longer than timeout_seconds"),
    ],
)
def test_the_child_dies_alone(strange_child, ramp, tmp_path, monkeypatch, misbehaviour, message):
    asleep, receive = tmp_path / "asleep", video._Child.receive

    def receive_soon(child, seconds):
        """Wait five seconds for a child that sleeps, and as long as is allowed for one that is at work."""
        while child._answers.empty() and not asleep.exists():
            time.sleep(0.01)
        found = receive(child, 5 if asleep.exists() else seconds)
        if found == (None, None):
            asleep.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(video._Child, "receive", receive_soon)
    strange_child(misbehaviour.replace("ASLEEP", repr(str(asleep))))
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(ramp.read_bytes())
    with FrameReader(VideoWords(frames=2, size=8)) as reader:
        found = list(reader.read_all([ramp, bad, ramp, ramp]))
    assert [type(f) for f in found] == [Clip, DataError, Clip, Clip]
    with pytest.raises(DataError, match=message):
        raise found[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_memory_is_limited(ramp):
    with FrameReader(VideoWords(frames=20, size=4000), memory_bytes=2**30) as reader:
        with pytest.raises(DataError, match="takes more memory than allowed|cannot be decoded|crashed on it"):
            reader.read(ramp)
        assert isinstance(next(FrameReader(VideoWords(size=8)).read_all([ramp])), Clip)


def test_the_child_ends_with_its_reader(ramp):
    reader = FrameReader(VideoWords(size=8))
    reader.read(ramp)
    process = reader._child._process
    reader.close()
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
