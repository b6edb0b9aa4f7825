"""200 tables as programs export them, their values known: each is read to what was written, or refused in one sentence."""

import csv
import io
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import recurra
from recurra.errors import RecurraError

NBSP, NARROW, THIN = "\u00a0", "\u202f", "\u2009"
MISSING = ["", "NA", "NaN", "nan", "null", "None", "-", "?", "n/a", "#N/A", "."]
CLASSES = ["walk", "NA", "None", "null", "läuft", "run, fast", "a;b", "-", "nan", "007", 'he said "go"', "?"]
START = datetime(2021, 3, 14, 9, 5, tzinfo=UTC)


@dataclass
class Export:
    """What a table holds, and the bytes it is written as."""

    values: list[np.ndarray]
    names: list[str | None]
    labels: list | None
    channels: list[str] | None
    data: bytes = b""
    words: dict = field(default_factory=dict)
    rate_hz: float | None = None
    start: float | None = None


def number(value, decimals, decimal, thousands):
    """Write a number with its marks."""
    plain = f"{value:,.{decimals}f}"
    return "".join({",": thousands, ".": decimal}.get(sign, sign) for sign in plain)


def one_of(rng, *choices):
    return choices[int(rng.integers(len(choices)))]


def times(rng, steps):
    """Return cells of a time column as numbers or text, the unit for a row of units, the rate, and the start."""
    style = one_of(rng, "counter", "seconds", "ms", "iso", "iso T", "day first", "month first", "pm")
    if style == "counter":
        return list(range(steps)), "", None, None
    if style == "seconds":
        return [round(0.02 * i, 2) for i in range(steps)], "s", 50.0, None
    if style == "ms":
        return [20 * i for i in range(steps)], "ms", 50.0, None
    moments = [START + timedelta(minutes=15 * i) for i in range(steps)]
    pattern = {"iso": "%Y-%m-%d %H:%M:%S", "iso T": "%Y-%m-%dT%H:%M:%S", "day first": "%d.%m.%Y %H:%M"}
    pattern |= {"month first": "%m/%d/%Y %H:%M", "pm": "%m/%d/%Y %I:%M %p"}
    return [m.strftime(pattern[style]) for m in moments], "", 1 / 900, START.timestamp()


def columns_of(rng, steps):
    """Return channels with how each is written: a spread, a number of decimals."""
    count = int(rng.integers(1, 4))
    names = [str(n) for n in rng.permutation(["x", "Temp °C", "acc y", "power", "flow rate"])[:count]]
    out = []
    for _ in names:
        size, decimals = one_of(
            rng, (1, 3), (10, 1), (100, 3), (5000, 0), (5000, 2), (3e6, 0), (3e6, 1), (1, 6)
        )
        column = np.round(rng.normal(scale=size, size=steps), decimals)
        out.append((column + 0.0, decimals))
    return names, out


