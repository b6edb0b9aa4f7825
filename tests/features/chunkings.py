"""Features fed in random chunks against the whole: `python tests/features/chunkings.py 1000 [result.json]`."""

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from recurra.features.chain import Chain
from recurra.features.registry import make_features, parse_features
from signal_files import waves

# Everything there is, with windows and hops of many kinds.
KINDS = [
    "spectral",
    "spectrum",
    "statistics",
    "motion",
    {"name": "mfcc", "n_mels": 12, "n_mfcc": 7, "deltas": 2},
    {"name": ["log_mel", "band_powers", "samples"], "n_mels": 9, "hop_s": 0.01},
    {"name": ["spectral_entropy", "statistics"], "window_s": 0.37, "hop_s": 0.37, "taper": "hamming"},
    {"name": "instantaneous_frequency", "window_s": 0.05, "hop_s": 0.02, "center": False, "deltas": 1},
    "beat_intervals",
]


def beating(steps, rng):
    """Something like a heart: spikes at irregular intervals on noise, six channels."""
    out = waves(steps=steps, channels=6, seed=int(rng.integers(1 << 30)))
    place = 0
    while (place := place + int(rng.integers(40, 130))) < steps - 5:
        out[place : place + 5, 0] += np.array([1, 4, 8, -3, 1]) * rng.uniform(0.8, 1.2)
    return out


def one(rng):
    """Compare one random chunking, with the state taken out and put back now and then; return the bits that differ."""
    kind = KINDS[int(rng.integers(len(KINDS)))]
    values = beating(int(rng.integers(60, 1500)), rng)
    dtype = [np.float64, np.float32][int(rng.integers(2))]
    values = values.astype(dtype)
    chain = Chain.fit(
        [values], scaling="zscore", missing="error", features=make_features(parse_features(kind), 6, 100.0)
    ) if kind != "beat_intervals" else Chain(make_features(parse_features(kind), 6, 100.0), 6)  # fmt: skip
    whole = chain.transform(values)
    stream, out, place = chain.stream(), [], 0
    largest = int(rng.choice([1, 7, 60, 400]))
    while place < len(values):
        size = int(rng.integers(0, largest + 1))
        out.append(stream.push(values[place : place + size]))
        place += size
        if rng.random() < 0.1:
            state, stream = stream.state(), chain.stream()
            stream.set_state(state)
    streamed = np.concatenate(out)
    assert streamed.shape == whole.shape, (kind, streamed.shape, whole.shape)
    return int(np.unpackbits((streamed.view(np.uint32) ^ whole.view(np.uint32)).view(np.uint8)).sum())


def run(count, seed=0):
    """Return the bits that differ over so many chunkings."""
    return sum(one(np.random.default_rng([seed, i])) for i in range(count))


if __name__ == "__main__":
    began, number = time.perf_counter(), int(sys.argv[1])
    bits = run(number)
    result = {"chunkings": number, "bits_that_differ": bits, "seconds": round(time.perf_counter() - began, 1)}
    print(json.dumps(result))
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="utf-8") as file:
            file.write(json.dumps(result, indent=2) + "\n")
    sys.exit(bits > 0)
