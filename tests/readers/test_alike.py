"""Files that are like one read before have the records that each has by itself."""

import numpy as np

from recurra.errors import RecurraError
from recurra.readers.one_file import of_each_file, read_one
from recurra.readers.tables.table_options import TableOptions

HEADERS = ("a,b", "a,b,c", "t,x", "time,x", "column_0,x", "x,label", "n1,n2,n3,n4", "a b,c", "Ab,ec")
CELLS = (
    lambda rng, row: f"{rng.normal():.3f}",
    lambda rng, row: f"{rng.normal() * 10.0 ** rng.integers(-9, 9):.17g}",
    lambda rng, row: str(rng.integers(-5, 2000)),
    lambda rng, row: str(row),
    lambda rng, row: f"{row / 50:.3f}",
    lambda rng, row: f"{rng.integers(1, 999)}.{rng.integers(100, 999)}",
)
ODD = ("", "nan", "1e999", "9007199254740993", "word", "1,5", "1_000", "0x1F", "-", " 2")


def _text(rng):
    """Return a small table; one in four has a cell that is no plain number."""
    header = str(rng.choice(HEADERS, p=[0.4, *[0.075] * 8]))
    kinds = [CELLS[rng.integers(len(CELLS))] for _ in header.split(",")]
    rows = [[kind(rng, row) for kind in kinds] for row in range(rng.integers(1, 14))]
    if rng.random() < 0.25:
        rows[rng.integers(len(rows))][rng.integers(len(kinds))] = str(rng.choice(ODD))
    ends = str(rng.choice(["\n", "\r\n"], p=[0.9, 0.1]))
    lines = [header, *(",".join(row) for row in rows)]
    return ends.join(lines) + ends * int(rng.integers(3))


def _read(file, root, own):
    try:
        read = read_one(file, root, own, label="c")
    except RecurraError as error:
        return f"{type(error).__name__}: {error}"
    (record,) = read.records
    told = {name: value for name, value in vars(record).items() if name != "values"}
    return (
        record.values.tobytes(),
        record.values.shape,
        told,
        read.notes,
        list(read.channel_names),
        read.source,
    )


def test_what_was_read_before_changes_nothing(tmp_path):
    rng = np.random.default_rng(0)
    alike = 0
    for words in (TableOptions(), TableOptions(time=""), TableOptions(sample_rate_hz=50.0)):
        for keep_labels in (False, True):
            known = of_each_file(words, keep_labels=keep_labels)
            for _ in range(150):
                file = tmp_path / "file.csv"
                text = _text(rng)
                file.write_bytes(text.encode())
                alone = of_each_file(words, keep_labels=keep_labels)
                assert _read(file, tmp_path, known) == _read(file, tmp_path, alone), text
                alike += known.alike.read(text.replace("\r\n", "\n"), file, name="", label=None) is not None
    assert alike > 150  # of 900
