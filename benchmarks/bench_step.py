"""One step, batch 1, called from Python with numpy in and out: ours, torch's cells and onnxruntime."""

import layers
import measure
import numpy as np
import torch

from recurra.kernels.networks.stack import StackStep

HIDDEN = (64, 128, 256, 512)
STEPS = 50


def contenders(cell: str, hidden: int) -> dict:
    """Return what is timed: STEPS steps of a stream, input as wide as the state."""
    torch.manual_seed(0)
    layer = measure.LAYERS[cell](hidden, hidden)
    weights = {name: w.detach().numpy() for name, w in layer.named_parameters()}
    rows = np.random.default_rng(0).standard_normal((STEPS, 1, hidden)).astype(np.float32)
    stream = StackStep(cell, weights)

    def ours():
        stream.reset()
        for row in rows:
            h = stream.step(row)
        return h

    def theirs():
        state = None
        with torch.inference_mode():
            for row in rows:
                h, state = layer(torch.from_numpy(row)[None], state)
        return h[0].numpy()

    runs = {"recurra": ours, "torch": theirs}
    np.testing.assert_allclose(ours(), theirs(), atol=1e-5)
    session = layers.onnx_session(cell, layer, hidden, hidden, torch.get_num_threads(), steps=1)
    if session is not None:
        zeros = np.zeros((1, 1, hidden), np.float32)
        names = ["h", "c"][: 2 if cell == "lstm" else 1]

        def onnxruntime():
            state = dict.fromkeys(names, zeros)
            for row in rows:
                _, *new = session.run(None, {"x": row[None], **state})
                state = dict(zip(names, new, strict=True))
            return new[0][0]

        np.testing.assert_allclose(ours(), onnxruntime(), atol=1e-5)
        runs["onnxruntime"] = onnxruntime
    return runs


def main() -> None:
    """Time LSTM and GRU and write the result."""
    chosen = measure.arguments("one step of a stream")
    rows, text = [], []
    for cell in ("lstm", "gru"):
        for hidden in HIDDEN:
            times = measure.alternate(
                contenders(cell, hidden), rounds=chosen.rounds, seconds=chosen.seconds, rests=chosen.rests
            )
            micro = {name: t / STEPS * 1e6 for name, t in times.items()}
            ratio = {name: t / times["recurra"] for name, t in times.items() if name != "recurra"}
            rows.append({"cell": cell, "hidden": hidden, "microseconds": micro, "ratio": ratio})
            text.append(
                f"{cell} {hidden}: "
                + "  ".join(f"{n} {v:.1f} us" for n, v in micro.items())
                + "  | "
                + "  ".join(f"{v:.1f} x {n}" for n, v in ratio.items())
            )
    measure.write("bench_step", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
