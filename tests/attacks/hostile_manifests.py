"""Change the manifests of model files and of saved streams, sign them again, load them and ask for an answer.

Every value of every manifest is replaced by every hostile one, and taken away. Each file must be refused with an error of
recurra's or give finite answers within seconds and two gigabytes; any other exception is wrong.
``python tests/attacks/hostile_manifests.py --count 10000 --seed 0``.
"""

import argparse
import copy
import functools
import gzip
import json
import resource
import signal
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import warm

import recurra
from recurra import store
from recurra.errors import RecurraError

FILES = Path(__file__).parent.parent / "serving" / "files"
LONGEST_SECONDS = 20
MOST_BYTES = 2 * 2**30
GONE = object()
HOSTILE = (
    GONE, None, True, False, 0, 1, 2, 3, -1, 2**31, 2**63, 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf"), "", "x",
    "lstm", "x" * 1000, "\0", [], [None], [[]], [0], [-1], ["x"], [1e308, 1], {}, {"name": "x"}, {"x": 1}, [[[[[[[[]]]]]]]],
)  # fmt: skip


def paths(node, path=()):
    """Yield the path of every value in a tree of JSON, of long lists the first two and the last."""
    if isinstance(node, dict):
        items = list(node.items())
    else:
        items = list(enumerate(node)) if isinstance(node, list) else []
        items = items if len(items) < 4 else [*items[:2], items[-1]]
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


def changed(manifest, path, value):
    manifest = copy.deepcopy(manifest)
    node = manifest
    for key in path[:-1]:
        node = node[key]
    if value is GONE:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return manifest


def signed(manifest, arrays):
    """Return the bytes of a file whatever its manifest holds, NaN too."""
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    metadata = {"recurra": f"{store.FORMAT}\n{store._digest(text, arrays)}\n{text}"}
    return store.to_safetensors(arrays, metadata=metadata)


def model_files():
    """Return name and bytes of every stored model file."""
    found = {path.name.partition(".")[0]: path.read_bytes() for path in sorted(FILES.glob("*.recurra"))}
    return found | {p.name.partition(".")[0]: gzip.decompress(p.read_bytes()) for p in FILES.glob("*.gz")}


def inputs_of(manifest):
    """Return something a model of this manifest predicts from."""
    rng = np.random.default_rng(0)
    if manifest["estimator"] == "VideoClassifier":
        return [rng.integers(0, 255, size=(3, 9, 9, 3), dtype=np.uint8)]
    if manifest["task"] == "translation":
        return ["abc", "ca"]
    if manifest["estimator"] in ("TextClassifier", "TextRegressor", "TextGenerator"):
        return ["the pump leaks", "a hot motor"]
    channels = manifest.get("features", {}).get("n_channels", 1)
    return [rng.normal(size=(150, channels)), rng.normal(size=(90, channels))]


def answers(model, X):
    """Return all a fitted model answers, as arrays."""
    name = type(model).__name__
    if name == "TextGenerator":
        return [np.array([model.generate("the", length=5, random_state=0)])]
    if name == "Forecaster":
        return [np.asarray(one, dtype=float) for one in _listed(model.predict())]
    found = [np.asarray(one) for one in _listed(model.predict(X))]
    if hasattr(model, "predict_proba") and hasattr(model, "classes_"):
        found += [np.asarray(one) for one in _listed(model.predict_proba(X))]
    return found


def _listed(found):
    several = isinstance(found, list) or (isinstance(found, np.ndarray) and found.dtype.kind == "O")
    return list(found) if several else [found]


def streamed(stream, rows):
    answer = stream.push(rows)
    found = [answer.probabilities, answer.value, answer.labels]
    return [np.asarray(one) for one in found if one is not None]


class Model:
    """A model file: loaded whole, loaded light, asked for answers, streamed."""

    def __init__(self, name, data):
        self.name = name
        self.manifest, self.arrays = store.loads(data)
        self.inputs = inputs_of(self.manifest)

    def use(self, data, place):
        path = place / "changed.recurra"
        path.write_bytes(data)
        model = recurra.load_model(path)
        yield "loaded"
        yield answers(model, self.inputs)
        network = self.manifest["network"]
        whole = network.get("bidirectional") or network.get("crf") or "wide" in self.manifest
        if self.manifest["estimator"].startswith("Sequence") and not whole:
            yield streamed(model.stream(), self.inputs[0])
        if (
            self.manifest["task"] not in ("forecasting", "anomaly", "generation")
            and "video" not in self.manifest
        ):
            yield answers(recurra.load_model(path, runtime="light"), self.inputs)


