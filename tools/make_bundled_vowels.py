"""Make src/recurra/datasets/bundled/japanese-vowels.npz from the aeon 1.6.0 wheel.

    pip download --no-deps aeon==1.6.0
    python tools/make_bundled_vowels.py aeon-1.6.0-py3-none-any.whl
    src/recurra/datasets/bundled/japanese-vowels.npz

The decimals of the source have 6 places and at most 7 digits: as whole millionths they are exact, and
compress to less than a float does.
"""

import argparse
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from recurra.readers.ts import read_ts

SHA256 = "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"
INSIDE = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts"


def main() -> None:
    """Read the two files inside the wheel and write the array file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    found = hashlib.sha256(args.wheel.read_bytes()).hexdigest()
    if found != SHA256:
        raise SystemExit(f"{args.wheel}: SHA-256 is {found}, expected {SHA256}.")
    records = []
    with zipfile.ZipFile(args.wheel) as wheel, tempfile.TemporaryDirectory() as folder:
        for part in ("TRAIN", "TEST"):
            copy = Path(folder) / f"{part}.ts"
            copy.write_bytes(wheel.read(INSIDE.format(part=part)))
            records += read_ts(copy, part=part.lower()).records
    values = np.concatenate([record.values for record in records])
    millionths = np.round(values * 1e6).astype(np.int32)
    if not np.array_equal(millionths / 1e6, values):
        raise SystemExit("the values are not whole millionths")
    write(
        args.out,
        # One channel after the other, differences in time: neighbours are alike, so that this compresses
        # better.
        millionths=np.diff(millionths.T, axis=1, prepend=0).astype(np.int32),
        lengths=np.array([record.length for record in records], dtype=np.uint8),
        labels=np.array([int(record.label) for record in records], dtype=np.uint8),
        n_train=np.array(sum(record.part == "train" for record in records), dtype=np.uint16),
    )
    print(
        f"{args.out}: {args.out.stat().st_size} bytes, SHA-256 "
        f"{hashlib.sha256(args.out.read_bytes()).hexdigest()}"
    )


def write(path: Path, **arrays: np.ndarray) -> None:
    """Write an .npz whose bytes depend on the arrays only (no time of day in it)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.lib.format.write_array(stream, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), stream.getvalue(), zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
