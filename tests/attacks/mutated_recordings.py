"""Change files of data of every format in every way a broken disk can, and load them.

Each must give an error of recurra's or a data set, within seconds; nothing else may be raised, and no process may die. A
format without a checksum cannot tell a changed number: what was accepted is counted.
``python tests/attacks/mutated_recordings.py --count 10000 --seed 0``.
"""

import argparse
import collections
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import mutated_files as bytewise
import numpy as np

BATCH = 100
LONGEST_SECONDS = 60  # of the processor, for a batch of files; ten times that of a clock, for what only waits
CHANGES = (bytewise.flip, bytewise.flip, bytewise.cut, bytewise.lengthened, bytewise.spliced, bytewise.zeroed)
MATLAB_73 = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute class {up,down}\n@data\n"
TS = "@problemName r\n@timeStamps false\n@univariate false\n@classLabel true up down\n@data\n"


def write_originals(place):
    """Write a good file of each format; return format -> its main file."""
    import edfio
    import h5py
    import pandas as pd
    import soundfile
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"id": np.repeat(range(6), 20), "time": np.tile(np.arange(20) / 10, 6), "a": rng.normal(size=120)}
    )
    table["label"] = np.where(table["id"] % 2, "up", "down")
    table.to_csv(place / "table.csv", index=False)
    table.to_parquet(place / "table.parquet")
    table.to_json(place / "table.jsonl", orient="records", lines=True)
    cells = rng.normal(size=(6, 2)).round(3).tolist()
    rows = [f"{a},{b},{'up' if i % 2 else 'down'}\n" for i, (a, b) in enumerate(cells)]
    (place / "table.arff").write_text(ARFF + "".join(rows))
    (place / "table.ts").write_text(TS + "".join(f"{a},{b}:{b},{a}:up\n" for a, b in cells))
    signal = rng.normal(size=(2, 400))
    soundfile.write(place / "sound.wav", 0.1 * signal[0], 8000)
    soundfile.write(place / "sound.flac", 0.1 * signal[0], 8000)
    samples = (1000 * signal.T).astype("<i2")
    (place / "beats.dat").write_bytes(samples.tobytes())
    lines = [
        f"beats.dat 16 200 16 0 {row[0]} {row.sum(dtype=np.int16)} 0 c{i}" for i, row in enumerate(samples.T)
    ]
    (place / "beats.hea").write_text("\n".join(["beats 2 100 400", *lines, ""]))
    (place / "words.conll").write_text("the DET\nend NOUN\n\nshe PRON\nsees VERB\n\n")
    edfio.Edf([edfio.EdfSignal(row, 100, label=f"c{i}") for i, row in enumerate(signal)]).write(
        place / "sleep.edf"
    )
    np.save(place / "matrix.npy", signal.T)
    np.savez_compressed(place / "arrays.npz", X=rng.normal(size=(6, 20, 2)), y=np.arange(6) % 2)
    savemat(place / "five.mat", {"X": signal}, do_compression=True)
    with h5py.File(place / "seven.mat", "w", userblock_size=512) as file:
        names = [
            file.create_dataset(f"#refs#/c{i}", data=signal[:, i:], compression="gzip").ref for i in range(4)
        ]
        file.create_dataset("X", (4, 1), dtype=h5py.ref_dtype)[:, 0] = names
        file["X"].attrs["MATLAB_class"] = np.bytes_("cell")
        file["y"] = np.arange(4.0)
    data = (place / "seven.mat").read_bytes()
    (place / "seven.mat").write_bytes(MATLAB_73 + data[len(MATLAB_73) :])
    files = [path for path in sorted(place.iterdir()) if path.suffix != ".dat"]
    return {path.suffix if path.suffix != ".mat" else path.name: path for path in files}


def load_all(paths):
    """Load files, and print a line of JSON for each; the process may die at any of them."""
    import recurra
    from recurra.errors import RecurraError

    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_SECONDS, LONGEST_SECONDS))
    warnings.simplefilter("ignore")
    for path in paths:
        try:
            recurra.load(path)
            outcome = "read"
        except RecurraError:
            outcome = "refused"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        print(json.dumps([path, outcome]), flush=True)


def outcomes_of(paths):
    """Return path -> outcome; a file that ends the process, or keeps it for ever, has an outcome of its own."""
    found, left = {}, list(paths)
    while left:
        command = [sys.executable, __file__, "--load", *left]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=10 * LONGEST_SECONDS, check=False
            )
            text, end = done.stdout, f"the process died: {done.returncode} {done.stderr[-200:]}"
        except subprocess.TimeoutExpired as error:
            text, end = (error.stdout or b"").decode(), "reading never ended"
        found |= dict(json.loads(line) for line in text.splitlines())
        left = [path for path in left if path not in found]
        if left:
            found[left.pop(0)] = end
    return found


def attack(count, seed, place):
    """Load ``count`` changed files, the formats in turn."""
    rng = np.random.default_rng(seed)
    (place / "good").mkdir()
    good = write_originals(place / "good")
    known = outcomes_of(map(str, good.values()))
    assert set(known.values()) == {"read"}, known
    originals = {kind: path.read_bytes() for kind, path in good.items()}
    kinds, tally, wrong = list(originals), collections.Counter(), []
    for first in range(0, count, BATCH):
        paths = {}
        for i in range(first, min(first + BATCH, count)):
            kind = kinds[i % len(kinds)]
            path = place / f"{i:06d}" / good[kind].name
            path.parent.mkdir()
            if kind == ".hea":
                shutil.copy(good[kind].with_suffix(".dat"), path.parent)
            path.write_bytes(bytewise.pick(CHANGES, rng)(originals[kind], rng))
            paths[str(path)] = kind
        for path, outcome in outcomes_of(paths).items():
            plain = outcome in ("read", "refused")
            tally[outcome if plain else "wrong"] += 1
            if not plain:
                wrong.append([paths[path], Path(path).parent.name, outcome])
            shutil.rmtree(Path(path).parent)
    return {
        "files": count,
        "read": tally["read"],
        "refused": tally["refused"],
        "formats": kinds,
        "wrong": wrong,
    }


def main():
    """Attack and say what was found; the exit code is 1 where something else than an answer or a refusal came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--load", nargs="+", help="load these, and say what came of each")
    args = parser.parse_args()
    if args.load:
        load_all(args.load)
        return 0
    with tempfile.TemporaryDirectory() as place:
        found = attack(args.count, args.seed, Path(place))
    print(
        json.dumps(
            {"command": f"{Path(__file__).name} --count {args.count} --seed {args.seed}"} | found, indent=1
        )
    )
    return bool(found["wrong"])


if __name__ == "__main__":
    sys.exit(main())
