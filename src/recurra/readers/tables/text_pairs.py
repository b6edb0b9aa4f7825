"""Tables of two columns of text: a source, and what it is to be turned into."""

from recurra.checks import listing
from recurra.errors import DataError, UsageError
from recurra.readers.tables.columns import Columns
from recurra.readers.tables.table_options import TableOptions
from recurra.records import Dataset, Record


def pairs_of(columns: Columns, words: TableOptions) -> Dataset:
    """One record per row, its value the source's text and its label the target's; no target column: no labels."""
    targets = words.target_names
    if len(targets) > 1:
        raise UsageError(f"load: source= takes one target= column; got {listing(targets)}.")
    sides = []
    for word, name in (("source", str(words.source)), *(("target", name) for name in targets)):
        columns.check_name(name, word)
        # Not `Columns.strings`: here "NA" and "null" are words like others.
        texts = [cell.strip() if isinstance(cell, str) else str(cell) for cell in columns[name].tolist()]
        missing = (
            row
            for row, cell in enumerate(columns[name].tolist())
            if not texts[row] or cell != cell or cell is None
        )
        empty = next(missing, None)
        if empty is not None:
            raise DataError(
                f"{columns.who}: the {word} column {name!r} must be filled; it is empty at {columns.place(empty)}. "
                "Fill or remove the row."
            )
        sides.append(texts)
    if words.group:
        columns.check_name(words.group, "group")
    groups = columns.labels(words.group) if words.group else [None] * columns.rows
    labels = sides[1] if targets else [None] * columns.rows
    records = [
        Record(text, label=label, group=group, name=name)
        for text, label, group, name in zip(
            sides[0], labels, groups, columns.unique_names(words.id), strict=True
        )
    ]
    return Dataset(records, kind="pairs")
