"""Factory reports: 480 short failure reports and the kind of failure."""

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.tables.columns import read_delimited
from recurra.records import Dataset, Record

SOURCE = Source(
    name="factory-reports",
    title="Failure report to kind of failure: 480 English sentences, 4 classes",
    folder="factory-reports",
    files=(
        SourceFile("factoryReports.csv", "6b0877cbc2a3e1524dd3c33c5194d61944d7fcc564478f8e8debaae6b0961836"),
    ),
    page="https://www.mathworks.com/help/textanalytics/",
    licence="MathWorks, Inc. 2020: redistribution and use with licence notice and citation",
    citation="factoryReports data set provided by The MathWorks, Inc. (www.mathworks.com.)",
)


def read() -> Dataset:
    """Read the 480 reports.

    Returns
    -------
    Dataset
        Texts; the label is the category. The rows look like about 100 reports in several wordings, so that a
        random split leaks: the group is (category, urgency, resolution, cost), which wordings of one report
        share.
    """
    columns = read_delimited(find_all(SOURCE)["factoryReports.csv"])
    texts = columns.strings("Description")
    categories = columns.strings("Category")
    others = zip(
        *(columns.strings(name) for name in ("Category", "Urgency", "Resolution", "Cost")), strict=True
    )
    groups = [" | ".join(str(cell) for cell in row) for row in others]
    records = [
        Record(text, label=label, group=group, name=f"report {index}")
        for index, (text, label, group) in enumerate(zip(texts, categories, groups, strict=True))
    ]
    return Dataset(records, kind="text")
