"""Training on equal lengths beside Keras on TensorFlow and JAX, where they are installed.

They are not mixed with torch in one process: contenders run in processes of their own, in turns, twice each; the
least of the medians counts. Each first shows that it computes torch's output from torch's weights.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

import measure
import numpy as np

CELLS = ("lstm", "gru")
# Keras has no figure of its own for the other two in what was asked for.
SHAPES = tuple(measure.SHAPES[k] for k in (0, 1, 2, 4))
NEEDED = {"recurra": "torch", "keras": "tensorflow", "jax": "jax"}


def problem(cell: str, shape: measure.Shape):
    """Return torch's layer, and input, weight of the loss and expected output with the batch first."""
    import torch

    torch.manual_seed(0)
    batch, steps, inputs, hidden = shape
    layer = measure.LAYERS[cell](inputs, hidden, batch_first=True)
    x, weight = torch.randn(batch, steps, inputs), torch.randn(batch, steps, hidden)
    with torch.no_grad():
        return layer, x, weight, layer(x)[0].numpy()


def ours(cell: str, shape: measure.Shape):
    import torch

    import recurra.nn

    layer, x, weight, expected = problem(cell, shape)
    recurra.nn.accelerate(layer)
    np.testing.assert_allclose(layer(x)[0].detach().numpy(), expected, atol=1e-4)
    parameters = list(layer.parameters())
    return lambda: torch.autograd.grad(layer(x)[0], parameters, weight)


def weights_of(layer) -> list[np.ndarray]:
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return [getattr(layer, name).detach().numpy() for name in names]


def keras(cell: str, shape: measure.Shape):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    tf = importlib.import_module("tensorflow")
    layers = importlib.import_module("keras").layers
    layer, x, weight, expected = problem(cell, shape)
    w_ih, w_hh, b_ih, b_hh = weights_of(layer)
    order = [0, 1, 2, 3] if cell == "lstm" else [1, 0, 2]  # torch's r, z, n are Keras's z, r, h

    def turned(array: np.ndarray) -> np.ndarray:
        parts = np.split(array, len(order))
        return np.concatenate([parts[k] for k in order]).T

    theirs = (layers.LSTM if cell == "lstm" else layers.GRU)(shape[3], return_sequences=True)
    values, scale = tf.constant(x.numpy()), tf.constant(weight.numpy())
    theirs(values)
    bias = b_ih + b_hh if cell == "lstm" else np.stack([turned(b_ih), turned(b_hh)])
    theirs.set_weights([turned(w_ih), turned(w_hh), bias])

    @tf.function
    def step(values, scale):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(theirs(values) * scale)
        return tape.gradient(loss, theirs.trainable_variables)

    np.testing.assert_allclose(theirs(values).numpy(), expected, atol=1e-4)
    return lambda: [g.numpy() for g in step(values, scale)]


def jax(cell: str, shape: measure.Shape):
    jax = importlib.import_module("jax")
    jnp = jax.numpy
    layer, x, weight, expected = problem(cell, shape)
    weights = [jnp.asarray(w) for w in weights_of(layer)]
    values, scale = jnp.asarray(x.numpy()).swapaxes(0, 1), jnp.asarray(weight.numpy()).swapaxes(0, 1)
    sigmoid = jax.nn.sigmoid

    def lstm(state, a, w_hh, b_hh):
        h, c = state
        i, f, g, o = jnp.split(a + h @ w_hh.T + b_hh, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(state, a, w_hh, b_hh):
        (h,) = state
        ar, az, an = jnp.split(a, 3, axis=-1)
        hr, hz, hn = jnp.split(h @ w_hh.T + b_hh, 3, axis=-1)
        z = sigmoid(az + hz)
        h = (1 - z) * jnp.tanh(an + sigmoid(ar + hr) * hn) + z * h
        return (h,), h

    def run(weights, values):
        w_ih, w_hh, b_ih, b_hh = weights
        zeros = jnp.zeros((values.shape[1], shape[3]))
        step, states = (lstm, (zeros, zeros)) if cell == "lstm" else (gru, (zeros,))
        return jax.lax.scan(lambda s, a: step(s, a, w_hh, b_hh), states, values @ w_ih.T + b_ih)[1]

    gradient = jax.jit(jax.grad(lambda weights, values: (run(weights, values) * scale).sum()))
    np.testing.assert_allclose(np.asarray(jax.jit(run)(weights, values)).swapaxes(0, 1), expected, atol=1e-4)
    return lambda: jax.block_until_ready(gradient(weights, values))


def child(name: str, cell: str, shape: measure.Shape, threads: int, seconds: float) -> None:
    """Print the median seconds of one contender."""
    import torch

    torch.set_num_threads(threads)
    run = {"recurra": ours, "keras": keras, "jax": jax}[name](cell, shape)
    run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 7 or time.perf_counter() < end:
        times.append(measure.timed(run))
    print(json.dumps(statistics.median(times)))


def main() -> None:
    """Run contenders in turns and write the result."""
    if len(sys.argv) > 1 and sys.argv[1] == "--child":
        name, cell, shape, threads, seconds = sys.argv[2:]
        child(name, cell, tuple(map(int, shape.split(","))), int(threads), float(seconds))
        return
    chosen = measure.arguments("training beside Keras and JAX")
    names = [name for name, package in NEEDED.items() if importlib.util.find_spec(package)]
    if names == ["recurra"]:
        print("bench_others: neither TensorFlow nor JAX is installed; nothing to compare with.")
        return
    about, rows, text = measure.machine(chosen.threads), [], []
    for cell in CELLS:
        for shape in SHAPES:
            found: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(2):
                for name, times in found.items():
                    words = ["--child", name, cell, ",".join(map(str, shape)), str(chosen.threads)]
                    command = [sys.executable, __file__, *words, str(chosen.seconds / 3)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    times.append(json.loads(done.stdout.splitlines()[-1]))
            seconds = {name: min(times) for name, times in found.items()}
            ratio = {name: s / seconds["recurra"] for name, s in seconds.items() if name != "recurra"}
            rows.append(
                {"kind": "train equal", "cell": cell, "shape": shape, "seconds": seconds, "ratio": ratio}
            )
            text.append(
                f"{cell} {','.join(map(str, shape))}: "
                + "  ".join(f"{n} {s * 1e3:.2f} ms" for n, s in seconds.items())
                + "  | "
                + "  ".join(f"{r:.2f} x {n}" for n, r in ratio.items())
            )
            print(text[-1], flush=True)
    measure.write("bench_others", chosen.out, about, rows, text)


if __name__ == "__main__":
    main()
