"""Inside the network: a cell unrolled, RNN beside LSTM, gradients that vanish, and what the LSTM does about it.

Three experiments on generated problems (Hochreiter and Schmidhuber, 1997):

- how far a gradient reaches in an RNN, a GRU and an LSTM, before training and after, on lengths from 10 to 1000;
- the adding problem: remember two numbers for up to 400 steps, the same recipe and number of epochs for every cell;
- the embedded Reber grammar: which symbol may come next?

The settings were chosen on validation sequences; every test sequence comes from a random stream of its own.
"""

import argparse
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import recurra
from recurra import draw
from recurra.errors import TrainingWarning
from recurra.training.callbacks import Callback

LENGTH = 400  # of the adding problem, where lengths grow
SHORTEST = 100  # where they begin
PLAIN_LENGTH = 200  # where they do not
SOLVED = 0.01  # mean squared error; always answering 1 has 0.167
STOP = 0.004  # validation error at which training ends
SPREAD = 1 / 6  # variance of the sum: the estimator's loss is in units of it
# The budget of every cell: 20 epochs of 9,500 sequences, four times what the LSTM needs. Epochs, not seconds, so that the
# result is the same on every machine.
ADDING = {"hidden_size": 128, "learning_rate": 2e-3, "batch_size": 32, "patience": None, "max_epochs": 20}
START = {"lstm": "chrono", "gru": "chrono", "rnn": "default"}  # chrono sets gates, and the plain RNN has none
GROWING = {
    "start": 150,
    "factor": 1.5,
    "below": 0.02 / SPREAD,
    "patience": 4,
}  # 400 at epoch 13 at the latest
REBER = {"cell": "lstm", "hidden_size": 32, "learning_rate": 1e-2, "max_epochs": 40, "patience": None}
QUICK = {"hidden_size": 32, "max_epochs": 2}
FLOW_LENGTHS = (10, 30, 100, 300, 1000)


class Until(Callback):
    """Ends training when validation at the full length says it is solved."""

    def __init__(self, length):
        self.length = length

    def on_epoch_end(self, run):  # noqa: D102
        row = run.history[-1]
        full = row.get("length_limit", self.length) == self.length
        if full and row["valid_rmse"] ** 2 < STOP:
            run.ask_to_stop()


def adding(part, n, length, seed):
    return recurra.datasets.load("adding-problem", part, n=n, length=length, random_state=seed)


