"""Opinion lexicon: English words and whether they speak well or ill."""

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.files.encodings import read_text
from recurra.records import Dataset, Record

SOURCE = Source(
    name="opinion-lexicon",
    title="Word to sentiment: 2,006 positive and 4,783 negative English words",
    folder="opinion-lexicon",
    files=(
        SourceFile("positive-words.txt", "9f643e85bcd7eb32e680f05df3d87fdd3277d6626122b3efec94f3ee3790b596"),
        SourceFile("negative-words.txt", "f80f5cfe3a62e7e07768eca9435b9ba514dbd5fc0eecf181e80b16f8f4578b34"),
    ),
    page="https://www.cs.uic.edu/~liub/FBS/sentiment-analysis.html",
    licence="CC BY 4.0",
    citation="M. Hu and B. Liu: Mining and Summarizing Customer Reviews. KDD, 2004.",
)


def read() -> Dataset:
    """Read the words in the order of the files, the positive ones first.

    Returns
    -------
    Dataset
        Texts of one word each; the label is "positive" or "negative". The word is the group as well: three words stand
        in both lists, a few twice in one, and must not be on both sides of a split.
    """
    paths = find_all(SOURCE)
    records = [
        Record(word, label=label, group=word, name=word)
        for label in ("positive", "negative")
        for word in _words(read_text(paths[f"{label}-words.txt"]))
    ]
    return Dataset(records, kind="text")


def _words(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(";")]
