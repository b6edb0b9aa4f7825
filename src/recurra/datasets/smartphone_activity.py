"""Smartphone activity: 23 people stand up, walk, turn and sit down; a label for every sample."""

import zipfile

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.files.encodings import decode
from recurra.readers.tables.columns import parse
from recurra.records import Dataset, Record

SOURCE = Source(
    name="smartphone-activity",
    title="Activity at every time step: 223 recordings of 23 people, 6 channels, 5 activities",
    folder="sp-sw-har",
    files=(SourceFile("smartphone.zip", "40dabbd4a5b7962031b9d6a6156b05657f5f88c5954a6c663a464d07f186b89c"),),
    page="https://doi.org/10.5281/zenodo.8398688",
    licence="CC BY 4.0",
    citation=(
        "M. Matey-Sanz, S. Casteleyn and C. Granell: Dataset of inertial measurements of smartphones and "
        "smartwatches "
        "for human activity recognition. Data in Brief 51, 109809, 2023, doi 10.1016/j.dib.2023.109809."
    ),
)

CHANNELS = ("x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro")

# The phone samples at about 100 Hz with jitter; time stamps are whole milliseconds.
_SAMPLE_RATE_HZ = 100.0


def read() -> Dataset:
    """Read the recordings from the zip file, in place.

    Returns
    -------
    Dataset
        Values float64 of shape (time, 6): acceleration in m/s^2 and rotation in rad/s; one label per time
        step; the group is the person.
    """
    records = []
    path = find_all(SOURCE)["smartphone.zip"]
    with zipfile.ZipFile(path) as archive:
        members = sorted(name for name in archive.namelist() if name.endswith("_sp.csv"))
        for member in members:
            text = decode(archive.read(member), who=f"{path}: {member}")
            columns = parse(text, who=f"{path}: {member}")
            values = np.column_stack([columns.numbers(name) for name in CHANNELS])
            labels = np.array(columns.strings("label"))
            person = member.split("/")[0]
            name = member.split("/")[-1].removesuffix("_sp.csv")
            records.append(
                Record(values, label=labels, group=person, name=name, sample_rate_hz=_SAMPLE_RATE_HZ)
            )
    return Dataset(records, channel_names=list(CHANNELS))
