"""C-MAPSS FD001: simulated jet engines run until they fail; how many flights are left?"""

import numpy as np

from recurra.datasets.fetch import Source, SourceFile, find_all
from recurra.errors import DataError
from recurra.records import Dataset, Record

SOURCE = Source(
    name="cmapss-fd001",
    title="Remaining life of jet engines: 100 engines to train and 100 to test, 24 channels",
    folder="cmapss-fd001",
    files=(
        SourceFile("train_FD001.txt", "963b5e22825b34d8b21c69e1aeb4af3e647050eb672ee8834ba4b5d91d2de0f8"),
        SourceFile("test_FD001.txt", "3cda7109ce17bafb5443f2ac926cfcf88154b941b8c4cf95eb55d1ddd6f52851"),
        SourceFile("RUL_FD001.txt", "a19c8ec94931949d0485bdc35118206e9c81c4547b422efb9cf86f4ceddbceca"),
    ),
    page="https://data.nasa.gov/dataset/cmapss-jet-engine-simulated-data",
    licence="public domain (NASA Prognostics Center of Excellence)",
    citation=(
        "A. Saxena, K. Goebel, D. Simon and N. Eklund: Damage Propagation Modeling for Aircraft Engine "
        "Run-to-Failure "
        "Simulation. 1st International Conference on Prognostics and Health Management, Denver, 2008."
    ),
)

CHANNELS = (*(f"setting_{i}" for i in range(1, 4)), *(f"sensor_{i}" for i in range(1, 22)))


def read() -> Dataset:
    """Read the engines: one record each, one time step per flight.

    Returns
    -------
    Dataset
        Values float64 of shape (flights, 24). The label of every step is the number of flights left after
        it, float64: training engines run to failure (0 at the last step), test engines stop before and the
        published remaining life tells how far.
    """
    paths = find_all(SOURCE)
    remaining = np.loadtxt(paths["RUL_FD001.txt"], ndmin=1)
    train = _engines(np.loadtxt(paths["train_FD001.txt"]), "train", None)
    test = _engines(np.loadtxt(paths["test_FD001.txt"]), "test", remaining)
    return Dataset(
        [*train, *test],
        channel_names=list(CHANNELS),
        notes=("The label is the number of flights left after each step.",),
    )


def _engines(rows: np.ndarray, part: str, remaining: np.ndarray | None) -> list[Record]:
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=0))
    pieces = np.split(rows, starts[1:])
    if remaining is not None and len(remaining) != len(pieces):
        raise DataError(
            f"RUL_FD001.txt: must have one line per test engine, {len(pieces)}; got {len(remaining)}."
        )
    records = []
    for index, piece in enumerate(pieces):
        last = 0.0 if remaining is None else float(remaining[index])
        left = last + np.arange(len(piece) - 1, -1, -1, dtype=np.float64)
        engine = f"{part} engine {int(piece[0, 0])}"
        records.append(Record(piece[:, 2:], label=left, group=engine, name=engine, part=part))
    return records
