"""Japanese and English: 50,000 short sentences, each in both languages, cut into words."""

import gzip

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.records import Dataset, Record

SOURCE = Source(
    name="japanese-english",
    title="Japanese to English: 50,000 / 500 / 500 sentences of 4 to 16 words",
    folder="en-ja-50k",
    files=(
        SourceFile("train.ja.gz", "648b83d816e81383c537cf4dc3e3e155c93d9f1993dd3fc175b977659c0df629"),
        SourceFile("train.en.gz", "c7df29ed084fb83cf6f89a8608a78433056da2560833055f93dc2a26a8d74a8c"),
        SourceFile("dev.ja.gz", "9fb9980a68f810519fd1dd4f3a9fd187db9848936a632f4f136601f0264078b3"),
        SourceFile("dev.en.gz", "f1bb5888ef3eb86978585a304dfb66a7b6372685741c24591e7b47e7509861d6"),
        SourceFile("test.ja.gz", "f958a012828b2fb29672c383c6ee4b96d8217b332aef20cee14e2aa79e5784eb"),
        SourceFile("test.en.gz", "27cad54abd8d7b1aa737fee49f540a04acb2f3c404a581c48af5a690828c5ef3"),
    ),
    page="https://github.com/odashi/small_parallel_enja",
    licence="CC BY (Tanaka corpus)",
    citation="Y. Tanaka: Compilation of a multilingual parallel corpus, PACLING 2001; small_parallel_enja by Y. Oda.",
)


def read() -> Dataset:
    """Read the sentences.

    Returns
    -------
    Dataset
        Pairs of texts whose words stand between blanks. The parts are "train", "dev" (to choose settings on) and
        "test", as the publisher gives them.
    """
    files = find_all(SOURCE)
    records = []
    for part in ("train", "dev", "test"):
        sides = [
            gzip.decompress(files[f"{part}.{side}.gz"].read_bytes()).decode("utf-8").splitlines()
            for side in ("ja", "en")
        ]
        for index, (japanese, english) in enumerate(zip(*sides, strict=True)):
            records.append(Record(japanese.strip(), label=english.strip(), name=f"{part} {index}", part=part))
    return Dataset(records, kind="pairs")
