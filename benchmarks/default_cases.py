"""The data sets on which benchmarks/defaults.py judges the bare call, each split once; what is read where.

The packages of the peers carry many of them; the rest are the named data sets of recurra.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

import recurra
from recurra.readers.ts import read_ts
from recurra.records import Dataset, Record

SEQUENCE_FILES = (
    "BasicMotions",
    "ArrowHead",
    "GunPoint",
    "OSULeaf",
    "ACSF1",
    "ItalyPowerDemand",
    "PickupGestureWiimoteZ",
    "JapaneseVowels",
)
NUMBER_FILES = ("Covid3Month", "CardanoSentiment")
ORIGINS = 3  # from which every series is forecast; each a horizon after the one before
FOLDS = 2  # of five, to keep the run short
FEWEST_ORDERS = 30


@dataclass(frozen=True)
class Case:
    """One data set of one task: training part, test part and what is true there."""

    task: str
    name: str
    train: Any
    y: Any
    test: Any
    truth: Any
    more: dict[str, Any] = field(default_factory=dict)


def sequence_case(name: str, data: Path, task: str = "classify") -> Case:
    """Return one file of the time-series archive with its official split."""
    folder = data / "aeon/datasets/data" / name
    train, test = (read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
    return Case(task, name, as_objects(train.X), train.y, as_objects(test.X), test.y)


def as_objects(values: list[Any]) -> np.ndarray:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


# ------------------------------------------------------------------------------------------------------------- series


def _column(path: Path, column: int = -1, first: int = 1) -> np.ndarray:
    with open(path, newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.reader(stream))[first:]
    return np.array([float(row[column] or "nan") for row in rows if row])


def _competition(path: Path) -> list[np.ndarray]:
    lines = path.read_text(encoding="latin-1").splitlines()
    lines = lines[lines.index("@data") + 1 :]
    return [np.array([float(v) for v in line.split(":")[2].split(",")]) for line in lines]


def _m3(data: Path) -> list[np.ndarray]:
    past, after = (recurra.load("m3-monthly", split=part) for part in ("train", "test"))
    return [np.concatenate([past[i].values[:, 0], after[i].values[:, 0]]) for i in range(0, len(past), 60)]


def _demand(data: Path) -> np.ndarray:
    return recurra.load("electricity-demand")[0].values[:, 0][-8 * 7 * 48 :]


def _aeon(name: str, file: str | None = None, column: int = -1) -> Callable[[Path], np.ndarray]:
    return lambda data: _column(data / f"aeon/datasets/data/{name}/{file or name}.csv", column)


def _statsmodels(name: str, column: int = -1) -> Callable[[Path], np.ndarray]:
    return lambda data: _column(data / f"statsmodels/datasets/{name}/{name}.csv", column)


def _months(data: Path) -> np.ndarray:
    with open(data / "statsmodels/datasets/elnino/elnino.csv", newline="", encoding="utf-8") as stream:
        return np.array([row[1:] for row in list(csv.reader(stream))[1:]], dtype=np.float64).ravel()


def _monthly_co2(data: Path) -> np.ndarray:
    with open(data / "statsmodels/datasets/co2/co2.csv", newline="", encoding="utf-8") as stream:
        rows = [row for row in list(csv.reader(stream))[1:] if row[1]]
    months = sorted({row[0][:6] for row in rows if row[0] >= "1965"})
    return np.array([np.mean([float(row[1]) for row in rows if row[0][:6] == month]) for month in months])


# Name -> series or group of series, season that the peers are told, frequency that the time stamps tell us, horizon.
SERIES: dict[str, tuple[Callable[[Path], Any], int, str, int]] = {
    "airline": (_aeon("Airline"), 12, "MS", 12),
    "shampoo": (_aeon("ShampooSales"), 12, "MS", 6),
    "solar": (_aeon("solar"), 48, "30min", 48),
    "US consumption": (_aeon("Uschange", column=2), 4, "QS", 4),
    "US income": (_aeon("Uschange", column=3), 4, "QS", 4),
    "US unemployment": (_aeon("Uschange", column=6), 4, "QS", 4),
    "PBS": (_aeon("PBS_dataset"), 12, "MS", 12),
    "lynx": (_aeon("Lynx"), 1, "YS", 10),
    "sunspots": (_statsmodels("sunspots"), 1, "YS", 11),
    "CO2": (_monthly_co2, 12, "MS", 12),
    "Nile": (_statsmodels("nile"), 1, "YS", 10),
    "electrical equipment": (_statsmodels("elec_equip"), 12, "MS", 12),
    "El Nino": (_months, 12, "MS", 12),
    "GDP": (_statsmodels("macrodata", 2), 4, "QS", 8),
    "chickenpox": (lambda data: recurra.load("chickenpox")[0].values[:, 0], 12, "MS", 12),
    "electricity demand": (_demand, 48, "30min", 48),
    "M3 months (24 series)": (_m3, 12, "MS", 18),
    "M1 years (181 series)": (
        lambda data: _competition(data / "aeon/datasets/data/m1_yearly_dataset/m1_yearly_dataset.tsf"),
        1,
        "YS",
        6,
    ),
}


def series_cases(name: str, data: Path) -> Case:
    """Return the histories up to each origin and what followed, a list of series per origin."""
    read, season, freq, horizon = SERIES[name]
    found = read(data)
    many = found if isinstance(found, list) else [found]
    origins = 1 if len(many) > 1 else ORIGINS
    histories, futures = [], []
    for back in range(origins, 0, -1):
        ends = [len(series) - back * horizon for series in many]
        histories.append([series[:end] for series, end in zip(many, ends, strict=True)])
        futures.append([series[end : end + horizon] for series, end in zip(many, ends, strict=True)])
    more = {"season": season, "freq": freq, "horizon": horizon}
    return Case("forecast", name, histories, None, None, futures, more)


def as_dataset(histories: list[np.ndarray], freq: str) -> Dataset:
    """Return histories as a file with time stamps would be read."""
    records = [
        Record(values[:, None], name=f"series {i}", start=0.0, freq=freq)
        for i, values in enumerate(histories)
    ]
    return Dataset(records, channel_names=["value"], kind="series")


# -------------------------------------------------------------------------------------------------------------- texts


def _texts(name: str) -> tuple[np.ndarray, np.ndarray]:
    data = recurra.load(name)
    X, y = np.array(data.X, dtype=object), np.asarray(data.y)
    if name == "excavator-work-orders":
        kinds, counts = np.unique(y, return_counts=True)
        kept = np.isin(y, kinds[counts >= FEWEST_ORDERS])
        X, y = X[kept], y[kept]
    return X, y


def _syllables(count: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    """Return English words and how many syllables they have when spoken, up to five."""
    data, spoken = recurra.load("pronunciations"), {}
    for word, phonemes in zip(data.X, data.y, strict=True):
        spoken.setdefault(str(word), sum(phoneme[0] in "AEIOU" for phoneme in str(phonemes).split()))
    words = np.array(sorted(w for w, n in spoken.items() if w.isalpha() and 1 <= n <= 5), dtype=object)
    chosen = np.sort(np.random.default_rng(0).permutation(len(words))[:count])
    return words[chosen], np.array([f"{spoken[word]} syllables" for word in words[chosen]])


TEXTS = ("factory-reports", "sentiment-sentences", "excavator-work-orders")
WORDS = {"opinion-lexicon": lambda: _texts("opinion-lexicon"), "syllables": _syllables}


def folds(task: str, name: str) -> Iterator[Case]:
    """Give the first of five stratified folds."""
    X, y = WORDS[name]() if task == "words" else _texts(name)
    parts = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
    for _, (train, test) in zip(range(FOLDS), parts, strict=False):
        yield Case(task, name, X[train], y[train], X[test], y[test])


# ----------------------------------------------------------------------------------------------------- labels, faults


def activity(data: Path) -> Case:
    """Return smartphone recordings; a third of the people are learned from, another third judged."""
    found = recurra.load("smartphone-activity")
    people = np.random.default_rng(0).permutation(sorted(set(found.groups.tolist())))
    third = len(people) // 3
    parts = [
        found.take(np.flatnonzero(np.isin(found.groups, p)))
        for p in (people[:third], people[third : 2 * third])
    ]
    train, test = parts
    return Case(
        "label", "activity", as_objects(train.X), as_objects(train.y), as_objects(test.X), as_objects(test.y)
    )


def behind_one_another(name: str, count: int, each: int) -> Callable[[Path], Case]:
    """Return what joins recordings of a file of the archive, ``each`` at random, with their class at every step."""

    def made(data: Path) -> Case:
        case, rng = sequence_case(name, data), np.random.default_rng(0)

        def joined(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            groups = [rng.choice(len(X), each, replace=False) for _ in range(count)]
            values = [np.concatenate([X[i] for i in group]) for group in groups]
            labels = [np.concatenate([np.repeat(y[i], len(X[i])) for i in group]) for group in groups]
            return as_objects(values), as_objects(labels)

        (train, labels), (test, truth) = joined(case.train, case.y), joined(case.test, case.truth)
        return Case("label", name, train, labels, test, truth)

    return made


def _halves(name: str, values: list[Any], labels: list[Any]) -> Case:
    """Return a case of which half of the sequences, at random, are judged."""
    order = np.random.default_rng(0).permutation(len(values))
    parts = [order[: len(order) // 2], order[len(order) // 2 :]]
    train, test = (as_objects([values[i] for i in part]) for part in parts)
    y, truth = (as_objects([labels[i] for i in part]) for part in parts)
    return Case("label", name, train, y, test, truth)


def working_days(data: Path) -> Case:
    """Return weeks of electricity demand and temperature, every half hour labelled as of a working day or not."""
    record = recurra.load("electricity-demand")[0]
    values, known = np.asarray(record.values), np.asarray(record.known)
    weeks = len(values) // (7 * 48)
    rows = np.column_stack([values[:, 0], known[:, 1]])[: weeks * 7 * 48]
    days = np.where(known[: len(rows), 0] > 0, "working", "free")
    return _halves("working days", np.split(rows, weeks), np.split(days, weeks))


def wear(data: Path) -> Case:
    """Return engines up to a random cycle, each labelled by how long it will last: over 125, over 50, or fewer cycles."""
    rng, values, labels = np.random.default_rng(0), [], []
    found = recurra.load("cmapss-fd001", split="train")
    for record in found.records:
        rows = np.asarray(record.values)
        left, end = len(rows) - 1 - np.arange(len(rows)), int(rng.integers(len(rows) // 2, len(rows) + 1))
        values.append(rows[:end])
        labels.append(np.where(left > 125, "new", np.where(left > 50, "worn", "failing"))[:end])
    return _halves("wear", values, labels)


LABELS: dict[str, Callable[[Path], Case]] = {
    "activity": activity,
    "motions behind one another": behind_one_another("BasicMotions", 30, 4),
    "vowels behind one another": behind_one_another("JapaneseVowels", 40, 8),
    "working days": working_days,
    # These were left aside while the rule was made.
    "gestures behind one another": behind_one_another("PickupGestureWiimoteZ", 40, 3),
    "gun points behind one another": behind_one_another("GunPoint", 30, 4),
    "leaves behind one another": behind_one_another("OSULeaf", 40, 2),
    "wear": wear,
}
FAULTS = {
    "internal bleeding": (
        "KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_TRAIN.csv",
        "KDD-TSAD_135/135_UCR_Anomaly_InternalBleeding16_TEST.csv",
    ),
    "ECG": ("UnitTest/ecg-diff-count-3_TRAIN_NA.csv", "UnitTest/ecg-diff-count-3_TEST.csv"),
}


def faults(name: str, data: Path) -> Case:
    """Return a normal signal to learn from, and one with labelled anomalies."""
    if name in PLANTED:
        return planted(name)
    paths = [data / "aeon/datasets/data" / file for file in FAULTS[name]]
    train, test = (as_objects([_column(path, 1)[:, None]]) for path in paths)
    return Case("anomaly", name, train, None, test, _column(paths[1], 2).astype(bool))


def heart_halves(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both halves of a normal recording at 100 Hz."""
    found = recurra.load("cinc2017-validation")
    normal = [i for i, label in enumerate(found.y) if str(label).lower().startswith("n")]
    values = np.asarray(found.X[normal[number]], np.float64).reshape(len(found.X[normal[number]]), -1)
    values = values[: len(values) // 3 * 3].reshape(-1, 3, values.shape[1]).mean(axis=1)
    return values[: len(values) // 2], values[len(values) // 2 :]


def steps_of(person: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what a person did at 50 Hz, and the last three recordings."""
    found = recurra.load("smartphone-activity")
    people = sorted(set(np.asarray(found.groups).tolist()))
    own = [np.asarray(found.X[i])[::2] for i in np.flatnonzero(np.asarray(found.groups) == people[person])]
    return np.concatenate(own[:-3]), np.concatenate(own[-3:])


def _weeks() -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(recurra.load("electricity-demand")[0].values)
    return values[: 48 * 7 * 20], values[48 * 7 * 20 : 48 * 7 * 32]


# Name -> normal part and part that gets faults, steps that repeat themselves, seed.
PLANTED: dict[str, tuple[Callable[[], tuple[np.ndarray, np.ndarray]], int, int]] = {
    "heart, planted faults": (lambda: heart_halves(0), 80, 0),
    "demand, planted faults": (_weeks, 48, 0),
    # These were left aside while the rule was made.
    "another heart, planted faults": (lambda: heart_halves(5), 80, 5),
    "activity, planted faults": (lambda: steps_of(7), 50, 7),
}


def planted(name: str) -> Case:
    """Return a real signal, its second part with eight faults: level, held value, spike, speed, noise, size."""
    read, period, seed = PLANTED[name]
    normal, faulty = read()
    faulty, rng = faulty.copy(), np.random.default_rng(seed)
    steps, channels = faulty.shape
    deviation, marks = faulty.std(axis=0), np.zeros(steps, dtype=bool)
    bounds = np.linspace(0, steps, 9).astype(int)
    kinds = ("level", "held", "spike", "speed", "noise", "size", "level", "held")
    for kind, first, last in zip(kinds, bounds, bounds[1:], strict=False):
        length = 1 if kind == "spike" else min(int(period * rng.uniform(0.7, 2)), (last - first) // 2)
        at = int(rng.integers(first + length // 4 + 1, last - length - 1))
        chosen = np.sort(rng.choice(channels, max(1, channels // 2), replace=False))
        part = np.ix_(np.arange(at, at + length), chosen)
        faulty[part] = _spoilt(kind, faulty, at, part, deviation[chosen], rng)
        marks[at : at + length] = True
    return Case("anomaly", name, as_objects([normal]), None, as_objects([faulty]), marks)


def _spoilt(
    kind: str, values: np.ndarray, at: int, part: Any, deviation: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return what takes the place of a part of the values."""
    own, sign = values[part], rng.choice([-1.0, 1.0])
    if kind == "level":
        return own + sign * rng.uniform(0.8, 1.5) * deviation
    if kind == "held":
        return np.repeat(own[:1], len(own), axis=0)
    if kind == "spike":
        return own + sign * rng.uniform(2, 4) * deviation
    if kind == "noise":
        return own + 0.4 * deviation * rng.normal(size=own.shape)
    if kind == "size":
        return own.mean(axis=0) + (own - own.mean(axis=0)) * rng.choice([0.35, 1.8])
    times = np.minimum(at + np.arange(len(own)) * rng.choice([0.6, 1.7]), len(values) - 1)
    columns = part[1].ravel()
    return np.column_stack([np.interp(times, np.arange(len(values)), values[:, c]) for c in columns])


# ------------------------------------------------------------------------------------------- clips, pairs, running text

CLIPS_OF_A_CLASS = {"train": 20, "test": 10}
WORDS_SPOKEN = (4000, 500)
CHARACTERS = (100_000, 20_000)


def turning_digits(name: str) -> Case:
    """Return some clips of every class: which digit comes first, and which second."""
    found = recurra.load("turning-digits")
    parts = []
    for part, count in CLIPS_OF_A_CLASS.items():
        own = found.part(part)
        kept = [np.flatnonzero(np.asarray(own.y) == label)[:count] for label in sorted(set(own.y))]
        parts.append(own.take(np.sort(np.concatenate(kept))))
    train, test = parts
    return Case("video", name, train, train.y, test, test.y)


def digits_adrift(name: str) -> Case:
    """Return clips made of one digit each that drifts through noise, ten classes."""
    rng = np.random.default_rng(0)

    def clips(part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        found = recurra.load("handwritten-digits", split=part)
        chosen = rng.choice(len(found), count, replace=False)
        made = []
        for row in chosen:
            digit = np.asarray(found[int(row)].values, dtype=np.float64).reshape(28, 28)
            digit = np.kron(digit / digit.max(), np.ones((2, 2)))
            (x, y), (dx, dy) = rng.integers(16, 40, 2), rng.integers(-2, 3, 2)
            frames = rng.integers(0, 90, (8, 112, 112, 3))
            for time, frame in enumerate(frames):
                top, left = y + time * dy, x + time * dx
                frame[top : top + 56, left : left + 56] += (160 * digit[..., None]).astype(int)
            made.append(frames.astype(np.uint8))
        return as_objects(made), np.array([str(found[int(row)].label) for row in chosen])

    train, labels = clips("train", 200)
    test, truth = clips("test", 100)
    return Case("video", name, train, labels, test, truth)


def _roman(number: int) -> str:
    out = ""
    for places, (one, five, ten) in ((100, "CDM"), (10, "XLC"), (1, "IVX")):
        digit = number // places % 10
        small = "" if digit % 5 == 4 else one * (digit % 5)
        out += one + ten if digit == 9 else one + five if digit == 4 else (five if digit > 4 else "") + small
    return "M" * (number // 1000) + out


def numerals(name: str) -> Case:
    """Return half of the numbers 1 to 1000 to learn from, the other half to judge by."""
    numbers = np.random.default_rng(0).permutation(np.arange(1, 1001))
    pairs = [(str(n), _roman(int(n))) for n in numbers]
    sources, targets = (np.array(part, dtype=object) for part in zip(*pairs, strict=True))
    if name == "Roman to decimal":
        sources, targets = targets, sources
    return Case("translate", name, sources[:500], targets[:500], sources[500:], targets[500:])


def spoken(name: str) -> Case:
    """Return words and their phonemes."""
    found = recurra.load("pronunciations")
    learned, judged = WORDS_SPOKEN
    rows = np.random.default_rng(0).permutation(len(found))[: learned + judged]
    words, phonemes = (np.array([str(part[i]) for i in rows], dtype=object) for part in (found.X, found.y))
    return Case("translate", name, words[:learned], phonemes[:learned], words[learned:], phonemes[learned:])


def running_text(name: str) -> Case:
    """Return the beginning of a text and what follows."""
    text = "\n".join(str(one) for one in recurra.load(name).X)
    learned, judged = CHARACTERS
    return Case("write", name, [text[:learned]], None, [text[learned : learned + judged]], None)


CLIPS = {"turning digits (360 clips)": turning_digits, "digits adrift (300 clips)": digits_adrift}
PAIRS = {"Roman to decimal": numerals, "decimal to Roman": numerals, "pronunciations (4500 words)": spoken}
WRITTEN = ("pride-and-prejudice", "sentiment-sentences")


def cases(task: str, data: Path) -> Iterator[tuple[str, Callable[[], list[Case]]]]:
    """Give the name of every data set of a task, and what reads it."""
    tables: dict[str, dict[str, Callable[[str], list[Case]]]] = {
        "classify": dict.fromkeys(SEQUENCE_FILES, lambda n: [sequence_case(n, data)]),
        "numbers": dict.fromkeys(NUMBER_FILES, lambda n: [sequence_case(n, data, "numbers")]),
        "forecast": dict.fromkeys(SERIES, lambda n: [series_cases(n, data)]),
        "text": dict.fromkeys(TEXTS, lambda n: list(folds("text", n))),
        "words": dict.fromkeys(WORDS, lambda n: list(folds("words", n))),
        "label": dict.fromkeys(LABELS, lambda n: [LABELS[n](data)]),
        "anomaly": dict.fromkeys((*FAULTS, *PLANTED), lambda n: [faults(n, data)]),
        "video": dict.fromkeys(CLIPS, lambda n: [CLIPS[n](n)]),
        "translate": dict.fromkeys(PAIRS, lambda n: [PAIRS[n](n)]),
        "write": dict.fromkeys(WRITTEN, lambda n: [running_text(n)]),
    }
    for name, read in tables[task].items():
        yield name, lambda name=name, read=read: read(name)


TASKS = (
    "classify",
    "forecast",
    "text",
    "words",
    "label",
    "anomaly",
    "numbers",
    "video",
    "translate",
    "write",
)