def export(seed):
    """Write one table."""
    rng = np.random.default_rng(seed)
    wide = rng.random() < 0.2
    decimal = one_of(rng, ".", ".", ",")
    thousands = one_of(rng, "", "", "", "." if decimal == "," else ",", " ", NBSP, NARROW, "'", "’")
    sep = one_of(rng, ",", ";", ";", "\t", "|")
    missing = one_of(rng, *MISSING)
    share = one_of(rng, 0.0, 0.0, 0.1)
    sequences = int(rng.integers(2, 5))
    ids = [str(i) for i in rng.permutation(["a1", "NA", "Bär", "none", "0012", "x y", "7,5"])[:sequences]]
    classes = [str(c) for c in rng.permutation(CLASSES)[:2]]
    labels = [classes[i % 2] for i in range(sequences)]

    def cell(value, decimals):
        return missing if np.isnan(value) else number(value, decimals, decimal, thousands)

    lengths = rng.integers(3, 9, sequences)
    if wide:
        steps = int(lengths.max())
        decimals = one_of(rng, 0, 1, 3)
        known = [np.round(rng.normal(scale=900, size=n), decimals) + 0.0 for n in lengths]
        header = ["id", "label", *[f"t{i}" for i in range(steps)]]
        rows = [
            [name, label, *[cell(v, decimals) for v in own], *[""] * (steps - len(own))]
            for name, label, own in zip(ids, labels, known, strict=True)
        ]
        made = Export([k[:, None] for k in known], ids, labels, None)
        units = ["", "", *[""] * steps]
    else:
        has_id = rng.random() < 0.7
        if not has_id:
            lengths, ids, labels = lengths[:1], [None], labels[:1]
        steps = int(lengths.sum())
        channels, written = columns_of(rng, steps)
        for values, _ in written:
            values[rng.random(steps) < share] = np.nan
        cells, unit, rate, start = times(rng, int(lengths.max()))
        named_ms = unit == "ms"
        header = [*(["id"] if has_id else []), "time_ms" if named_ms else "time", *channels, "label"]
        rows = []
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        for k, name in enumerate(ids):
            for step in range(lengths[k]):
                at = bounds[k] + step
                moment = cells[step]
                if isinstance(moment, float):
                    moment = number(moment, 2, decimal, "")
                numbers = [cell(values[at], d) for values, d in written]
                rows.append([*([name] if has_id else []), str(moment), *numbers, labels[k]])
        together = np.column_stack([values for values, _ in written])
        made = Export([together[a:b] for a, b in itertools.pairwise(bounds)], ids, labels, channels)
        made.rate_hz, made.start = rate, start
        units = [
            *([""] if has_id else []),
            unit,
            *[one_of(rng, "m/s", "°C", "[kW]", "%") for _ in channels],
            "",
        ]

    has_header = rng.random() < 0.93
    if rng.random() < 0.2 and has_header and not wide:
        rows.insert(0, units)
    trailing = one_of(rng, 0, 0, 0, 1, 2)
    if trailing:
        rows = [[*row, *[""] * trailing] for row in rows]
        header = [*header, *[""] * trailing] if rng.random() < 0.6 else header
    quoting = one_of(rng, csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sep, quoting=quoting, lineterminator="\n")
    writer.writerows([header, *rows] if has_header else rows)
    body = text.getvalue()
    if rng.random() < 0.15:
        body += (sep * (len(header) - 1) + "\n") * int(rng.integers(1, 3))
    if rng.random() < 0.1:
        lines = body.split("\n")
        lines.insert(len(lines) // 2, "# pause of the device")
        body = "\n".join(lines)
    before = ""
    if rng.random() < 0.2:
        sign = one_of(rng, "# ", "#", "% ")
        before = "".join(
            f"{sign}{line}\n" for line in ("device 7", "50 Hz", "time, place: lab")[: rng.integers(1, 4)]
        )
    elif rng.random() < 0.25:
        lines = ["Device: A7", "Serial,1234", "Start: 2020-01-01 10:00", "a;b"][: rng.integers(1, 5)]
        padded = sep * (len(header) - 1) if rng.random() < 0.3 else ""
        before = "".join(line + padded + "\n" for line in lines) + one_of(rng, "", "\n")
    if rng.random() < 0.15:
        before = f"sep={sep}\n" + before
    text = before + body
    if rng.random() < 0.2:
        text = text.removesuffix("\n")
    text = text.replace("\n", one_of(rng, "\n", "\n", "\r\n", "\r"))
    encoding = one_of(rng, "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le")
    made.data = text.encode(encoding, errors="replace" if encoding == "latin-1" else "strict")
    if encoding == "latin-1" and made.data.decode("latin-1") != text:  # signs it does not have
        made.data = text.encode("utf-8")
        encoding = "utf-8"
    if decimal == "," and rng.random() < 0.8:
        made.words["decimal"] = ","
    if thousands and thousands not in (" ", "’") and rng.random() < 0.4:
        made.words["thousands"] = thousands
        made.words["decimal"] = decimal
    if encoding in ("latin-1", "utf-16-le") and rng.random() < 0.8:
        made.words["encoding"] = encoding
    if rng.random() < 0.2:
        made.words["delimiter"] = sep
    if not has_header and rng.random() < 0.5:
        made.words["header"] = "none"
        made.words |= {w: f"column_{header.index(w)}" for w in ("id", "time", "label") if w in header}
        made.words |= {"layout": "wide"} if wide else {"time": f"column_{int('id' in header)}"}
        made.words |= {"time_unit": "ms"} if "time_ms" in header else {}
        made.channels = None
    return made


def difference(made, found):
    """Return what was read otherwise than written; empty if nothing was."""
    if len(found) != len(made.values):
        return f"{len(found)} sequences for {len(made.values)}"
    if made.channels is not None and list(found.channel_names or ()) != made.channels:
        return f"channels {found.channel_names} for {made.channels}"
    for record, values, name, label in zip(found, made.values, made.names, made.labels, strict=True):
        if record.values.shape != values.shape or not np.array_equal(record.values, values, equal_nan=True):
            return f"{record.values.tolist()} for {values.tolist()}"
        if record.name != name or str(record.label) != label:
            return f"{record.name!r} {record.label!r} for {name!r} {label!r}"
        if record.sample_rate_hz is not None and record.sample_rate_hz != pytest.approx(
            made.rate_hz, rel=1e-3
        ):
            return f"{record.sample_rate_hz} Hz for {made.rate_hz}"
        if record.start is not None and record.start != made.start:
            return f"start {record.start} for {made.start}"
    return ""


def read(made, path):
    """Return what is read otherwise, "" if nothing is, and the sentence of a refusal."""
    path.write_bytes(made.data)
    try:
        return difference(made, recurra.load(path, **made.words)), ""
    except RecurraError as error:
        return "", str(error)


def test_200_odd_exports_are_read_as_written_or_refused(tmp_path):
    wrong, refused = {}, {}
    for seed in range(200):
        made = export(seed)
        odd, sentence = read(made, tmp_path / "table.csv")
        if odd:
            wrong[seed] = odd
        if sentence:
            assert "\n" not in sentence
            assert sentence.endswith((".", "?"))
            refused[seed] = sentence
    assert not wrong, f"{len(wrong)} tables are read as something else: {wrong}"
    assert len(refused) < 100, f"{len(refused)} of 200 are refused: {refused}"


if __name__ == "__main__":  # prints what is refused or wrong, of as many tables as told
    import sys
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp())
    for seed in range(*map(int, sys.argv[1:])):
        made = export(seed)
        odd, sentence = read(made, folder / "t.csv")
        if odd or sentence:
            print(seed, made.words, "WRONG " + odd if odd else sentence)
