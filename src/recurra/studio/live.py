"""A training that goes on: its history as it grows, what there is to say about it, and the file it is steered by."""

import asyncio
import json
import math
import os
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool

from recurra.errors import UsageError
from recurra.runs.folder.files import CONFIG, CONTROL, HISTORY, METRICS, TRAINING, RunFolder
from recurra.store import write_text
from recurra.studio.files import LARGEST_TEXT, Below, is_plain, rows_in
from recurra.studio.runs import state_of
from recurra.studio.words import json_bytes

SECONDS_BETWEEN_LOOKS = 1.0
# The page draws as seldom; and of the processor, which a training beside may need, reading rows takes this share at most.
SECONDS_BETWEEN_ROWS, SHARE = 5.0, 0.002
MOST_NEW_ROWS = 500  # at once, of a training with hundreds of epochs a second
SECONDS_BETWEEN_SIGNS = 15.0  # of life, where nothing happens
COMMANDS = ("stop", "pause", "go on", "epochs")
# Epochs without a lower loss from which the page speaks of it, where training does not end by itself.
WAITED = 10
CLIPPED = 0.9
VANISHED = 0.5
# Beyond so many rows a page is sent those with the least and the greatest figures of so many stretches, and the last ones.
MOST_ROWS, STRETCHES, LAST_ROWS = 20_000, 300, 100


