"""One step of a stream, and 1,000 streams at once, against onnxruntime and torch carrying their state.

An LSTM classifier of 128 units, 12 channels and 9 classes. Every contender is given one row of numbers and gives
probabilities and a label; recurra scales the row too, the others are spared it. Answers are compared before the clock
starts; then the contenders take turns, and medians over the rounds are reported.

    python benchmarks/bench_stream.py --out benchmarks/results/bench_stream.json
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time

import numpy as np

from recurra import Streams, __version__, kernels
from recurra.features.chain import Chain
from recurra.features.rows.scaling import Scaling
from recurra.serving.models.fitted_model import FittedModel, classes_to_manifest
from recurra.serving.prediction import expected_shapes


def model_of(args):
    """Return a classifier with random weights."""
    rng = np.random.default_rng(args.seed)
    network = {
        "cell": "lstm", "input_size": args.channels, "hidden_size": args.hidden, "output_size": args.classes,
        "num_layers": 1, "bidirectional": False, "pooling": "last", "dropout": 0.0,
    }  # fmt: skip
    bound = args.hidden**-0.5
    weights = {
        n: rng.uniform(-bound, bound, s).astype(np.float32) for n, s in expected_shapes(network).items()
    }
    scaling = Scaling("zscore", rng.normal(size=args.channels), rng.uniform(0.5, 2, args.channels))
    manifest = {
        "estimator": "SequenceClassifier", "params": {"missing": "error"}, "task": "classification",
        "network": network, "target": classes_to_manifest(np.array([f"class {i}" for i in range(args.classes)])),
    }  # fmt: skip
    return FittedModel(manifest, Chain([scaling], args.channels), weights)


class Onnx:
    """An onnxruntime session whose state is fed back."""

    def __init__(self, model):
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        network, weights = model.manifest["network"], model.weights
        hidden = network["hidden_size"]

        def gates(array):  # torch's i, f, g, o become ONNX's i, o, f, c
            i, f, g, o = np.split(array, 4)
            return np.concatenate([i, o, f, g])

        named = {
            n: gates(weights[f"recurrent.{n}_l0"]) for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        constants = {
            "W": named["weight_ih"][None], "R": named["weight_hh"][None],
            "B": np.concatenate([named["bias_ih"], named["bias_hh"]])[None],
            "head": weights["head.weight"], "bias": weights["head.bias"], "axis": np.array([0]),
        }  # fmt: skip
        nodes = [
            helper.make_node(
                "LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "h_n", "c_n"], hidden_size=hidden
            ),
            helper.make_node("Squeeze", ["h_n", "axis"], ["last"]),
            helper.make_node("Gemm", ["last", "head", "bias"], ["outputs"], transB=1),
            helper.make_node("Softmax", ["outputs"], ["probabilities"], axis=-1),
        ]

        def tensor(name, *shape):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        state = [1, "batch", hidden]
        graph = helper.make_graph(
            nodes, "step",
            [tensor("x", 1, "batch", network["input_size"]), tensor("h", *state), tensor("c", *state)],
            [tensor("probabilities", "batch", network["output_size"]), tensor("h_n", *state), tensor("c_n", *state)],
            [numpy_helper.from_array(a, n) for n, a in constants.items()],
        )  # fmt: skip
        built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(built)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            built.SerializeToString(), options, ["CPUExecutionProvider"]
        )
        self._classes = model.classes
        self._zeros = np.zeros((1, 1, hidden), np.float32)
        self.reset()

    def reset(self):
        self._h = self._c = self._zeros

    def step(self, row):
        feed = {"x": row.reshape(1, 1, -1), "h": self._h, "c": self._c}
        probabilities, self._h, self._c = self._session.run(None, feed)
        return probabilities[0], self._classes[probabilities[0].argmax()]


class OnnxBound(Onnx):
    """The same session with memory bound once: two sets of state that take turns."""

    def reset(self):
        hidden = self._zeros.shape[2]
        self._row = np.zeros((1, 1, self._session.get_inputs()[0].shape[2]), np.float32)
        self._probabilities = np.zeros((1, len(self._classes)), np.float32)
        states = [[np.zeros((1, 1, hidden), np.float32) for _ in range(2)] for _ in range(2)]
        self._bindings = []
        for turn in range(2):
            binding = self._session.io_binding()
            pairs = (("x", self._row), ("h", states[turn][0]), ("c", states[turn][1]))
            for name, array in pairs:
                binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            pairs = (
                ("probabilities", self._probabilities),
                ("h_n", states[1 - turn][0]),
                ("c_n", states[1 - turn][1]),
            )
            for name, array in pairs:
                binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            self._bindings.append(binding)
        self._keep, self._turn = states, 0

    def step(self, row):
        self._row[0, 0] = row
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn
        return self._probabilities[0], self._classes[self._probabilities[0].argmax()]


class Torch:
    """torch modules whose state is fed back."""

    def __init__(self, model):
        import torch

        torch.set_num_threads(1)
        network = model.manifest["network"]
        self._lstm = torch.nn.LSTM(network["input_size"], network["hidden_size"])
        self._head = torch.nn.Linear(network["hidden_size"], network["output_size"])
        for module, prefix in ((self._lstm, "recurrent."), (self._head, "head.")):
            own = {
                n.removeprefix(prefix): torch.from_numpy(w)
                for n, w in model.weights.items()
                if n.startswith(prefix)
            }
            module.load_state_dict(own)
        self._classes = model.classes
        self.reset()

    def reset(self):
        self._state = None

    def step(self, row):
        import torch

        with torch.inference_mode():
            _, self._state = self._lstm(torch.from_numpy(row).view(1, 1, -1), self._state)
            probabilities = torch.softmax(self._head(self._state[0][0, 0]), dim=0).numpy()
        return probabilities, self._classes[probabilities.argmax()]


class Ours:
    """`model.stream()`."""

    def __init__(self, model):
        self._stream = model.stream()

    def reset(self):
        self._stream.reset()

    def step(self, row):
        answer = self._stream.step(row)
        return answer.probabilities, answer.label


def check(contenders, raw, scaled, expected):
    for name, contender in contenders.items():
        for own, row in zip(raw, scaled, strict=True):
            probabilities, _ = contender.step(own if name == "recurra" else row)
        np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6, err_msg=name)


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def bench_one(model, args, rng):
    """Return seconds per step of one stream, by contender."""
    contenders = {
        "recurra": Ours(model),
        "onnxruntime": Onnx(model),
        "onnxruntime, bound": OnnxBound(model),
        "torch": Torch(model),
    }
    raw = rng.normal(size=(args.steps, args.channels))
    scaled = model.features.transform(raw)
    check(contenders, raw, scaled, model.predict_proba([raw])[0])
    times = {name: [] for name in contenders}
    for _ in range(args.rounds):
        for name, contender in contenders.items():
            contender.reset()
            rows = list(raw if name == "recurra" else scaled)

            def work(contender=contender, rows=rows):
                for row in rows:
                    contender.step(row)

            times[name].append(timed(work) / args.steps)
    return {name: statistics.median(found) for name, found in times.items()}


def bench_many(model, args, rng):
    """Return seconds for a step of each of the named streams, by contender."""
    names = [f"sensor {i}" for i in range(args.streams)]
    raw = rng.normal(size=(args.streams, args.channels))
    scaled = model.features.transform(raw)
    streams, onnx, torch = Streams(model), Onnx(model), Torch(model)
    shuffled = rng.permutation(args.streams).tolist()
    given = {names[i]: raw[i] for i in shuffled}
    found = streams.step(given).probabilities
    separate = np.array([model.predict_proba([raw[i : i + 1]])[0] for i in shuffled])
    np.testing.assert_array_equal(found, separate)

    def ours():
        answers = streams.step(given)
        return answers.probabilities, answers.labels

    def ours_rows():
        answers = streams.step(raw, names)
        return answers.probabilities, answers.labels

    def theirs(contender):
        rows = list(scaled)

        def work():
            for row in rows:
                contender.step(row)

        return work

    work = {
        "recurra, dictionary of rows in random order": ours,
        "recurra, one array and names": ours_rows,
        "onnxruntime, one call per stream": theirs(onnx),
        "torch, one call per stream": theirs(torch),
    }
    times = {name: [] for name in work}
    for _ in range(args.rounds):
        for name, one in work.items():
            times[name].append(min(timed(one) for _ in range(3)))
    return {name: statistics.median(found) for name, found in times.items()}


def machine():
    """Return what a figure depends on."""
    import onnxruntime
    import torch

    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "")
    return {
        "cpu": cpu, "isa": kernels.describe()["isa"], "kernels": kernels.describe()["runs"], "threads": 1,
        "python": platform.python_version(), "numpy": np.__version__, "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__, "recurra": __version__, "load": os.getloadavg()[0],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("hidden", 128), ("channels", 12), ("classes", 9), ("steps", 2000), ("streams", 1000),
                          ("rounds", 9), ("seed", 0)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--out", help="file for the figures as JSON")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    model = model_of(args)
    one, many = bench_one(model, args, rng), bench_many(model, args, rng)
    best = min(one["onnxruntime"], one["onnxruntime, bound"])
    separate = many["onnxruntime, one call per stream"]
    slowest = many["recurra, dictionary of rows in random order"]
    result = {
        "command": "OMP_NUM_THREADS=1 python benchmarks/bench_stream.py " + " ".join(sys.argv[1:]),
        "seed": args.seed, "machine": machine(), "settings": vars(args),
        "one_stream_us_per_step": {name: round(seconds * 1e6, 2) for name, seconds in one.items()},
        "many_streams_ms_per_round": {name: round(seconds * 1e3, 3) for name, seconds in many.items()},
        "step_of_onnxruntime": round(one["recurra"] / one["onnxruntime"], 3),
        "step_of_onnxruntime_bound": round(one["recurra"] / best, 3),
        "streams_times_faster": round(separate / slowest, 2),
    }  # fmt: skip
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        with open(args.out, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
