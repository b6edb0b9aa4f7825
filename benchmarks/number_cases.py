"""Real problems of one number for each sequence, in two halves: what a rule is made on, and what it is confirmed on.

Few archive files of this kind are in packages. The rest are made of real recordings: a channel from the others, what comes
later, how long until something, how often something happens. Wheels of `WHEELS` are read where they lie in ``--wheels``.
"""

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import default_cases
import numpy as np
from default_cases import Case
from scipy.signal import find_peaks
from sklearn.datasets import load_digits

import recurra
from recurra.readers.ts import read_ts

# pip download --no-deps tsml chemotools
WHEELS = {"gas prices": "tsml-*.whl", "fermentation": "chemotools-*.whl", "coffee": "chemotools-*.whl"}
Pairs = list[tuple[np.ndarray, float]]


def _made(name: str, learned: Pairs, judged: Pairs) -> Case:
    X, Z = ([np.asarray(x, np.float64).reshape(len(x), -1) for x, _ in part] for part in (learned, judged))
    y, truth = (np.array([value for _, value in part], np.float64) for part in (learned, judged))
    return Case("numbers", name, default_cases.as_objects(X), y, default_cases.as_objects(Z), truth)


def _drawn(name: str, found: Pairs, n: int, judged: int = 300) -> Case:
    order = np.random.default_rng(0).permutation(len(found))
    return _made(name, [found[i] for i in order[:n]], [found[i] for i in order[n : n + judged]])


def _wheel(name: str, folder: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(sorted(folder.glob(WHEELS[name]))[-1])


# ------------------------------------------------------------------------------------------------- archive and spectra


def archive(name: str) -> Callable[[Path, Path], Case]:
    """Return what reads a file of the archive with its official split."""
    return lambda data, wheels: default_cases.sequence_case(name, data, "numbers")


def gas_prices(data: Path, wheels: Path) -> Case:
    """Return prices of ten days before, from which the mood of reports is told: 20 sequences each (archive, shortened)."""
    with _wheel("gas prices", wheels) as found:
        inside = "tsml/datasets/MinimalGasPrices/MinimalGasPrices_"
        parts = []
        for part in ("TRAIN", "TEST"):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "part.ts")
                path.write_bytes(found.read(f"{inside}{part}.ts"))
                parts.append(read_ts(path))
    train, test = parts
    pairs = [[(x, float(y)) for x, y in zip(part.X, part.y, strict=True)] for part in (train, test)]
    return _made("gas prices", *pairs)


def _table(archive: zipfile.ZipFile, name: str) -> list[list[str]]:
    lines = archive.read(f"chemotools/datasets/data/{name}.csv").decode().splitlines()[1:]
    return [line.split(",") for line in lines]


def fermentation(data: Path, wheels: Path) -> Case:
    """Return Raman spectra and the glucose in the broth; judged is a fermentation of its own."""
    with _wheel("fermentation", wheels) as found:
        spectra, glucose = (np.array(_table(found, f"train_{n}"), float) for n in ("spectra", "hplc"))
        later = np.array(_table(found, "fermentation_spectra"), float)
        measured = _table(found, "fermentation_hplc")
    times, values = (np.array([float(row[k]) for row in measured]) for k in (0, 1))
    nearest = np.round(times / times[-1] * (len(later) - 1)).astype(int)
    judged = [(later[i][::4], value) for i, value in zip(nearest, values, strict=True)]
    return _made("fermentation", [(x[::4], y[0]) for x, y in zip(spectra, glucose, strict=True)], judged)