class Follower:
    """Reads what a history has gained since it was last read.

    Parameters
    ----------
    below : Below
        The folder.
    run : RunFolder
        In it.
    read : str
        `read` of another follower, to go on from there; the beginning without it, or where the file is another by now.
    """

    def __init__(self, below: Below, run: RunFolder, read: str = "") -> None:
        self._below, self._run = below, run
        found = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,15})", read, re.ASCII)
        self._file, self._place = (int(found[1]), int(found[2])) if found else (-1, 0)
        self.left_out = 0

    @property
    def read(self) -> str:
        """How far the history was read."""
        return f"{self._file}-{self._place}" if self._file >= 0 else ""

    def new_rows(self, most: int | None = None) -> tuple[bool, list[dict[str, Any]]]:
        """Return whether the history begins anew, and its new rows; of more than ``most`` so many, evenly, and the last.

        How many were not read then is `left_out`.
        """
        self.left_out = 0
        try:
            with self._below.file_of(self._run, HISTORY).open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_size > LARGEST_TEXT:
                    return False, []
                anew = found.st_ino != self._file or found.st_size < self._place
                if anew:
                    self._file, self._place = found.st_ino, 0
                file.seek(self._place)
                content = file.read()
        except (OSError, ValueError):
            return False, []
        whole = content[: content.rfind(b"\n") + 1]
        self._place += len(whole)
        if most is not None and not anew:
            lines = whole.splitlines(keepends=True)
            kept = lines[::-1][:: -(-len(lines) // most) or 1][::-1]
            whole, self.left_out = b"".join(kept), len(lines) - len(kept)
        return anew, rows_in(whole)


def status(below: Below, run: RunFolder) -> dict[str, Any]:
    """Return whether a run trains, how far it is to go, and what it is told to do."""
    told = below.json_of(run, TRAINING)
    known = {
        name: told[name]
        for name in ("max_epochs", "batches_per_epoch", "patience")
        if type(told.get(name)) is int
    }
    state = state_of(below, run)
    # There are no batches after which it would look: it is still being read, or already judged.
    steerable = state in ("training", "paused") and "state" in told
    return {
        "state": state,
        "steerable": steerable,
        "asked": below.text_of(run, CONTROL)[:200].strip(),
        **known,
    }


async def events(below: Below, run: RunFolder, read: str = "") -> AsyncIterator[bytes]:
    """Yield server-sent events: ``rows`` of the history, ``status``, and ``end`` when the run is finished or stopped.

    Rows are those after what a page has ``read``, which each event of rows tells as its id.
    """
    follower, told, quiet, due = Follower(below, run, read), "", 0.0, 0.0
    while True:
        # What the state is comes first: rows written before the end are then sent before it is told.
        now = await run_in_threadpool(status, below, run)
        rows: list[dict[str, Any]] = []
        began = time.monotonic()
        if began >= due or now["state"] in ("finished", "stopped"):
            anew, rows = await run_in_threadpool(follower.new_rows, MOST_NEW_ROWS)
            if rows or anew:
                yield _event(
                    "rows",
                    {"anew": anew, "rows": thinned(rows), "left_out": follower.left_out},
                    follower.read,
                )
                ended = time.monotonic()
                due = ended + max(SECONDS_BETWEEN_ROWS, (ended - began) / SHARE)
        words = json.dumps(now)
        if words != told:
            told = words
            yield _event("status", now)
        if now["state"] in ("finished", "stopped"):
            yield _event("end", now)
            return
        quiet = 0.0 if rows else quiet + SECONDS_BETWEEN_LOOKS
        if quiet >= SECONDS_BETWEEN_SIGNS:
            quiet = 0.0
            yield b": still there\n\n"
        await asyncio.sleep(SECONDS_BETWEEN_LOOKS)


def _event(name: str, content: Any, own_id: str = "") -> bytes:
    told = f"id: {own_id}\n" if own_id else ""
    return f"event: {name}\n{told}data: ".encode() + json_bytes(content) + b"\n\n"


def thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all rows of a history, or of very many those with the least and the greatest figures of each stretch."""
    if len(rows) <= MOST_ROWS:
        return rows
    kept = {0, *range(len(rows) - LAST_ROWS, len(rows))}
    for stretch in np.array_split(np.arange(len(rows)), STRETCHES):
        figures: dict[str, list[tuple[float, int]]] = {}
        for place in stretch.tolist():
            for key, value in rows[place].items():
                if _is_number(value):
                    figures.setdefault(key, []).append((value, place))
        kept |= {end[1] for found in figures.values() for end in (min(found), max(found))}
    return [rows[place] for place in sorted(kept)]


def steer(below: Below, run: RunFolder, command: str, epochs: int | None) -> dict[str, Any]:
    """Write what a training is to do into its control file.

    Raises
    ------
    UsageError
        If nothing trains there.
    """
    if not status(below, run)["steerable"]:
        raise UsageError(
            f"studio: {below.name(run.path)} is not being trained just now, so it cannot be steered."
        )
    kept = [line for line in below.text_of(run, CONTROL).splitlines() if line.startswith("epochs")][-1:]
    if command == "epochs":
        kept = [f"epochs {epochs}"]
        if state_of(below, run) == "paused":
            kept.append("pause")
    elif command != "go on":
        kept.append(command)
    write_text(run.to_write(CONTROL), "".join(line + "\n" for line in kept))
    return status(below, run)


def naive_lines(below: Below, run: RunFolder) -> dict[str, Any]:
    """Return what the naive answer reaches, by the name a figure of the validation part has in the history.

    Of a finished run as it was judged; before that, with labels, what the commonest class is worth on all of the data.
    """
    metrics = below.json_of(run, METRICS)
    lines = {
        f"valid_{name.removesuffix('_baseline')}": value
        for name, value in metrics.items()
        if name.endswith("_baseline") and is_plain(value)
    }
    if lines:
        return {"of": "the naive answer on the test part", "lines": lines}
    summary = below.json_of(run, CONFIG).get("data_summary")
    counts = summary.get("class_counts") if isinstance(summary, dict) else None
    if not isinstance(counts, dict):
        return {"of": "", "lines": {}}
    numbers = [n for n in counts.values() if type(n) is int and n > 0]
    if not numbers:
        return {"of": "", "lines": {}}
    shares = [n / sum(numbers) for n in numbers]
    lines = {"valid_accuracy": max(shares), "valid_loss": -sum(share * math.log(share) for share in shares)}
    return {"of": "always the commonest class, on all of the data", "lines": lines}


def warnings_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what there is to worry about in a history, a sentence each."""
    found = []
    valid = [row["valid_loss"] for row in rows if _is_number(row.get("valid_loss"))]
    if len(valid) > WAITED:
        best = min(range(len(valid)), key=valid.__getitem__)
        waited = len(valid) - 1 - best
        if waited >= WAITED:
            found.append(
                f"The validation loss has not been lower for {waited} epochs; the weights of epoch {best + 1} are kept. "
                "More epochs are unlikely to help."
            )
    train = [row["train_loss"] for row in rows if _is_number(row.get("train_loss"))]
    if len(train) > WAITED and min(train[-WAITED:]) > 0.99 * train[0]:
        found.append("The training loss has hardly fallen since the beginning: try another learning rate.")
    clipped = [row["clipped_share"] for row in rows[-WAITED:] if _is_number(row.get("clipped_share"))]
    if len(clipped) == WAITED and min(clipped) > CLIPPED:
        found.append("Nearly every gradient is clipped: try a smaller learning rate, or a greater grad_clip.")
    reach = [row for row in rows if _is_number(row.get("gradient_length"))]
    if reach and _is_number(reach[-1].get("gradient_horizon")):
        horizon, length = reach[-1]["gradient_horizon"], reach[-1]["gradient_length"]
        if horizon < VANISHED * length:
            found.append(
                f"After {horizon:.0f} of {length:.0f} steps only 1 % of the gradient is left (epoch {reach[-1]['epoch']}): "
                "what lies further back is hardly learned from."
            )
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
