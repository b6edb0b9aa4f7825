"""Heart rhythm: 300 short single-lead electrocardiograms of the PhysioNet challenge of 2017, with their diagnosis."""

import zipfile

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.readers.signals.physionet import read_header, read_signals
from recurra.records import Dataset, Record

SOURCE = Source(
    name="cinc2017-validation",
    title="Heart rhythm: 300 electrocardiograms of 10 to 61 s at 300 Hz; normal, atrial fibrillation, other, noisy",
    folder="cinc2017-validation",
    files=(SourceFile("validation.zip", "845d660e02c418d55106a9ead319c9b182a75f9caf40c12c9ab54f61e21d5561"),),
    page="https://physionet.org/content/challenge-2017/1.0.0/",
    licence="ODC-BY 1.0",
    citation=(
        "G. D. Clifford, C. Liu, B. Moody, L. H. Lehman, I. Silva, Q. Li, A. E. Johnson and R. G. Mark: AF "
        "classification from a short single lead ECG recording: the PhysioNet/Computing in Cardiology Challenge "
        "2017. Computing in Cardiology 44, 2017, doi 10.22489/CinC.2017.065-469. A. L. Goldberger et al.: PhysioBank, "
        "PhysioToolkit, and PhysioNet. Circulation 101(23), e215-e220, 2000."
    ),
)

# The challenge's letters.
RHYTHMS = {"N": "normal", "A": "atrial fibrillation", "O": "other", "~": "noisy"}


def read() -> Dataset:
    """Read the recordings from the zip file, in place.

    Returns
    -------
    Dataset
        Values float64 of shape (time, 1) in millivolt; one label per recording, of `RHYTHMS`.
    """
    path = find_all(SOURCE)["validation.zip"]
    records = []
    with zipfile.ZipFile(path) as archive:
        by_name = {member.split("/")[-1]: member for member in archive.namelist()}
        reference = archive.read(by_name["REFERENCE.csv"]).decode()
        for line in sorted(reference.split()):
            name, letter = line.split(",")
            who = f"{path}: {name}"
            header = read_header(archive.read(by_name[f"{name}.hea"]).decode("latin-1"), who)
            content = {s.file: archive.read(by_name[s.file]) for s in header.signals}
            values = read_signals(header, content, who)
            records.append(Record(values, label=RHYTHMS[letter], name=name, sample_rate_hz=header.rate_hz))
    return Dataset(records, channel_names=["ecg"])
