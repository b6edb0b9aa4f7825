"""Change model and checkpoint files in every way a broken disk or a liar can, and read them.

Each must give an error of recurra's or, only if the file says the same as before, the same content; within a second, and
with no more memory than a small multiple of the file. ``python tests/attacks/mutated_files.py --count 10000 --seed 0``.
"""

import argparse
import json
import resource
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import warm

from recurra import store
from recurra.batches.examples import Examples
from recurra.errors import RecurraError
from recurra.nn.networks.sequence_network import NetworkConfig, build
from recurra.serving.models.fitted_model import FittedModel
from recurra.training import checkpoints, loop
from recurra.training.config import TrainingConfig
from recurra.training.losses import cross_entropy

LONGEST_SECONDS = 1.0
# What reading may take beside the file itself, for the interpreter's own small things.
FLOOR_BYTES = 24 * 2**20
MULTIPLE = 8


def header_of(data):
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header, body):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def pick(options, rng):
    return options[int(rng.integers(len(options)))]


def signed(data, change_manifest, change_arrays=lambda arrays: None):
    """Return a file whose checksum is right although it lies."""
    manifest, arrays = store.loads(data)
    change_manifest(manifest)
    change_arrays(arrays)
    return store.dumps(manifest, arrays)


def leaves(node, path=()):
    """Yield the path of every value in a tree of JSON."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from leaves(value, (*path, key))


ODD = (
    None,
    True,
    -1,
    0,
    2**63,
    1e308,
    "",
    "x" * 1000,
    [],
    {},
    [[]],
    {"dict": []},
    {"tensor": "absent"},
    float(2**70),
)


def flip(data, rng):
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def flip_header(data, rng):
    out = bytearray(data)
    out[int(rng.integers(8 + int.from_bytes(data[:8], "little")))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def cut(data, rng):
    return data[: int(rng.integers(len(data)))]


def lengthened(data, rng):
    return data + bytes(rng.integers(0, 256, int(rng.integers(1, 5000)), dtype=np.uint8))


def spliced(data, rng):
    a, b = sorted(rng.integers(len(data), size=2).tolist())
    return data[:a] + data[b:] if rng.random() < 0.5 else data[:b] + data[a:]


def zeroed(data, rng):
    first = int(rng.integers(len(data)))
    size = int(rng.integers(1, 4096))
    return data[:first] + bytes(len(data[first : first + size])) + data[first + size :]


def rewritten(data, rng):
    """Change an entry of the header."""
    header, body = header_of(data)
    names = [name for name in header if name != "__metadata__"]
    name = pick(names, rng)
    entry = header[name]
    kind = int(rng.integers(8))
    if kind == 0:
        entry["dtype"] = pick(("F64", "I8", "BF16", "BOOL", "C64", "object"), rng)
    elif kind == 1:
        entry["shape"] = [int(rng.integers(0, 2**40)) for _ in range(int(rng.integers(0, 40)))]
    elif kind == 2:
        entry["data_offsets"] = rng.integers(0, 2**62, 2).tolist()
    elif kind == 3:
        entry["shape"] = [*entry["shape"], 2**31, 2**31]
    elif kind == 4:
        del header[name]
    elif kind == 5:
        header[pick(names, rng)] = header.pop(name)
    elif kind == 6:
        entry[str(rng.choice(list(entry)))] = pick(ODD, rng)
    else:
        header["__metadata__"] = pick(ODD, rng)
    return joined(header, body)


def huge_header(data, rng):
    size = pick((2**24, 2**24 + 1, 2**32, 2**63 - 1, 2**64 - 1), rng)
    return size.to_bytes(8, "little") + data[8:]


def huge_array(data, rng):
    header, body = header_of(data)
    big = pick((2**31, 2**40, 2**60), rng)
    header["huge"] = {"dtype": "U8", "shape": [big], "data_offsets": [len(body), len(body) + big]}
    return joined(header, body)


def deep(data, rng):
    depth = pick((65, 1000, 100_000, 1_000_000), rng)
    opened, closed = (b"[", b"]") if rng.random() < 0.5 else (b'{"a":', b"}")
    text = b'{"__metadata__":' + opened * depth + b"1" + closed * depth + b"}"
    return joined(text, header_of(data)[1])


def repeated(data, rng):
    header, body = header_of(data)
    text = json.dumps(header)
    name = json.dumps(str(rng.choice(list(header))))
    return joined(text[:-1].encode() + f",{name}:{json.dumps(header[json.loads(name)])}}}".encode(), body)


def many_arrays(data, rng):
    entries = {f"t{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
    header, body = header_of(data)
    return joined(header | entries, body)


def padded_json(data, rng):
    """Fill the header with what takes much more memory parsed than written."""
    filling = pick((b"[]", b"{}", b"0", b'""', b"[[]]", b'{"":0}', b"1.5", b"null"), rng)
    size = pick((10_000, 300_000, 3_000_000), rng)
    text = b'{"__metadata__":[' + b",".join([filling] * (size // len(filling))) + b"]}"
    return joined(text, header_of(data)[1])


def quotes(data, rng):
    text = b'{"' + b'\\"' * pick((1000, 1_000_000), rng) + b"[" * 70 + b"}"
    return joined(text, b"")


def lying_manifest(data, rng):
    """Change a value deep in the manifest and sign it again."""

    def change(manifest):
        places = list(leaves(manifest))
        *way, last = pick(places, rng)
        node = manifest
        for key in way:
            node = node[key]
        if rng.random() < 0.3:
            del node[last]
        else:
            node[last] = pick(ODD, rng)

    return signed(data, change)


def lying_arrays(data, rng):
    """Change the shape, kind or name of an array and sign it again."""

    def change(arrays):
        name = str(rng.choice(sorted(arrays)))
        array = arrays.pop(name)
        kind = int(rng.integers(5))
        if kind == 0:
            arrays[name] = array.reshape(-1)[:-1]
        elif kind == 1:
            arrays[name] = array.astype(np.float16 if array.dtype.kind == "f" else np.float32)
        elif kind == 2:
            arrays[f"{name}x"] = array
        elif kind == 3:
            arrays[name] = array[None]

    return signed(data, lambda manifest: None, change)


WAYS = (flip, flip, flip_header, cut, cut, lengthened, spliced, zeroed, rewritten, rewritten, huge_header, huge_array,
        repeated, lying_manifest, lying_manifest, lying_arrays)  # fmt: skip
LARGE = (deep, many_arrays, padded_json, quotes)  # files of megabytes: fewer of them


class Reader:
    """A model file is loaded; training goes on from a checkpoint."""

    def __init__(self, place):
        rng = np.random.default_rng(0)
        inputs = [rng.normal(size=(5, 2)).astype(np.float32) for _ in range(12)]
        self.examples = Examples(inputs=inputs, targets=np.arange(12) % 2)
        self.network = build(NetworkConfig(cell="gru", input_size=2, hidden_size=3, output_size=2), seed=0)
        self.config = TrainingConfig(max_epochs=3, batch_size=6)
        self.train(callbacks=[checkpoints.Checkpoints(place / "checkpoints", identity={"data": "0"})])
        warm.write_data(place / "data.csv")
        warm.here(warm.train_words(place / "data.csv", place / "run"))
        step = checkpoints.steps(place / "checkpoints")[-1]
        self.files = {
            "model": place / "run" / "model.recurra",
            "checkpoint": place / "checkpoints" / f"step-{step:08d}.recurra",
        }

    def train(self, **words):
        loop.train(self.network, self.examples, config=self.config, loss=cross_entropy(), **words)

    def read(self, path, kind):
        if kind == "model":
            FittedModel.load(path)
        else:
            self.train(start=checkpoints.read(path).state)


def outcome_of(reader, path, kind):
    """Return ``accepted``, ``errors``, or what should not have happened."""
    try:
        reader.read(path, kind)
    except RecurraError:
        return "errors"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def attack(count, seed, place):
    """Return what reading ``count`` changed files did, half of them models, half checkpoints."""
    rng = np.random.default_rng(seed)
    reader = Reader(place)
    data = {kind: path.read_bytes() for kind, path in reader.files.items()}
    plain = {kind: store.loads(content) for kind, content in data.items()}
    found = {"files": 0, "errors": 0, "same": 0, "accepted_lies": 0, "wrong": []}
    found |= {"longest_seconds": 0.0, "most_memory_per_file": 0.0}
    path = place / "changed.recurra"
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        kind = ("model", "checkpoint")[number % 2]
        pool = LARGE if number % 50 == 49 else WAYS
        way = pick(pool, rng)
        changed = way(data[kind], rng)
        path.write_bytes(changed)
        size = len(changed)
        began = time.process_time()
        outcome = outcome_of(reader, path, kind)
        seconds = time.process_time() - began  # other work on the machine is no fault of the file
        tracemalloc.start()
        again = outcome_of(reader, path, kind)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert again == outcome
        found["files"] += 1
        found["longest_seconds"] = max(found["longest_seconds"], round(seconds, 3))
        found["most_memory_per_file"] = max(
            found["most_memory_per_file"], round(memory / (size + FLOOR_BYTES), 2)
        )
        if outcome == "accepted":
            lie = way in (lying_manifest, lying_arrays)  # rightly signed, so it may say something else
            same = same_content(store.load(path), plain[kind])
            found["same"] += same
            found["accepted_lies"] += lie and not same
            if not same and not lie:
                outcome = "another meaning was accepted"
        if outcome == "errors":
            found["errors"] += 1
        elif outcome != "accepted":
            found["wrong"].append(f"{number} {kind} {way.__name__}: {outcome}")
        if seconds > LONGEST_SECONDS:
            found["wrong"].append(f"{number} {kind} {way.__name__}: took {seconds:.2f} s")
        if memory > MULTIPLE * size + FLOOR_BYTES:
            found["wrong"].append(f"{number} {kind} {way.__name__}: {memory:,} bytes for a file of {size:,}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rss) // 1024
    return found | {"process_grew_by_megabytes": grown}


def same_content(one, other):
    (manifest, arrays), (manifest_0, arrays_0) = one, other
    return (
        manifest == manifest_0
        and arrays.keys() == arrays_0.keys()
        and all(arrays[name].tobytes() == arrays_0[name].tobytes() for name in arrays)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="changed files")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        found = attack(given.count, given.seed, Path(place))
    command = f"python tests/attacks/mutated_files.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
