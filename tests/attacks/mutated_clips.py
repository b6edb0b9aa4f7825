"""Change video files in the ways a broken disk or a liar can, and read them.

Each must give frames within the limits or one error that names the file; the reading process goes on, within its time,
and its child within its memory. ``python tests/attacks/mutated_clips.py --count 1000 --seed 0``.
"""

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np

from recurra.errors import DataError
from recurra.readers.clips.video import Clip, FrameReader, VideoWords

WORDS = VideoWords(
    frames=8, size=48, max_frames=500, max_pixels=640 * 480, max_seconds=60.0, timeout_seconds=30.0
)
MEMORY_BYTES = 2 * 2**30
KINDS = {"mp4": "libx264", "avi": "mpeg4", "webm": "libvpx", "gif": "gif"}


def write(path, codec, rng):
    """A small moving clip."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=12)
        stream.width = stream.height = 64
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for t in range(24):
            frame = rng.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            frame[t : t + 20, 10:40] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def flip(data, rng):
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 40))):
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def flip_head(data, rng):
    """Change what says sizes, counts and places: the first bytes, and the last, where MP4 has its tables."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(min(2000, len(out))))
        out[place if rng.random() < 0.5 else len(out) - 1 - place] = int(rng.integers(256))
    return bytes(out)


def cut(data, rng):
    return data[: int(rng.integers(len(data)))]


def spliced(data, rng):
    a, b = sorted(rng.integers(len(data), size=2).tolist())
    return data[:a] + data[b:] if rng.random() < 0.5 else data[:b] + data[a:]


def zeroed(data, rng):
    first, size = int(rng.integers(len(data))), int(rng.integers(1, 4096))
    return data[:first] + bytes(len(data[first : first + size])) + data[first + size :]


def filled(data, rng):
    """Largest numbers in a row: sizes and counts that nobody could keep."""
    first, size = int(rng.integers(min(3000, len(data)))), int(rng.integers(1, 9))
    return data[:first] + b"\xff" * size + data[first + size :]


MUTATIONS = (flip, flip_head, cut, spliced, zeroed, filled)


def peak_bytes(reader):
    """Largest resident memory of the child so far; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{reader._child._process.pid}/status").read_text().splitlines()
    except (OSError, AttributeError):
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def attack(count, seed):
    """Return what became of the files; raises AssertionError at the first that breaks a rule."""
    rng = np.random.default_rng(seed)
    told = Counter()
    slowest, peak = 0.0, 0
    with tempfile.TemporaryDirectory() as folder, FrameReader(WORDS, memory_bytes=MEMORY_BYTES) as reader:
        whole = {kind: write(Path(folder) / f"whole.{kind}", codec, rng) for kind, codec in KINDS.items()}
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            mutation = MUTATIONS[number // len(KINDS) % len(MUTATIONS)]
            path = Path(folder) / f"clip.{kind}"
            path.write_bytes(mutation(whole[kind], rng))
            start = time.perf_counter()
            (found,) = reader.read_all([path])
            slowest = max(slowest, time.perf_counter() - start)
            peak = max(peak, peak_bytes(reader))
            told[outcome(found, path)] += 1
        (sound,) = reader.read_all([Path(folder) / "whole.mp4"])
        assert isinstance(sound, Clip), f"after all of them a sound file is not read: {sound}"
    assert slowest < WORDS.timeout_seconds + 5, slowest
    assert peak < MEMORY_BYTES, peak
    return {"files": count, **told, "slowest_seconds": round(slowest, 2), "child_peak_mib": peak // 2**20}


def outcome(found, path):
    if isinstance(found, Clip):
        count, *shape = found.frames.shape
        assert 1 <= count <= WORDS.frames, count
        assert shape == [WORDS.size, WORDS.size, 3], shape
        return "read"
    assert isinstance(found, DataError), found
    assert str(found).startswith(f"{path}: "), found
    if "the decoder crashed" in str(found):
        return "child_died"
    if "takes longer" in str(found):
        return "timed_out"
    if "more memory" in str(found):
        return "memory_refused"
    return "limit_refused" if "max_" in str(found) else "refused"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the result")
    given = parser.parse_args()
    command = f"python tests/attacks/mutated_clips.py --count {given.count} --seed {given.seed}"
    found = {"command": command, **attack(given.count, given.seed)}
    text = json.dumps(found, indent=1)
    if given.out is not None:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
