"""Excavator work orders: what a mechanic wrote, and which system of the machine it was about."""

from collections import Counter

from recurra.datasets import wheels
from recurra.datasets.fetch import Source
from recurra.readers.tables.columns import parse
from recurra.records import Dataset, Record

SOURCE = Source(
    name="excavator-work-orders",
    title="Work order to major system: 3,086 short texts of mechanics with a system, in capitals, misspelt",
    folder=wheels.FOLDER,
    files=(wheels.WHEELS["nist-nestor"],),
    page="https://github.com/usnistgov/nestor",
    licence="public domain (works of NIST employees)",
    citation=(
        "M. Ho and M. Hodkiewicz: Excavator data set; T. Sexton and M. Brundage: Nestor: A Tool for Natural Language "
        "Annotation of Short Texts. Journal of Research of NIST 124, 2019."
    ),
)


def read() -> Dataset:
    """Read the work orders for which the publishers found a system.

    Returns
    -------
    Dataset
        Texts; the label is the major system, the group the text without capitals and signs, since mechanics write the
        same words again and again.
    """
    text = wheels.read_member(SOURCE, "nestor/datasets/excavators-cleaned.csv").decode("utf-8")
    columns = parse(text, who="excavators-cleaned.csv")
    records = []
    rows = zip(columns.strings("OriginalShorttext"), columns.strings("MajorSystem"), strict=True)
    for number, (order, system) in enumerate(rows):
        if order is not None and system is not None:
            group = " ".join("".join(c if c.isalnum() else " " for c in order.lower()).split())
            records.append(Record(order, label=system, group=group, name=f"order {number}"))
    few = Counter(record.label for record in records)
    return Dataset(
        records,
        kind="text",
        notes=(
            f"{columns.rows - len(records)} of {columns.rows} work orders have no major system and were left out; "
            f"{sum(count >= 30 for count in few.values())} of {len(few)} systems have at least 30.",
        ),
    )
