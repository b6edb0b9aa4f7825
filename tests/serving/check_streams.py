"""The big counts behind the tests of streams: ``python tests/serving/check_streams.py --out FILE`` (about 10 minutes).

Random networks and chunkings against the whole; the light runtime against the estimators and against torch; ten million
steps through one stream; states and model files with flipped bytes. Every part stops at the first disagreement.
"""

import argparse
import json
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import recurra
from models import TASKS, chunks, random_model, recording_for
from recurra.errors import RecurraError


def same(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, strict=True)


def answers_of(model, rows):
    """Return what the whole gives: numbers, or probabilities."""
    return model.predict([rows])[0] if model.task == "regression" else model.predict_proba([rows])[0]


def check_chunks(count, rng, tolerance):
    """Stream equals whole: random networks, random chunks, state to bytes and back at a random step."""
    for _ in range(count):
        model = random_model(rng)
        rows = recording_for(rng, model, int(rng.integers(1, 60)))
        pieces = chunks(rng, rows)
        swap, stream, steps = int(rng.integers(len(pieces))), model.stream(), []
        for index, piece in enumerate(pieces):
            if index == swap:
                state, stream = stream.state, model.stream()
                stream.state = state
            answer = stream.push(piece) if rng.random() < 0.5 or len(piece) != 1 else stream.step(piece[0])
            if model.task == "labeling":
                steps.extend(answer.probabilities)
        found = np.asarray(steps if model.task == "labeling" else answer.probabilities)
        if model.task == "regression":
            found = np.asarray(answer.value)
        same(found, np.asarray(answers_of(model, rows)), tolerance)
        one_by_one = model.stream()
        for row in rows:
            answer = one_by_one.step(row)
        if model.task == "regression":
            same(np.asarray(answer.value), np.asarray(answers_of(model, rows)), tolerance)
        else:
            last = answers_of(model, rows)[-1] if model.task == "labeling" else answers_of(model, rows)
            same(
                answer.probabilities[-1] if model.task == "labeling" else answer.probabilities,
                last,
                tolerance,
            )
            assert answer.label == (
                model.predict([rows])[0][-1] if model.task == "labeling" else model.predict([rows])[0]
            )
    return {"networks": count, "tolerance": tolerance}


def check_many(count, rng, tolerance):
    """Named streams, random company, random order: each equals the whole of its own rows."""
    rows_read = 0
    for _ in range(count):
        model = random_model(rng)
        recordings = {
            f"s{i}": recording_for(rng, model, int(rng.integers(1, 20))) for i in range(rng.integers(1, 12))
        }
        streams, read, last = recurra.Streams(model), dict.fromkeys(recordings, 0), {}
        while left := [name for name, rows in recordings.items() if read[name] < len(rows)]:
            some = [str(n) for n in rng.permutation(left)[: int(rng.integers(1, len(left) + 1))]]
            answers = streams.step({name: recordings[name][read[name]] for name in some})
            for index, name in enumerate(some):
                read[name] += 1
                last[name] = (answers.values if model.task == "regression" else answers.probabilities)[index]
            rows_read += len(some)
        for name, rows in recordings.items():
            expected = answers_of(model, rows)
            same(last[name], expected[-1] if model.task == "labeling" else expected, tolerance)
    return {"networks": count, "rows": rows_read, "tolerance": tolerance}


def check_light(count, rng):
    """The light runtime against the estimator, bit for bit, and against torch, on ragged batches."""
    import torch

    from recurra.ragged import Ragged

    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.recurra"
        for task in TASKS:
            for _ in range(count):
                model = random_model(rng, task=task, bidirectional=bool(rng.random() < 0.5))
                model.save(path)
                light, full = recurra.load_model(path, runtime="light"), recurra.load_model(path)
                X = [
                    recording_for(rng, model, int(n))
                    for n in rng.integers(1, 40, size=int(rng.integers(1, 9)))
                ]
                for word in ("predict",) if task == "regression" else ("predict", "predict_proba"):
                    for a, b in zip(getattr(light, word)(X), getattr(full, word)(X), strict=True):
                        np.testing.assert_array_equal(a, b)
                inputs = Ragged.from_list(light.model_.prepare(X))
                with torch.no_grad():
                    expected = full.torch_network()(inputs.replace(torch.from_numpy(inputs.values))).numpy()
                found = light.model_.outputs(X)
                np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
                worst = max(worst, float(np.abs(found - expected).max()))
    return {"networks_of_each": count, "estimators": len(TASKS), "largest_difference_from_torch": worst}


