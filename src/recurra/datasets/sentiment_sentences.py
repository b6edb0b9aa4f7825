"""Sentiment sentences: 3,000 sentences of reviews of products, films and restaurants."""

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.errors import DataError
from recurra.readers.files.encodings import read_text
from recurra.records import Dataset, Record

SOURCE = Source(
    name="sentiment-sentences",
    title="Sentence to sentiment: 1,000 sentences each of product, film and restaurant reviews",
    folder="sentiment-sentences",
    files=(
        SourceFile(
            "amazon_cells_labelled.txt", "d631a137c89205e2b5091543d79d6f77e50446a11bab7bb7b9e528d46dd9a6dc"
        ),
        SourceFile("imdb_labelled.txt", "d12a866cf337cf871233c5d52ccca717f124d9678101e37fb3415c830f72e574"),
        SourceFile("yelp_labelled.txt", "eeb9e1493ffcde9fb838bf8e20ff48ec51bbb349355e5760e02746b707d399d1"),
    ),
    page="https://archive.ics.uci.edu/dataset/331/sentiment+labelled+sentences",
    licence="CC BY 4.0",
    citation=(
        "D. Kotzias, M. Denil, N. de Freitas and P. Smyth: From Group to Individual Labels using Deep Features. "
        "KDD, 2015."
    ),
)

_LABELS = {"0": "negative", "1": "positive"}


def read() -> Dataset:
    """Read the sentences, file after file.

    Returns
    -------
    Dataset
        Texts; the label is "positive" or "negative", the name says the file and the line.
    """
    records = []
    for name, path in find_all(SOURCE).items():
        # Only "\n" ends a line: one sentence holds the character NEL, at which splitlines would cut it.
        for number, line in enumerate(read_text(path).split("\n"), 1):
            if not line.strip():
                continue
            sentence, _, label = line.rstrip().rpartition("\t")
            if label not in _LABELS:
                raise DataError(f"{path}: line {number} must end with a tab and 0 or 1; got {line[-20:]!r}.")
            records.append(
                Record(sentence.strip(), label=_LABELS[label], name=f"{name.split('_')[0]} {number}")
            )
    return Dataset(records, kind="text")
