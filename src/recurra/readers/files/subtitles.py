"""Subtitles, SubRip's ``.srt`` and WebVTT's ``.vtt``: what each caption says, without numbers, times and marks of style."""

import re

SUFFIXES = (".srt", ".vtt")

_TIME = r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}\b.*")
_STYLE = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")


def captions(text: str) -> list[str] | None:
    """Return what each caption of subtitles says, its lines joined by blanks; None where a text is no subtitles."""
    blocks = [block.strip().split("\n") for block in re.split(r"\n\s*\n", text.strip())]
    places = [
        next((at for at, line in enumerate(block[:2]) if _TIMES.fullmatch(line)), None) for block in blocks
    ]
    web = blocks[0][0].startswith("WEBVTT") and any(at is not None for at in places)
    if not web and places[0] is None:
        return None
    said = []
    for block, at in zip(blocks, places, strict=True):
        if at is None:  # a remark, or a caption that goes on behind an empty line
            continue
        words = " ".join(_STYLE.sub("", line).strip() for line in block[at + 1 :]).strip()
        said += [words] if words else []
    return said