def resident():
    """Return the resident memory in kB."""
    with open("/proc/self/status") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))


def check_long(steps, rng, tolerance):
    """Many steps through one stream: flat memory, and the answer of the whole."""
    model = random_model(
        rng,
        task="classification",
        cell="lstm",
        pooling="mean",
        channels=3,
        hidden_size=8,
        num_layers=1,
        missing="error",
    )
    rows = rng.normal(size=(steps, 3))
    stream, begun, memory = model.stream(), time.perf_counter(), []
    for index, row in enumerate(rows):
        answer = stream.step(row)
        if (index + 1) % (steps // 10) == 0:
            memory.append(resident())
    seconds = time.perf_counter() - begun
    grown = memory[-1] - memory[0]
    assert grown < 1024, f"memory grew by {grown} kB"
    same(answer.probabilities, model.predict_proba([rows])[0], tolerance)
    latency = {
        name: round(value * 1e6, 2) for name, value in stream.latency.summary().items() if name != "answers"
    }
    return {
        "steps": steps, "seconds": round(seconds, 1), "memory_grown_kb_after_first_tenth": grown,
        "latency_us": latency, "tolerance": tolerance,
    }  # fmt: skip


def check_flips(count, rng):
    """Flipped bytes of states and model files: an error of ours, or the same answer."""
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.recurra"
        for case in range(count):
            if case % 100 == 0:
                model = random_model(rng, hidden_size=int(rng.integers(1, 6)))
                rows = recording_for(rng, model, 6)
                model.save(path)
                good = path.read_bytes()
                stream = model.stream()
                state = stream.push(rows[:3]).state
                expected = stream.push(rows[3:])
                whole = answers_of(model, rows)
            damaged = bytearray(good if case % 2 else state)
            for place in rng.integers(len(damaged), size=int(rng.integers(1, 4))):
                damaged[place] ^= 1 << int(rng.integers(8))
            try:
                if case % 2:
                    path.write_bytes(damaged)
                    np.testing.assert_array_equal(
                        answers_of(recurra.load_model(path, runtime="light").model_, rows), whole
                    )
                else:
                    again = model.stream()
                    again.state = bytes(damaged)
                    found = again.push(rows[3:])
                    np.testing.assert_array_equal(found._outputs, expected._outputs)
            except RecurraError:
                refused += 1
    return {"cases": count, "refused": refused, "same_answer": count - refused, "crashes": 0}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (
        ("networks", 1000),
        ("light", 100),
        ("steps", 10**7),
        ("flips", 10_000),
        ("seed", 0),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", help="file for what was found, as JSON")
    args = parser.parse_args()
    kernels = recurra.kernels.describe()
    tolerance = 0.0 if kernels["runs"] == "native" else 1e-6
    parts = {
        "stream_equals_whole": lambda rng: check_chunks(args.networks, rng, tolerance),
        "named_streams_equal_whole": lambda rng: check_many(args.networks // 2, rng, tolerance),
        "light_equals_estimator": lambda rng: check_light(args.light, rng),
        "flipped_bytes": lambda rng: check_flips(args.flips, rng),
        "long_stream": lambda rng: check_long(args.steps, rng, tolerance),
    }
    result = {
        "command": "python tests/serving/check_streams.py " + " ".join(sys.argv[1:]),
        "seed": args.seed,
        "kernels": f"{kernels['runs']}, {kernels['isa']}",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "recurra": recurra.__version__,
        },
    }
    for number, (name, part) in enumerate(parts.items()):
        start = time.perf_counter()
        result[name] = part(np.random.default_rng([args.seed, number]))
        result[name]["took_seconds"] = round(time.perf_counter() - start, 1)
        print(name, result[name], flush=True)
    result["peak_memory_kb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if args.out:
        Path(args.out).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
