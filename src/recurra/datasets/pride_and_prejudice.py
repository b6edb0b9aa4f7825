"""Pride and Prejudice: the whole novel as one text, for networks that write."""

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.files.encodings import read_text
from recurra.records import Dataset, Record

SOURCE = Source(
    name="pride-and-prejudice",
    title="A novel by Jane Austen, 1813, as one text of 684,767 characters",
    folder="text",
    files=(
        SourceFile(
            "pride-and-prejudice.txt", "dfc684d4f857fa938268f9ab9c5567b64bd0691251eca959644adeabe6287a4d"
        ),
    ),
    page="https://www.gutenberg.org/ebooks/1342",
    licence="public domain",
    citation="Jane Austen: Pride and Prejudice. London, 1813.",
)


def read() -> Dataset:
    """Read the novel.

    Returns
    -------
    Dataset
        One text, without a label.
    """
    text = read_text(find_all(SOURCE)["pride-and-prejudice.txt"]).replace("\r\n", "\n")
    return Dataset([Record(text, name="Pride and Prejudice")], kind="text")