def coffee(data: Path, wheels: Path) -> Case:
    """Return the first two thirds of infrared spectra of coffee, and the mean of the last tenth."""
    with _wheel("coffee", wheels) as found:
        spectra = np.array(_table(found, "coffee_spectra"), float)
    cut = spectra.shape[1] * 2 // 3
    return _drawn("coffee", [(x[:cut:4], x[-len(x) // 10 :].mean()) for x in spectra], 30)


# ------------------------------------------------------------------------------------------ one sensor from the others


def turbofan(data: Path, wheels: Path) -> Case:
    """Return engines up to a random flight and how many are left, 125 at most; judged are the official ones."""
    rng, learned = np.random.default_rng(0), []
    for record in recurra.load("cmapss-fd001", split="train").records:
        ends = rng.integers(30, len(record.values) + 1, 2)
        learned += [(record.values[:end], min(record.label[end - 1], 125.0)) for end in ends]
    tested = recurra.load("cmapss-fd001", split="test").records
    return _made("turbofan", learned, [(r.values, min(r.label[-1], 125.0)) for r in tested])


def _activity(steps: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    found = recurra.load("smartphone-activity")
    return [
        (str(group), np.asarray(x)[::steps], np.asarray(y)[::steps])
        for group, x, y in zip(found.groups, found.X, found.y, strict=True)
    ]


def rotation(data: Path, wheels: Path) -> Case:
    """Return two and a half seconds of acceleration, and how fast a phone turns meanwhile; judged are other people."""
    rng, parts = np.random.default_rng(0), ([], [])
    recordings = _activity(2)
    people = sorted({person for person, _, _ in recordings})
    for person, x, _ in recordings:
        first = int(rng.integers(0, len(x) - 128))
        part = x[first : first + 128]
        parts[people.index(person) % 2].append((part[:, :3], np.log(part[:, 3:].std())))
    return _made("rotation", *parts)


def change(data: Path, wheels: Path) -> Case:
    """Return three seconds in which somebody begins to do something else, and when; judged are other people."""
    rng, parts = np.random.default_rng(0), ([], [])
    recordings = _activity(4)
    people = sorted({person for person, _, _ in recordings})
    for person, x, labels in recordings:
        for at in np.flatnonzero(labels[1:] != labels[:-1]) + 1:
            first = int(at - rng.integers(8, 68))
            own = labels[max(first, 0) : first + 75]
            if first >= 0 and first + 75 <= len(x) and np.count_nonzero(own[1:] != own[:-1]) == 1:
                parts[people.index(person) % 2].append((x[first : first + 75], (at - first) / 25))
    return _made("change", parts[0][:250], parts[1][:300])


def trunk(data: Path, wheels: Path) -> Case:
    """Return two seconds of acceleration of ankle and leg of one who walks, and the spread of that of the trunk."""
    path = next((data / "aeon/datasets/data/Daphnet_S06R02E0").glob("*.csv"))
    rows = np.array([line.split(",")[1:10] for line in path.read_text().splitlines()[1:]], float)
    parts = np.split(rows[: len(rows) // 64 * 64], len(rows) // 64)
    return _drawn("trunk", [(x[:, :6], np.log(1 + x[:, 7].std())) for x in parts], len(parts) // 2)


def of_channels(
    name: str, number: Callable[[np.ndarray], float], kept: slice
) -> Callable[[Path, Path], Case]:
    """Return what makes a problem of a file of the archive: some channels, and a number of all."""

    def made(data: Path, wheels: Path) -> Case:
        case = default_cases.sequence_case(name, data)
        parts = [
            [(np.asarray(x)[:, kept], number(np.asarray(x))) for x in X] for X in (case.train, case.test)
        ]
        return _made(name, parts[0], parts[1][:300])

    return made


def temperature(data: Path, wheels: Path) -> Case:
    """Return the demand of electricity of a day every half hour, and its highest temperature."""
    record = recurra.load("electricity-demand")[0]
    days = len(record.values) // 48
    demand = np.asarray(record.values)[: days * 48, 0].reshape(days, 48)
    warmth = np.asarray(record.known)[: days * 48, 1].reshape(days, 48).max(axis=1)
    return _drawn("temperature", list(zip(demand, warmth, strict=True)), 180)


# ------------------------------------------------------------------------------------------------- hearts and pressure


def _hearts() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return recordings at 50 Hz and their beats."""
    out = []
    for x in recurra.load("cinc2017-validation").X:
        values = np.asarray(x, np.float64).ravel()[: len(x) // 6 * 6]
        steep = np.abs(np.diff(values, prepend=values[0]))
        steep = np.convolve(steep, np.ones(15) / 15, mode="same")
        beats, _ = find_peaks(steep, distance=90, height=np.quantile(steep, 0.9))
        out.append((values.reshape(-1, 6).mean(axis=1), beats / 6))
    return out


def heart_rate(data: Path, wheels: Path) -> Case:
    """Return the first six seconds of a heart, and the logarithm of its rate in all."""
    found = [(x[:300], -np.log(np.median(np.diff(beats)) / 50)) for x, beats in _hearts() if len(beats) > 5]
    return _drawn("heart rate", found, 150)


def since_beat(data: Path, wheels: Path) -> Case:
    """Return three seconds of a heart, and the seconds since its last beat."""
    rng, found = np.random.default_rng(0), []
    for x, beats in _hearts():
        end = int(rng.integers(400, len(x)))
        before = beats[beats < end]
        if len(before):
            found.append((x[end - 150 : end], min((end - before[-1]) / 50, 1.5)))
    return _drawn("since beat", found, 150)


# ---------------------------------------------------------------------------------------------------- what comes later


def later(name: str, seen: int, after: int, number: Callable[[np.ndarray], float] = np.mean) -> Callable:
    """Return what makes a problem of a file of the archive: the first steps, and a number of those after a step."""

    def made(data: Path, wheels: Path) -> Case:
        case = default_cases.sequence_case(name, data)
        parts = [
            [(np.asarray(x)[:seen], float(number(np.asarray(x)[after:]))) for x in X if len(x) > after]
            for X in (case.train, case.test)
        ]
        return _made(name, parts[0], parts[1][:300])

    return made


def onward(
    name: str, read: Callable[[Path], np.ndarray], seen: int, ahead: int, *, steps: int, n: int = 200
) -> Callable[[Path, Path], Case]:
    """Return what makes a problem of a long series: some steps, and the mean of some ahead; judged is what comes last."""

    def made(data: Path, wheels: Path) -> Case:
        values = read(data)
        firsts = range(0, len(values) - seen - ahead + 1, steps)
        found = [(values[i : i + seen], float(values[i + seen : i + seen + ahead].mean())) for i in firsts]
        cut = len(found) * 3 // 5
        # Nothing that is told from a judged sequence has been learned from.
        apart = cut + (seen + ahead) // steps
        return _made(name, found[max(0, cut - n) : cut], found[apart : apart + 300])

    return made


def gesture(data: Path, wheels: Path) -> Case:
    """Return the first seconds of a gesture, and how long it takes."""
    case = default_cases.sequence_case("PickupGestureWiimoteZ", data)
    found = [
        [(np.asarray(x)[:40], float(np.log(len(x)))) for x in X if len(x) > 40]
        for X in (case.train, case.test)
    ]
    return _made("gesture", *found)


def competition(data: Path, wheels: Path) -> Case:
    """Return 48 months scaled alike, and the mean of half a year ahead."""
    past = recurra.load("m3-monthly", split="train")
    found = []
    for record in past.records:
        x = np.asarray(record.values)[:, 0]
        if len(x) >= 54:
            own = x[-54:-6]
            found.append(
                ((own - own.mean()) / (own.std() + 1e-9), (x[-6:].mean() - own.mean()) / (own.std() + 1e-9))
            )
    return _drawn("M3 months", found, 200)


def digits(data: Path, wheels: Path) -> Case:
    """Return the first five rows of a digit, and the ink of the other three."""
    images = load_digits().images
    return _drawn("digits", [(image[:5], float(image[5:].sum())) for image in images], 200)


def slant(data: Path, wheels: Path) -> Case:
    """Return the rows of a digit, and by how much it is slanted."""
    images = [
        np.asarray(record.values, np.float64) for record in recurra.load("handwritten-digits").records[:600]
    ]
    rows, columns = np.mgrid[:28, :28].astype(float)
    found = []
    for image in images:
        share = image / image.sum()
        r, c = rows - (share * rows).sum(), columns - (share * columns).sum()
        found.append((image, float((share * r * c).sum() / (share * r * r).sum())))
    return _drawn("slant", found, 200)


def _logarithms(data: Path) -> np.ndarray:
    return np.log(np.asarray(recurra.load("chickenpox")[0].values)[:, 0])


def _pressure(data: Path) -> np.ndarray:
    path = data / "aeon/datasets/data" / default_cases.FAULTS["internal bleeding"][1]
    return np.array([float(line.split(",")[1]) for line in path.read_text().splitlines()[1:]])


def _series(name: str) -> Callable[[Path], np.ndarray]:
    return lambda data: np.asarray(default_cases.SERIES[name][0](data), np.float64)


CASES: dict[str, Callable[[Path, Path], Case]] = {
    # made on
    "Covid3Month": archive("Covid3Month"),
    "fermentation": fermentation,
    "coffee": coffee,
    "rotation": rotation,
    "trunk": trunk,
    "BasicMotions": of_channels("BasicMotions", lambda x: float(np.log(x[:, 3:].std())), slice(0, 3)),
    "heart rate": heart_rate,
    "change": change,
    "ItalyPowerDemand": later("ItalyPowerDemand", 16, 20),
    "ArrowHead": later("ArrowHead", 150, 200),
    "ACSF1": later("ACSF1", 500, 1000, lambda x: float(x.std())),
    "chickenpox": onward("chickenpox", _logarithms, 24, 3, steps=1),
    "sunspots": onward("sunspots", _series("sunspots"), 33, 1, steps=1),
    "digits": digits,
    # confirmed on
    "CardanoSentiment": archive("CardanoSentiment"),
    "gas prices": gas_prices,
    "turbofan": turbofan,
    "temperature": temperature,
    "JapaneseVowels": of_channels("JapaneseVowels", lambda x: float(x[:, 0].mean()), slice(1, None)),
    "since beat": since_beat,
    "pressure": onward("pressure", _pressure, 100, 20, steps=20),
    "OSULeaf": later("OSULeaf", 200, 300),
    "GunPoint": later("GunPoint", 80, 120),
    "gesture": gesture,
    "M3 months": competition,
    "El Nino": onward("El Nino", _series("El Nino"), 24, 3, steps=1),
    "slant": slant,
}
MADE_ON, ASIDE = tuple(CASES)[:14], tuple(CASES)[14:]


def read(name: str, data: Path, wheels: Path | None) -> Case | None:
    """Return a problem; None where its wheel is not there."""
    if name in WHEELS and (wheels is None or not list(wheels.glob(WHEELS[name]))):
        return None
    return CASES[name](data, wheels or data)
