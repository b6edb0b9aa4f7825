"""One cell over the six shapes: training and inference, equal and ragged, ours and torch's (and others installed)."""

import copy
import importlib
from collections.abc import Callable
from typing import Any

import measure
import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from recurra.nn import accelerate

Shape = tuple[int, int, int, int]


def _train(
    layer: torch.nn.Module, run: Callable[[torch.nn.Module], tuple[torch.Tensor, torch.Tensor]]
) -> Callable[[], None]:
    parameters = list(layer.parameters())

    def once() -> None:
        output, weight = run(layer)
        torch.autograd.grad(output, parameters, weight)

    return once


def _layers(cell: str, shape: Shape) -> tuple[torch.nn.Module, torch.nn.Module]:
    torch.manual_seed(0)
    theirs = measure.LAYERS[cell](shape[2], shape[3])
    ours = copy.deepcopy(theirs)
    accelerate(ours)
    return ours, theirs


def _check(a: torch.Tensor, b: torch.Tensor, what: str) -> None:
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=lambda m: f"{what}: {m}")


def train_contenders(cell: str, shape: Shape, *, ragged: bool) -> tuple[dict[str, Callable[[], Any]], int]:
    """Return what is timed for training, correctness asserted, and the valid steps."""
    batch, time, inputs, _ = shape
    ours, theirs = _layers(cell, shape)
    x = torch.randn(time, batch, inputs)
    lengths = torch.from_numpy(measure.ragged_lengths(shape)) if ragged else torch.full((batch,), time)
    mask = (torch.arange(time)[:, None] < lengths).float()[:, :, None]
    weight = torch.randn(time, batch, shape[3]) * mask
    options = {"lengths": lengths} if ragged else {}
    runs = {
        "recurra": _train(ours, lambda m: (m(x, **options)[0], weight)),
        "torch padded": _train(theirs, lambda m: (m(x)[0], weight)),
    }
    if ragged:
        packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
        flat_weight = pack_padded_sequence(weight, lengths, enforce_sorted=False).data
        runs["torch packed"] = _train(theirs, lambda m: (m(packed)[0].data, flat_weight))
    # forward through time, padding changes nothing before it, so torch's padded answer is right where it counts
    ours_out, theirs_out = ours(x, **options)[0] * mask, theirs(x)[0] * mask
    _check(ours_out, theirs_out, "output")
    a = torch.autograd.grad((ours_out * weight).sum(), list(ours.parameters()))
    b = torch.autograd.grad((theirs_out * weight).sum(), list(theirs.parameters()))
    for one, other in zip(a, b, strict=True):
        scale = float(other.abs().max())
        torch.testing.assert_close(one / scale, other / scale, rtol=1e-3, atol=1e-3)
    return runs, int(lengths.sum())


def inference_contenders(cell: str, shape: Shape) -> dict[str, Callable[[], Any]]:
    """Return what is timed for inference on equal lengths, correctness asserted."""
    batch, time, inputs, hidden = shape
    ours, theirs = _layers(cell, shape)
    x = torch.randn(time, batch, inputs)

    def inference(layer: torch.nn.Module) -> Callable[[], Any]:
        def once() -> Any:
            with torch.inference_mode():
                return layer(x)[0]

        return once

    runs: dict[str, Callable[[], Any]] = {"recurra": inference(ours), "torch": inference(theirs)}
    _check(runs["recurra"](), runs["torch"](), "inference")
    session = onnx_session(cell, theirs, inputs, hidden, torch.get_num_threads())
    if session is not None:
        array = x.numpy()
        runs["onnxruntime"] = lambda: session.run(None, {"x": array})
        got = torch.from_numpy(session.run(None, {"x": array})[0][:, 0])
        _check(got, runs["torch"](), "onnxruntime")
    return runs


