"""The process that decodes: a broken file may crash or exhaust it, and nothing else.

Run by `recurra.readers.clips.video` as a program of its own, so it imports nothing of recurra. It reads a request, a line of
JSON, and answers with a line of JSON, followed by the frames where there are any, until its input ends.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

# Containers that are read; others, such as play lists, would let a file name other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,gif,mpeg,mpegts,asf,flv,ogg,h264,hevc,m4v"
IMAGES = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM", "GIF")


class RefusedError(Exception):
    """The file breaks a rule or a limit; the message is for the user."""


def limit_process(memory_bytes: int) -> None:
    """Set limits on this process: memory, no written files, no core dumps."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    wanted = {"RLIMIT_AS": memory_bytes, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            _, hard = resource.getrlimit(kind)
            allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (allowed, hard))


def read(request: dict[str, Any]) -> tuple[np.ndarray, float | None]:
    """Return the frames, uint8 of shape (time, size, size, 3), and how many a second, as a request asks."""
    path = request["path"]
    if os.path.isdir(path) or request["images"]:
        return _from_images(path, request)
    with open(path, "rb") as file:
        return _from_video(file, request)


# ------------------------------------------------------------------- video


def _from_video(file: Any, request: dict[str, Any]) -> tuple[np.ndarray, float | None]:
    import av

    av.logging.set_level(None)
    times = _times(av, file, request)
    if not times:
        raise RefusedError(_nothing(request))
    wanted = _wanted(times, request)
    file.seek(0)
    found: list[np.ndarray] = []
    with _opened(av, file) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.thread_count = 1
        _check_size(stream.codec_context.width, stream.codec_context.height, request)
        for frame, shown in _shown(container.decode(stream), wanted, request):
            picture = _fitted_video(frame, request)
            found += [picture] * shown
    if not found:
        raise RefusedError("no frame of it can be decoded")
    return np.stack(found), _rate(times, len(found), request)


def _opened(av: Any, file: Any) -> Any:
    container = av.open(file, options={"format_whitelist": FORMATS, "protocol_whitelist": "none"})
    if not container.streams.video:
        container.close()
        raise RefusedError("it holds no moving pictures")
    return container


def _times(av: Any, file: Any, request: dict[str, Any]) -> list[float]:
    """Return when each frame within start and end is shown, in seconds, without decoding."""
    first, last = request["start_seconds"], request["end_seconds"]
    times: list[float] = []
    with _opened(av, file) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or 25
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            stamp = packet.pts if packet.pts is not None else packet.dts
            base = packet.time_base or stream.time_base
            times.append(float(stamp * base) if stamp is not None and base else len(times) / float(rate))
            if len(times) > request["max_frames"]:
                raise RefusedError(
                    f"it has more than {request['max_frames']} frames; raise max_frames or cut it shorter"
                )
    times.sort()
    start = times[0] if times else 0.0
    times = [time - start for time in times]
    if times and times[-1] > request["max_seconds"] and last is None:
        raise RefusedError(
            f"it lasts {times[-1]:.0f} s, max_seconds is {request['max_seconds']:g}; raise it or give end_seconds"
        )
    return [time if first <= time and (last is None or time < last) else -1.0 for time in times]


def _wanted(times: list[float], request: dict[str, Any]) -> list[int]:
    """Return how often each decoded frame is shown: 0, 1, or more where the rate asked for is above the clip's."""
    inside = [index for index, time in enumerate(times) if time >= 0]
    if not inside:
        raise RefusedError(_nothing(request))
    counts = [0] * len(times)
    if request["rate_hz"] is None:
        for position in evenly(len(inside), request["frames"]):
            counts[inside[position]] += 1
        return counts
    begin, gap = times[inside[0]], 1 / request["rate_hz"]
    # A frame is shown until the next one comes; the last for as long as the one before.
    end = times[inside[-1]] + (times[inside[-1]] - times[inside[-2]] if len(inside) > 1 else gap)
    steps = max(1, round((end - begin) / gap))
    if steps > request["max_frames"]:
        raise RefusedError(
            f"at {request['rate_hz']:g} frames a second it gives {steps}, max_frames is {request['max_frames']}"
        )
    position = 0
    for step in range(steps):
        while position + 1 < len(inside) and times[inside[position + 1]] <= begin + step * gap + 1e-9:
            position += 1
        counts[inside[position]] += 1
    return counts


def evenly(available: int, frames: int) -> list[int]:
    """Return the places of ``frames`` frames, each in the middle of its share; all where there are not more."""
    if available <= frames:
        return list(range(available))
    return [int((2 * k + 1) * available / (2 * frames)) for k in range(frames)]


def _shown(frames: Iterator[Any], wanted: list[int], request: dict[str, Any]) -> Iterator[tuple[Any, int]]:
    """Yield the frames to keep, and how often each; stops decoding after the last."""
    last = max(index for index, count in enumerate(wanted) if count)
    for index, frame in enumerate(frames):
        if index > last:
            return
        if wanted[index]:
            _check_size(frame.width, frame.height, request)
            yield frame, wanted[index]


