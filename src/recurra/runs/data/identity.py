"""What data are told apart by: digests of a part and of a split, which tell a run whether its data are still the same."""

import hashlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from recurra.batches.splits import content_keys, record_keys
from recurra.records import Dataset
from recurra.runs.data.split import Split


def digest(data: Dataset) -> str:
    """Return 32 hexadecimal digits that change when a sequence or its place does."""
    return hashlib.blake2b(b"".join(record_keys(data)), digest_size=16).hexdigest()


def fingerprint(split: Split) -> str:
    """Return 32 hexadecimal digits that change when a sequence, a label or a group of either part does."""
    out = hashlib.blake2b(digest_size=16)
    for part in (split.train, split.test):
        for key, record in zip(record_keys(part), part.records, strict=True) if part is not None else ():
            label = np.asarray(record.label)
            out.update(key + f"{record.group!r}{label.dtype}{label.shape}".encode())
            out.update(repr(label.tolist()).encode() if label.dtype == object else label.tobytes())
        out.update(b"part")
    return out.hexdigest()


def split_keys(config: Mapping[str, Any], data: Dataset) -> list[list[bytes] | None]:
    """Return what the split of a run may have gone by: the content; of clips, in earlier versions, their paths.

    Which of them it was, the digests of the parts tell. A path counted as it was written, which the command line kept.
    """
    if data.kind != "video" or "identity" in config:
        return [None]
    root = Path(config["data"])
    root = root if root.is_dir() else root.parent
    words = shlex.split(str(config.get("command", "")))
    written = Path(words[2]) if words[:2] == ["recurra", "train"] and len(words) > 2 else root
    written = written if Path(config["data"]).is_dir() else written.parent
    inside = [
        Path(values).relative_to(root) if Path(values).is_relative_to(root) else values for values in data.X
    ]
    return [None, *(content_keys([str(place / path) for path in inside]) for place in (written, root))]