def train_adding(cell, length, seed, *, n, grow, **words):
    """Train on the adding problem and return what came of it; the test part is looked at once, at the end."""
    lengths = (min(SHORTEST, length // 3), length) if grow else length
    data = adding("train", n, lengths, seed)
    train, kept = data.records[: -n // 20], adding("train", 500, length, seed + 1000)
    began = time.perf_counter(), time.process_time()
    model = recurra.SequenceRegressor(
        cell=cell,
        initialization=START[cell],
        curriculum=GROWING if grow else None,
        callbacks=[Until(length)],
        random_state=seed,
        verbose=0,
        **ADDING | words,
    )
    with warnings.catch_warnings():  # that the RNN's gradients vanish is the point here
        warnings.simplefilter("ignore", TrainingWarning)
        model.fit([r.values for r in train], [r.label for r in train], validation=kept)
    wall, core = time.perf_counter() - began[0], time.process_time() - began[1]
    test = adding("test", 1000, length, seed)
    error = float(np.mean((model.predict(test.X) - test.y) ** 2))
    epochs = len(model.history_)
    print(f"adding problem, {cell}, {length} steps{', growing' if grow else ''}, seed {seed}: mse {error:.4f} after "
          f"{epochs} epochs, {wall:.0f} s ({core:.0f} s of one core)", flush=True)  # fmt: skip
    return {
        "model": model,
        "mse": error,
        "seconds": wall,
        "core_seconds": core,
        "epochs": epochs,
        "test": test,
    }


def flow_before_training(cell, length, seed, hidden_size=128):
    """How far the gradient of the adding problem reaches in a network that has learned nothing."""
    from recurra.nn import NetworkConfig, build

    data = adding("train", 16, length, seed)
    network = build(NetworkConfig(cell, 2, hidden_size, 1), seed=seed)
    targets = torch.tensor(data.y, dtype=torch.float32)[:, None]
    return draw.gradient_flow(network, data.X, lambda outputs: ((outputs - targets) ** 2).mean())


def reber(seed, n_train, epochs):
    """Train on strings of the grammar; return the share of unseen strings predicted right throughout."""
    from recurra.datasets.reber_grammar import SYMBOLS, allowed_next, decode

    train = recurra.datasets.load("reber-grammar", "train", n=n_train, random_state=seed)
    seen = {decode(record.values) for record in train}
    drawn = recurra.datasets.load("reber-grammar", "test", n=20_000, random_state=seed)
    unseen = {decode(r.values): r for r in drawn if decode(r.values) not in seen}
    strings = list(unseen)[:256]
    words = REBER | {"max_epochs": epochs}
    model = recurra.SequenceLabeler(**words, validation_fraction=0, random_state=seed, verbose=0)
    model.fit(train)
    order = [list(model.classes_).index(s) for s in SYMBOLS if s in model.classes_]
    names = [s for s in SYMBOLS if s in model.classes_]
    right = 0
    for text, probabilities in zip(
        strings, model.predict_proba([unseen[s].values for s in strings]), strict=True
    ):
        pairs = zip(allowed_next(text), probabilities[:, order], strict=True)
        # Every symbol the grammar allows must be more probable than every symbol it forbids.
        right += all(
            min(p for s, p in zip(names, row, strict=True) if s in allowed)
            > max((p for s, p in zip(names, row, strict=True) if s not in allowed), default=0.0)
            for allowed, row in pairs
        )
    return right / len(strings), len(strings)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="not needed: the data are generated")
    parser.add_argument("--out", type=Path, default=Path("runs/anatomy"))
    parser.add_argument("--seed", type=int, help="one seed instead of three (ten for the grammar)")
    parser.add_argument("--quick", action="store_true", help="a few seconds, for the test suite")
    parser.add_argument("--only", choices=["flow", "adding", "plain", "reber"], help="one experiment")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "figures").mkdir(exist_ok=True)
    seeds = [args.seed] if args.seed is not None else [0] if args.quick else [0, 1, 2]
    metrics = {}
    for name, experiment in EXPERIMENTS.items():
        if args.only in (None, name):
            metrics |= experiment(args, seeds)
            (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    page(args.out)
    print(f"figures and report: {args.out / 'report.html'}")


def run_flow(args, seeds):
    """How far gradients reach before training, by cell and length."""
    figures = args.out / "figures"
    draw.compare("rnn", "lstm", "gru", input_size=2, hidden_size=128).save(figures / "cells.svg")
    draw.unrolled("lstm").save(figures / "unrolled.svg")
    lengths = FLOW_LENGTHS[:3] if args.quick else FLOW_LENGTHS
    size = 32 if args.quick else 128
    flows = {
        c.upper(): {n: flow_before_training(c, n, seeds[0], size) for n in lengths}
        for c in ("rnn", "lstm", "gru")
    }
    draw.gradient_reach(flows).save(figures / "reach_untrained.svg")
    one = {cell: by_length[lengths[-2]] for cell, by_length in flows.items()}
    draw.compare_gradient_flow(one).save(figures / "untrained.svg")
    for cell, flow in one.items():
        print(f"untrained {cell}: {flow.summary()}")
    return shares_left(flows, "untrained")


def shares_left(flows, when):
    """Return for each cell and length what is left at the first step of the gradient at the last."""
    return {
        f"{when}_{cell.lower()}_share_left_{length}": flow.layers[-1].share_left
        for cell, by_length in flows.items()
        for length, flow in by_length.items()
    }


def run_adding(args, seeds):
    """Lengths that grow up to 400: LSTM and plain RNN with every seed, the GRU with one, recipe and budget the same."""
    length, n = (30, 400) if args.quick else (LENGTH, 10_000)
    words = QUICK if args.quick else {}
    metrics, flows = {}, {}
    for cell in ("lstm", "gru", "rnn"):
        found = [
            train_adding(cell, length, seed, n=n, grow=True, **words)
            for seed in (seeds[:1] if cell == "gru" else seeds)
        ]
        metrics |= figure_of(f"adding_{cell}_mse", [f["mse"] for f in found])
        for what in ("seconds", "core_seconds", "epochs"):
            metrics[f"adding_{cell}_{what}"] = max(f[what] for f in found)
        metrics[f"adding_{cell}_mse_baseline"] = float(np.mean((found[0]["test"].y - 1) ** 2))
        metrics[f"adding_{cell}_solved"] = sum(f["mse"] < SOLVED for f in found)
        first = found[0]
        flows[cell.upper()] = {
            steps: first["model"].gradient_flow(adding("test", 16, steps, seeds[0]))
            for steps in (FLOW_LENGTHS[:3] if args.quick else (*FLOW_LENGTHS, LENGTH))
        }
        if cell == "lstm":
            pictures_of(first, args.out / "figures")
    last = 30 if args.quick else LENGTH
    flows = {cell: flows[cell] for cell in ("RNN", "LSTM", "GRU")}  # each in its own colour everywhere
    one = {cell: by_length[last] for cell, by_length in flows.items()}
    for cell, flow in one.items():
        print(f"trained {cell}: {flow.summary()}")
    draw.compare_gradient_flow(one).save(args.out / "figures" / "trained.svg")
    draw.gradient_reach(flows).save(args.out / "figures" / "reach_trained.svg")
    return metrics | shares_left(flows, "trained")


def pictures_of(result, figures):
    """What the gates of a trained LSTM do with one sequence, and what its answer rests on."""
    sequence = result["test"].X[0]
    result["model"].trace(sequence, name="a test sequence").save(figures / "gates.svg")
    explanation = result["model"].explain(sequence)
    explanation.save(figures / "explanation.svg")
    draw.network(result["model"]).save(figures / "network.svg")
    draw.unrolled(result["model"]).save(figures / "unrolled_trained.svg")


def run_plain(args, seeds):
    """All sequences of one length from the start: the LSTM at 200 steps, the RNN at 400."""
    metrics = {}
    for cell, length in (("lstm", PLAIN_LENGTH), ("rnn", LENGTH)):
        length, n = (20, 300) if args.quick else (length, 10_000)
        words = QUICK if args.quick else {}
        found = train_adding(cell, length, seeds[0], n=n, grow=False, **words)
        metrics |= {
            f"adding_plain_{cell}_{length}_{what}": found[what]
            for what in ("mse", "seconds", "core_seconds", "epochs")
        }
    return metrics


def run_reber(args, seeds):
    seeds = range(10) if args.seed is None and not args.quick else seeds
    n_train, epochs = (64, 2) if args.quick else (3000, REBER["max_epochs"])
    began = time.perf_counter()
    found = [reber(seed, n_train, epochs) for seed in seeds]
    shares = [share for share, _ in found]
    solved = sum(share == 1 for share in shares)
    print(
        f"embedded Reber grammar: {solved} of {len(shares)} networks predict all {found[0][1]} unseen strings"
    )
    return {
        "reber_solved_of_10": solved,
        "reber_networks": len(shares),
        "reber_seconds": time.perf_counter() - began,
        "reber_worst_share": min(shares),
        "reber_n_test": found[0][1],
    }


EXPERIMENTS = {"flow": run_flow, "adding": run_adding, "plain": run_plain, "reber": run_reber}


def figure_of(name, values):
    """Return mean and standard deviation over the seeds."""
    return {name: statistics.fmean(values), f"{name}_std": statistics.pstdev(values)}


FIGURES = {
    "cells": "The insides of the cells. An RNN writes its state anew at every step; LSTM and GRU keep it through gates.",
    "unrolled": "The same weights at every step: a gradient on its way back passes the same matrix again and again.",
    "untrained": "Before training: what is left of a gradient some steps back, 128 units.",
    "reach_untrained": "Before training: what arrives at the first step, by length of the sequence.",
    "trained": "After training on the adding problem: the LSTM's gradient reaches where the numbers to be added are, the "
    "plain RNN's does not. That is why it does not learn to add.",
    "reach_trained": "After training: what arrives at the first step, by length; trained on 100 to 400 steps.",
    "unrolled_trained": "The trained LSTM, with its sizes.",
    "network": "The whole network, with shapes and numbers of weights.",
    "gates": "What every gate and state of the trained LSTM does with one sequence; units sorted by memory span.",
    "explanation": "What its answer rests on: the two marked numbers.",
}
STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em}"
    "figure{margin:2em 0}svg{max-width:100%;height:auto}td{padding:0 1em 0 0}td+td{text-align:right}"
)


