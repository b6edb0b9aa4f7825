"""Frames to features: a published image network as an ONNX graph against the same network in torch.

Weights are drawn, since speed does not depend on them. Both must give the same features, and the graph the same bits
for a frame alone as in its portion, before the clock starts; then they take turns, and medians are reported.

    python benchmarks/bench_frames.py --threads 1
"""

from typing import Any

import numpy as np
import torch
from measure import alternate, arguments, geometric_mean, machine, write

from recurra.features.frames.clip_features import FRAMES_AT_ONCE
from recurra.nn.images.efficientnet_lite0 import EfficientNetLite0
from recurra.nn.images.googlenet import GoogLeNet
from recurra.nn.images.onnx_graph import frames_graph
from recurra.nn.images.published_weights import as_images

NETWORKS = {"efficientnet-lite0": EfficientNetLite0, "googlenet": GoogLeNet}
SIZES = (112, 224)


def main() -> None:
    args = arguments(__doc__)
    rows = [row_of(name, size, args) for name in NETWORKS for size in SIZES]
    text = [
        f"{row['network']:20} {row['size']:4} px  onnxruntime {row['onnxruntime_frames_per_second']:7.1f} frames/s  "
        f"torch {row['torch_frames_per_second']:7.1f} frames/s  ratio {row['ratio']:.2f}"
        for row in rows
    ]
    text.append(f"geometric mean of the ratios: {geometric_mean([row['ratio'] for row in rows]):.2f}")
    write("bench_frames", args.out, machine(args.threads), rows, text)


def row_of(name: str, size: int, args: Any) -> dict[str, Any]:
    """Time one network at one size of frame."""
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    session = session_of(network, args.threads)
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES_AT_ONCE, size, size, 3), dtype=np.uint8)

    def graph(given: np.ndarray = frames) -> np.ndarray:
        return session.run(None, {"frames": given})[0]

    def module() -> np.ndarray:
        with torch.inference_mode():
            return network.features(as_images(network, frames)).numpy()

    together = graph()
    np.testing.assert_allclose(together, module(), rtol=1e-3, atol=1e-4 * np.abs(together).max())
    assert all(np.array_equal(graph(frames[i : i + 1])[0], together[i]) for i in range(0, FRAMES_AT_ONCE, 5))
    seconds = alternate({"onnxruntime": graph, "torch": module}, rounds=args.rounds, seconds=args.seconds)
    rates = {f"{who}_frames_per_second": FRAMES_AT_ONCE / taken for who, taken in seconds.items()}
    return {"network": name, "size": size, **rates, "ratio": seconds["torch"] / seconds["onnxruntime"]}


def session_of(network: Any, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(frames_graph(network), options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