def _fitted_video(frame: Any, request: dict[str, Any]) -> np.ndarray:
    """Scale inside the decoder's own library, crop, and turn as the camera was held."""
    width, height = _scaled(frame.width, frame.height, request)
    shrinks = width < frame.width
    picture = frame.reformat(
        width=width, height=height, format="rgb24", interpolation="AREA" if shrinks else "BICUBIC"
    ).to_ndarray()
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    picture = np.rot90(picture, turns) if turns else picture
    return squared(picture, size=request["size"], crop=request["crop"])


def _rate(times: list[float], kept: int, request: dict[str, Any]) -> float | None:
    if request["rate_hz"] is not None:
        return float(request["rate_hz"])
    inside = [time for time in times if time >= 0]
    return (
        kept / (inside[-1] - inside[0]) * (len(inside) - 1) / len(inside) if inside[-1] > inside[0] else None
    )


def _nothing(request: dict[str, Any]) -> str:
    return (
        f"it has no frame from second {request['start_seconds']:g} on"
        if request["start_seconds"]
        else "it has no frame"
    )


# ------------------------------------------------------------------ images


def _from_images(path: str, request: dict[str, Any]) -> tuple[np.ndarray, None]:
    """Read the images of a folder, or one image, as frames; ``rows`` keeps the image as it is."""
    names = [path]
    if os.path.isdir(path):
        names = [os.path.join(path, name) for name in request["names"]]
        if len(names) > request["max_frames"]:
            raise RefusedError(
                f"it has {len(names)} images; raise max_frames, which is {request['max_frames']}"
            )
        if request["rate_hz"] is None:
            names = [names[position] for position in evenly(len(names), request["frames"])]
    return np.stack([_image(name, request) for name in names]), None


def _image(path: str, request: dict[str, Any]) -> np.ndarray:
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the limit is ours, checked before a pixel is read
    with Image.open(path, formats=IMAGES) as opened:
        _check_size(*opened.size, request)
        if request["size"] is None:
            return np.asarray(opened.convert("L" if opened.mode in ("1", "L", "I", "F", "I;16") else "RGB"))
        upright = ImageOps.exif_transpose(opened.convert("RGB"))
        size = _scaled(*upright.size, request)
        picture = np.asarray(upright.resize(size, Image.Resampling.BICUBIC))
        return squared(picture, size=request["size"], crop=request["crop"])


# ---------------------------------------------------------------- geometry


def _check_size(width: int, height: int, request: dict[str, Any]) -> None:
    if width * height > request["max_pixels"]:
        raise RefusedError(
            f"its frames have {width} x {height} pixels, max_pixels is {request['max_pixels']}"
        )
    if width < 1 or height < 1:
        raise RefusedError("its frames have no size")


def scaled(width: int, height: int, *, size: int, crop: str) -> tuple[int, int]:
    """Return width and height before cropping or filling up: one side is ``size``."""
    if crop == "stretch":
        return size, size
    side = min(width, height) if crop == "centre" else max(width, height)
    return max(1, round(width * size / side)), max(1, round(height * size / side))


def squared(picture: np.ndarray, *, size: int, crop: str) -> np.ndarray:
    """Cut the middle out of a picture of shape (height, width, 3), or fill it up with black."""
    high, wide = picture.shape[:2]
    if crop == "centre":
        top, left = (high - size) // 2, (wide - size) // 2
        return picture[top : top + size, left : left + size]
    out = np.zeros((size, size, 3), np.uint8)
    top, left = (size - high) // 2, (size - wide) // 2
    out[top : top + high, left : left + wide] = picture
    return out


def _scaled(width: int, height: int, request: dict[str, Any]) -> tuple[int, int]:
    size = request["size"]
    wide, high = scaled(width, height, size=size, crop=request["crop"])
    if wide * high > max(request["max_pixels"], size * size):
        raise RefusedError(
            f"its frames of {width} x {height} pixels would be scaled to {wide} x {high}, more than max_pixels"
        )
    return wide, high


# ------------------------------------------------------------------ answers


def answer(line: bytes) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return head and frames for a request; whatever goes wrong becomes a sentence."""
    try:
        frames, rate = read(json.loads(line))
        return {"shape": list(frames.shape), "rate_hz": rate}, frames
    except RefusedError as refused:
        return {"error": str(refused)}, None
    except MemoryError:
        return {"error": "decoding it takes more memory than allowed"}, None
    except Exception as error:  # of the decoder, which raises many kinds
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {str(error)[:100]}"
        return {"error": f"it cannot be decoded ({reason})"}, None


def main() -> None:
    """Answer requests until the input ends; the first line says how much memory may be used."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    limit_process(int(source.readline()))
    for line in source:
        head, frames = answer(line)
        sink.write(json.dumps(head).encode() + b"\n")
        if frames is not None:
            sink.write(np.ascontiguousarray(frames).data)
        sink.flush()


if __name__ == "__main__":
    main()