def page(out):
    """Write the figures and numbers as one page that loads nothing."""
    metrics = json.loads((out / "metrics.json").read_text())
    said = [
        f"{cell.upper()}: error {metrics[f'adding_{cell}_mse']:.4f} after at most {metrics[f'adding_{cell}_epochs']} epochs"
        for cell in ("lstm", "gru", "rnn")
        if f"adding_{cell}_mse" in metrics
    ]
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width,initial-scale=1'><title>Inside the network</title>",
        f"<style>{STYLE}</style></head><body><h1>Inside the network</h1>",
    ]
    if said:
        parts.append(
            f"<p>The adding problem, mean squared error on unseen sequences, where always answering 1 has "
            f"{metrics['adding_lstm_mse_baseline']:.3f}. {'; '.join(said)}.</p>"
        )
    if "reber_solved_of_10" in metrics:
        parts.append(
            f"<p>Embedded Reber grammar: {metrics['reber_solved_of_10']} of {metrics['reber_networks']} LSTMs of 32 units "
            f"predict every allowed symbol on all {metrics['reber_n_test']} unseen strings.</p>"
        )
    for name, caption in FIGURES.items():
        path = out / "figures" / f"{name}.svg"
        if path.exists():
            parts.append(f"<figure>{path.read_text()}<figcaption>{caption}</figcaption></figure>")
    rows = "".join(f"<tr><td>{key}</td><td>{value:.6g}</td></tr>" for key, value in metrics.items())
    parts.append(f"<h2>Every figure</h2><table>{rows}</table></body></html>")
    (out / "report.html").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
