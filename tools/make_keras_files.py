"""Write the files of `tests/data/keras`: small networks made by keras, and what keras answers.

Run in an environment of its own: ``pip install keras tensorflow-cpu`` and ``python tools/make_keras_files.py``; with
``--sleepecg FILE`` what keras answers for the classifier of the package sleepecg.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import h5py
import keras
import numpy as np
from keras import layers

FOLDER = Path(__file__).parent.parent / "tests" / "data" / "keras"
CHANNELS, STEPS, BATCH = 3, 7, 4


def networks():
    """Yield name and network; every one gets random weights afterwards."""
    numbers = keras.Input((None, CHANNELS))
    yield "lstm", keras.Sequential([numbers, layers.LSTM(5), layers.Dense(3, activation="softmax")])
    yield "lstm_without_bias", keras.Sequential([numbers, layers.LSTM(5, use_bias=False), layers.Dense(1)])
    yield "gru_after", keras.Sequential([numbers, layers.GRU(5), layers.Dense(1, activation="sigmoid")])
    yield "gru_before", keras.Sequential([numbers, layers.GRU(5, reset_after=False), layers.Dense(3)])
    yield "simple_rnn", keras.Sequential([numbers, layers.SimpleRNN(4, activation="relu"), layers.Dense(2)])
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    yield (
        "stacked",
        keras.Sequential(
            [
                numbers,
                layers.Masking(mask_value=-1.0),
                layers.BatchNormalization(),
                both,
                layers.Dropout(0.3),
                layers.Bidirectional(layers.LSTM(4)),
                layers.BatchNormalization(),
                layers.Dense(3, activation="softmax"),
            ]
        ),
    )
    yield (
        "labels",
        keras.Sequential(
            [
                numbers,
                layers.Bidirectional(layers.GRU(4, return_sequences=True)),
                layers.Dense(4, activation="softmax"),
            ]
        ),
    )
    yield (
        "merged",
        keras.Sequential(
            [
                numbers,
                layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode="ave"),
                layers.GlobalMaxPooling1D(),
            ]
        ),
    )
    tokens = keras.Input((None,), dtype="int32")
    yield (
        "embedding",
        keras.Sequential(
            [
                tokens,
                layers.Embedding(11, 4, mask_zero=True),
                layers.LSTM(5, return_sequences=True),
                layers.GlobalAveragePooling1D(),
                layers.Dense(6),
                layers.LayerNormalization(),
                layers.ReLU(negative_slope=0.1),
                layers.Dense(2, activation="softmax"),
            ]
        ),
    )
    x = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="tanh")(numbers)
    x = layers.GRU(5, return_sequences=True)(x)
    x = layers.TimeDistributed(layers.Dense(2))(x)
    yield "functional", keras.Model(numbers, x)
    yield (
        "hard_sigmoid",
        keras.Sequential([numbers, layers.LSTM(4, recurrent_activation="hard_sigmoid"), layers.Dense(2)]),
    )


def inputs(name, rng):
    """Return what a network is run on; what is masked stands at the ends."""
    if name == "embedding":
        tokens = rng.integers(1, 11, (BATCH, STEPS))
        for row, length in enumerate((7, 3, 5, 1)):
            tokens[row, length:] = 0
        return tokens.astype(np.int32)
    x = rng.normal(size=(BATCH, STEPS, CHANNELS)).astype(np.float32)
    if name == "stacked":
        for row, length in enumerate((7, 3, 5, 1)):
            x[row, length:] = -1
    return x


def cudnn(path, out, kind):
    """Write an old file of a layer that ran on cuDNN from that of the same layer, as Keras 2 converted them."""
    out.write_bytes(path.read_bytes())
    with h5py.File(out, "r+") as file:
        config = file.attrs["model_config"]
        config = config if isinstance(config, str) else config.decode()
        file.attrs["model_config"] = config.replace(f'"class_name": "{kind}"', f'"class_name": "CuDNN{kind}"')
        weights = file["model_weights"]
        (name,) = [one for one in weights if one.startswith(kind.lower())]
        kernel, recurrent, bias = [weights[name][one] for one in weights[name].attrs["weight_names"]]
        gates = {"LSTM": 4, "GRU": 3}[kind]
        kernel[...] = np.hstack([k.T.reshape(k.shape, order="C") for k in np.hsplit(kernel[()], gates)])
        recurrent[...] = np.hstack([k.T for k in np.hsplit(recurrent[()], gates)])
        place, value = bias.name, bias[()]
        flat = value.reshape(-1) if kind == "GRU" else np.concatenate([0.25 * value, 0.75 * value])
        del file[place]
        file[place] = flat


def main():
    """Write files and answers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    answers = {"keras": np.array(keras.__version__)}
    for name, network in networks():
        network.set_weights(
            [
                (np.abs(w) if "variance" in v.path else w).astype(np.float32)
                for v in network.weights
                for w in [rng.normal(scale=0.6, size=v.shape)]
            ]
        )
        x = inputs(name, rng)
        answers[f"{name}.x"], answers[f"{name}.y"] = x, network(x).numpy()
        network.save(FOLDER / f"{name}.keras")
        if name in ("lstm", "gru_after", "stacked", "embedding"):
            network.save(FOLDER / f"{name}.h5")
    cudnn(FOLDER / "lstm.h5", FOLDER / "cudnn_lstm.h5", "LSTM")
    cudnn(FOLDER / "gru_after.h5", FOLDER / "cudnn_gru.h5", "GRU")
    np.savez_compressed(FOLDER / "answers.npz", **answers)


def sleepecg(path):
    """Write what keras answers for the ``classifier.keras`` of the package sleepecg."""
    network = keras.saving.load_model(path, compile=False)
    x = np.random.default_rng(0).normal(size=(3, 12, 36)).astype(np.float32)
    x[1, 8:], x[2, 2:] = -1, -1
    np.savez_compressed(FOLDER / "sleepecg_answers.npz", x=x, y=network(x).numpy())


if __name__ == "__main__":
    sleepecg(sys.argv[2]) if sys.argv[1:2] == ["--sleepecg"] else main()
