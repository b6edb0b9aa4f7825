"""Training on 3,000 sentences: tokens a second of a bidirectional LSTM of 128 units, ours and torch's with packed sequences.

Four contenders read the same tokens in the same network (a learned vector of 100 numbers for each word, one
bidirectional layer, the last states, a linear head) with Adam, the same clipping and batches of 32: the estimator's own
training, one plain loop of PyTorch around our layer and around torch's, and torch's once more in the estimator's batches
of similar lengths. Before the clock starts, our layer and torch's must give the same outputs for the same weights. Seconds
are of the processor, so that other work on the machine counts less; the contenders take turns, and medians are compared.
"""

import time

import measure
import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

import recurra
from recurra.batches.bucketing import plan
from recurra.nn import LSTM

BATCH, HIDDEN, SIZE, EPOCHS = 32, 128, 100, 3


class Plain(torch.nn.Module):
    """Vectors of words, a bidirectional LSTM, and a linear head on the last state of each direction."""

    def __init__(self, layer: type, words: int) -> None:
        super().__init__()
        self.vectors = torch.nn.Embedding(words, SIZE)
        self.recurrent = layer(SIZE, HIDDEN, bidirectional=True, batch_first=True)
        self.head = torch.nn.Linear(2 * HIDDEN, 2)

    def forward(self, texts: list[torch.Tensor]) -> torch.Tensor:
        if isinstance(self.recurrent, LSTM):
            flat = self.vectors(torch.cat(texts))
            _, (h_n, _) = self.recurrent(recurra.ragged.Ragged(flat, [len(t) for t in texts]))
        else:
            lengths = torch.tensor([len(t) for t in texts])
            padded = self.vectors(pad_sequence(texts, batch_first=True))
            packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
            _, (h_n, _) = self.recurrent(packed)
        return self.head(torch.cat([h_n[0], h_n[1]], dim=1))


def plain(
    layer: type, texts: list[torch.Tensor], y: torch.Tensor, words: int, seed: int, bucket: bool
) -> None:
    """Train with a plain loop."""
    torch.manual_seed(seed)
    model = Plain(layer, words)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    lengths = np.array([len(t) for t in texts])
    for epoch in range(EPOCHS):
        for rows in plan(lengths, BATCH, seed=seed, epoch=epoch, bucket=bucket):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(
                model([texts[i] for i in rows]), y[torch.from_numpy(rows)]
            )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def estimator(X: list[str], y: list[str], seed: int, epochs: int = EPOCHS) -> recurra.TextClassifier:
    clf = recurra.TextClassifier(
        cell="lstm", hidden_size=HIDDEN, bidirectional=True, embedding_size=SIZE, max_epochs=epochs,
        batch_size=BATCH, validation_fraction=0, patience=None, random_state=seed, verbose=0,
    )  # fmt: skip
    return clf.fit(X, y)


def agree(texts: list[torch.Tensor], words: int) -> None:
    """Check that the plain networks are one and the same."""
    torch.manual_seed(0)
    ours, theirs = Plain(LSTM, words), Plain(torch.nn.LSTM, words)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(texts), theirs(texts), rtol=1e-4, atol=1e-5)


def main() -> None:
    chosen = measure.arguments("training on sentences")
    torch.set_num_threads(chosen.threads)
    data = recurra.datasets.load("sentiment-sentences")
    first = estimator(data.X, data.y, 0)  # also warms up
    reader = first.model_.features.steps[0]
    texts = [torch.from_numpy(reader.numbers(text)) for text in data.X]
    y = torch.tensor([first.classes_.tolist().index(label) for label in data.y])
    words, tokens = len(reader.vocabulary), EPOCHS * sum(map(len, texts))
    agree(texts[:40], words)
    runs = {
        "recurra.TextClassifier, reading the texts too": lambda seed: estimator(data.X, data.y, seed),
        "recurra.nn.LSTM in a plain loop": lambda seed: plain(LSTM, texts, y, words, seed, False),
        "torch.nn.LSTM, packed, in a plain loop": lambda seed: plain(
            torch.nn.LSTM, texts, y, words, seed, False
        ),
        "torch.nn.LSTM, packed, batches of similar lengths": lambda seed: plain(
            torch.nn.LSTM, texts, y, words, seed, True
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for seed in range(chosen.rounds):
        for name, run in runs.items():
            start = time.process_time() if chosen.threads == 1 else time.perf_counter()
            run(seed)
            end = time.process_time() if chosen.threads == 1 else time.perf_counter()
            seconds[name].append(end - start)
    rate = {name: tokens / float(np.median(values)) for name, values in seconds.items()}
    reference = rate["torch.nn.LSTM, packed, in a plain loop"]
    rows = [
        {
            "name": name,
            "tokens_per_second": rate[name],
            "all_seconds": seconds[name],
            "ratio": rate[name] / reference,
        }
        for name in runs
    ]
    text = [
        f"{r['name']}: {r['tokens_per_second']:.0f} tokens/s, {r['ratio']:.2f} x torch packed" for r in rows
    ]
    print("\n".join(text))
    measure.write("bench_text", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