def onnx_session(
    cell: str, layer: Any, inputs: int, hidden: int, threads: int, steps: int | None = None
) -> Any:
    """Return a session of onnxruntime that runs the layer from x (time, batch, input); None if not installed."""
    try:
        onnx, ort = importlib.import_module("onnx"), importlib.import_module("onnxruntime")
    except ImportError:
        return None
    helper = onnx.helper
    # ONNX orders gates i, o, f, c and z, r, h
    order = {"lstm": [0, 3, 1, 2], "gru": [1, 0, 2], "rnn": [0]}[cell]

    def gates(weight: torch.Tensor) -> np.ndarray:
        parts = np.split(weight.detach().numpy(), len(order))
        return np.concatenate([parts[g] for g in order])[None]

    arrays = {
        "W": gates(layer.weight_ih_l0),
        "R": gates(layer.weight_hh_l0),
        "B": np.concatenate([gates(layer.bias_ih_l0), gates(layer.bias_hh_l0)], axis=1),
    }
    kind = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}[cell]
    extra = {"linear_before_reset": 1} if cell == "gru" else {}
    names = ["x", "W", "R", "B"]
    value = helper.make_tensor_value_info
    given = [value("x", onnx.TensorProto.FLOAT, [steps or "time", "batch", inputs])]
    outputs = [value("y", onnx.TensorProto.FLOAT, None)]
    results = ["y"]
    if steps:  # a step carries its state
        names += ["", "h", *(["c"] if cell == "lstm" else [])]
        for name in ("h", "c")[: 2 if cell == "lstm" else 1]:
            given.append(value(name, onnx.TensorProto.FLOAT, [1, "batch", hidden]))
            outputs.append(value(name + "n", onnx.TensorProto.FLOAT, None))
            results.append(name + "n")
    node = helper.make_node(kind, names, results, hidden_size=hidden, **extra)
    tensors = [onnx.numpy_helper.from_array(a, n) for n, a in arrays.items()]
    graph = helper.make_graph([node], "layer", given, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def main(cell: str) -> None:
    """Time one cell and write its result."""
    chosen = measure.arguments(f"{cell.upper()}: ours and torch's over six shapes")
    about, rows, text = measure.machine(chosen.threads) | {"rests": chosen.rests}, [], []
    for kind in ("train equal", "train ragged", "inference equal"):
        ratios: dict[str, list[float]] = {}
        for shape in measure.SHAPES:
            if kind.startswith("train"):
                runs, steps = train_contenders(cell, shape, ragged=kind.endswith("ragged"))
            else:
                runs, steps = inference_contenders(cell, shape), shape[0] * shape[1]
            times = measure.alternate(runs, rounds=chosen.rounds, seconds=chosen.seconds, rests=chosen.rests)
            work = measure.flops(cell, shape, steps, train=kind.startswith("train"))
            speed = {name: work / t / 1e9 for name, t in times.items()}
            ratio = {name: t / times["recurra"] for name, t in times.items() if name != "recurra"}
            for name, value in ratio.items():
                ratios.setdefault(name, []).append(value)
            rows.append({"kind": kind, "shape": shape, "seconds": times, "gflops": speed, "ratio": ratio})
            if kind == "train equal" and shape == (128, 200, 256, 256) and about["kernels"]["native"]:
                peak = measure.peak_gflops(chosen.threads)
                rows[-1] |= {"peak_gflops": peak, "share_of_peak": speed["recurra"] / peak}
            figures = "  ".join(f"{n} {times[n] * 1e3:.2f} ms {speed[n]:.0f} GF/s" for n in times)
            text.append(
                f"{kind} {','.join(map(str, shape))}: {figures}  | "
                + "  ".join(f"{v:.2f} x {n}" for n, v in ratio.items())
            )
            print(text[-1], flush=True)
        for name, values in ratios.items():
            mean, least = measure.geometric_mean(values), min(values)
            rows.append({"kind": kind, "against": name, "geometric_mean": mean, "least": least})
            text.append(f"== {kind}: {mean:.2f} x {name} in the geometric mean, least {least:.2f}")
    measure.write(f"bench_{cell}" + ("" if chosen.rests else "_no_rests"), chosen.out, about, rows, text)