class State:
    """The saved state of a stream: given to another stream, which goes on."""

    def __init__(self, name, model, kind):
        self.name, self.model, self.kind = name, model, kind
        self.rows = np.random.default_rng(0).normal(size=(20, model.n_channels_))
        stream = self.begin()
        if kind == "streams":
            stream.step({"a": self.rows[0], "b": self.rows[1]})
        else:
            stream.push(self.rows[:11])
        self.manifest, self.arrays = store.loads(stream.state)

    def begin(self):
        if self.kind == "streams":
            return recurra.Streams(self.model)
        return self.model.stream(look_ahead=3) if self.kind == "look-ahead" else self.model.stream()

    def use(self, data, place):
        stream = self.begin()
        stream.state = data
        yield "loaded"
        if self.kind == "streams":
            found = stream.step({"a": self.rows[2]})
            yield [np.asarray(one) for one in vars(found).values() if isinstance(one, np.ndarray)]
        else:
            yield streamed(stream, self.rows[11:])


def targets(place):
    """Return every file and every state that is attacked."""
    found, loaded = [], {}
    for name, data in model_files().items():
        found.append(Model(name, data))
        (place / "model.recurra").write_bytes(data)
        loaded[name] = recurra.load_model(place / "model.recurra")
    streaming = ("classifier", "classifier_causal_features", "classifier_windows", "labeler", "regressor")
    found += [State(f"stream {name}", loaded[name], "stream") for name in streaming]
    for name in ("classifier", "labeler", "regressor"):
        found.append(State(f"look-ahead {name}", loaded[name], "look-ahead"))
        found.append(State(f"streams {name}", loaded[name], "streams"))
    return found


@functools.cache
def original(target, place):
    return list(target.use(signed(target.manifest, target.arrays), place))


def outcome_of(target, path, value, place):
    """Return ``refused`` at load, ``refused_later``, ``same``, ``other`` answers, or what should not have happened."""
    began = "refused"
    expected = original(target, place)
    try:
        found = []
        for one in target.use(signed(changed(target.manifest, path, value), target.arrays), place):
            began = "refused_later"
            found.append(one)
    except RecurraError:
        return began
    except Exception as error:
        return f"{(began == 'refused' and 'load') or 'answer'}: {type(error).__name__}: {error!s:.80}"
    same = all(_same(one, other) for one, other in zip(found, expected, strict=False))
    return "same" if same and len(found) == len(expected) else "other"


def _same(one, other):
    if isinstance(one, str):
        return one == other
    return len(one) == len(other) and all(a.tolist() == b.tolist() for a, b in zip(one, other, strict=True))


def too_long(number, frame):
    raise TimeoutError(f"took longer than {LONGEST_SECONDS} s")


def attack(count, seed, place):
    """Return how loading ``count`` changed files ended."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    signal.signal(signal.SIGALRM, too_long)
    everyone = targets(place)
    cases = [
        (one, path, at) for one in everyone for path in paths(one.manifest) for at in range(len(HOSTILE))
    ]
    order = np.random.default_rng(seed).permutation(len(cases))[:count]
    found, wrong, longest = Counter(), [], 0.0
    for number in order.tolist():
        target, path, at = cases[number]
        began = time.monotonic()
        signal.alarm(LONGEST_SECONDS)
        outcome = outcome_of(target, path, HOSTILE[at], place)
        signal.alarm(0)
        longest = max(longest, time.monotonic() - began)
        if outcome not in ("refused", "refused_later", "same", "other"):
            shown = "taken away" if HOSTILE[at] is GONE else repr(HOSTILE[at])[:40]
            wrong.append(f"{target.name} {'.'.join(map(str, path))} {shown}: {outcome}")
            outcome = "wrong"
        found[outcome] += 1
    outcomes = {word: found[word] for word in ("refused", "refused_later", "same", "other")}
    return {
        "possible": len(cases),
        "files": len(order),
        **outcomes,
        "wrong": wrong,
        "longest_seconds": round(longest, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="changed files")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, resource.RLIM_INFINITY))
        found = attack(given.count, given.seed, Path(place))
    command = f"python tests/attacks/hostile_manifests.py --count {given.count} --seed {given.seed}"
    out = {"command": command, **found, "seconds": round(time.monotonic() - began, 1), **warm.versions()}
    print(json.dumps(out, indent=1))
    raise SystemExit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
