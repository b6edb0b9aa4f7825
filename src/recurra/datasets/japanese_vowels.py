"""Japanese vowels: nine speakers say /ae/; 12 cepstrum coefficients per frame. Bundled; who is speaking?"""

from importlib import resources

import numpy as np

from recurra.datasets.fetch import Source
from recurra.records import Dataset, Record

SOURCE = Source(
    name="japanese-vowels",
    title="Who is speaking: 640 utterances of a vowel by 9 men, 12 channels, length 7 to 29",
    folder="japanese-vowels",
    files=(),
    page="https://archive.ics.uci.edu/dataset/128/japanese+vowels",
    licence="CC BY 4.0",
    citation=(
        "M. Kudo, J. Toyama and M. Shimbo: Multidimensional Curve Classification Using Passing-Through "
        "Regions. "
        "Pattern Recognition Letters 20 (11-13), 1103-1111, 1999. UCI Machine Learning Repository, doi "
        "10.24432/C5NS47."
    ),
)

# Frames follow each other by 6.4 ms (25.6 ms long, at 10 kHz), says the data set's description.
_FRAMES_PER_SECOND = 1000 / 6.4


def read() -> Dataset:
    """Read all 640 records: 270 of the official training part, 370 of the test part.

    Returns
    -------
    Dataset
        Values float32 of shape (time, 12), each the float nearest to the published decimal of six places;
        labels "1" to "9", the speaker. There are no groups: who said what in one sitting is not known, and
        the speaker is the label.
    """
    bundled = resources.files("recurra.datasets").joinpath("bundled", "japanese-vowels.npz")
    with bundled.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        millionths = np.cumsum(arrays["millionths"], axis=1, dtype=np.int64).T
        lengths = arrays["lengths"].astype(np.int64)
        labels = arrays["labels"]
        n_train = int(arrays["n_train"])
    values = (millionths / 1e6).astype(np.float32)
    records = []
    seen = {"train": 0, "test": 0}
    for index, sequence in enumerate(np.split(values, np.cumsum(lengths)[:-1])):
        part = "train" if index < n_train else "test"
        name = f"{part} {seen[part]}"
        seen[part] += 1
        records.append(
            Record(
                np.ascontiguousarray(sequence),
                label=str(labels[index]),
                name=name,
                part=part,
                sample_rate_hz=_FRAMES_PER_SECOND,
            )
        )
    return Dataset(records, channel_names=[f"cepstrum_{i}" for i in range(1, 13)])
