"""Training the Japanese vowels from start to end: 270 sequences, bidirectional LSTM of 100, 50 epochs, batches of 27.

The estimator, with all it does around the recurrences, and one plain loop of PyTorch with three layers in it: ours on
ragged batches, torch's on packed and on padded ones. Every contender must reach 0.9 on the official test part. What a first
training loads (scikit-learn, torch's compiler, which its optimizers import) is loaded before, by an epoch of each.
"""

import time

import measure
import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_sequence

import recurra
from recurra.nn import LSTM

EPOCHS, BATCH, HIDDEN, SEEDS = 50, 27, 100, 9


class Plain(torch.nn.Module):
    """A bidirectional LSTM and a linear head on the last state of each direction."""

    def __init__(self, kind: str, channels: int, classes: int) -> None:
        super().__init__()
        self.kind = kind
        layer = LSTM if kind == "ragged" else torch.nn.LSTM
        self.recurrent = layer(channels, HIDDEN, bidirectional=True, batch_first=True)
        self.head = torch.nn.Linear(2 * HIDDEN, classes)

    def forward(self, sequences: list[torch.Tensor]) -> torch.Tensor:
        lengths = torch.tensor([len(s) for s in sequences])
        if self.kind == "ragged":
            _, (h_n, _) = self.recurrent(recurra.nn.to_ragged(sequences))
        elif self.kind == "packed":
            padded = pad_sequence(sequences, batch_first=True)
            packed: PackedSequence = pack_padded_sequence(
                padded, lengths, batch_first=True, enforce_sorted=False
            )
            _, (h_n, _) = self.recurrent(packed)
        else:
            output, _ = self.recurrent(pad_sequence(sequences, batch_first=True))
            rows = torch.arange(len(sequences))
            forward = output[rows, lengths - 1, :HIDDEN]
            return self.head(torch.cat([forward, output[:, 0, HIDDEN:]], dim=1))
        return self.head(torch.cat([h_n[0], h_n[1]], dim=1))


def plain(kind: str, train, test, seed: int, epochs: int = EPOCHS) -> float:
    """Train with a plain loop; return the test accuracy."""
    torch.manual_seed(seed)
    names = sorted(set(train.y))
    mean = np.concatenate(train.X).mean(0)
    std = np.concatenate(train.X).std(0)
    x = [torch.from_numpy(((s - mean) / std).astype(np.float32)) for s in train.X]
    y = torch.tensor([names.index(v) for v in train.y])
    model = Plain(kind, x[0].shape[1], len(names))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model([x[i] for i in rows]), y[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    with torch.no_grad():
        answer = model([torch.from_numpy(((s - mean) / std).astype(np.float32)) for s in test.X]).argmax(1)
    return float(np.mean([names[int(a)] == v for a, v in zip(answer, test.y, strict=True)]))


def estimator(train, test, seed: int, epochs: int = EPOCHS) -> float:
    clf = recurra.SequenceClassifier(
        cell="lstm", hidden_size=HIDDEN, bidirectional=True, max_epochs=epochs, batch_size=BATCH,
        validation_fraction=0, patience=None, random_state=seed,
    )  # fmt: skip
    return float(clf.fit(train.X, train.y).score(test.X, test.y))


def main() -> None:
    chosen = measure.arguments("whole training of the Japanese vowels")
    train = recurra.datasets.load("japanese-vowels", split="train")
    test = recurra.datasets.load("japanese-vowels", split="test")
    runs = {
        "recurra, the estimator": lambda *how: estimator(train, test, *how),
        "recurra.nn in a plain loop": lambda *how: plain("ragged", train, test, *how),
        "torch padded": lambda *how: plain("padded", train, test, *how),
        "torch packed": lambda *how: plain("packed", train, test, *how),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    scores: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(0, 1)
    for seed in range(SEEDS):
        for name, run in runs.items():
            start = time.perf_counter()
            scores[name].append(run(seed))
            times[name].append(time.perf_counter() - start)
            assert scores[name][-1] > 0.9, (name, scores[name][-1])
    rows, text = [], []
    ours = float(np.median(times["recurra, the estimator"]))
    for name in runs:
        seconds = float(np.median(times[name]))
        rows.append({"name": name, "seconds": seconds, "all_seconds": times[name], "accuracy": scores[name]})
        text.append(
            f"{name}: {seconds:.2f} s, accuracy {np.mean(scores[name]):.3f}, {seconds / ours:.2f} x the estimator's time"
        )
    measure.write("bench_training", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
