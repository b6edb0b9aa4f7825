"""A user's training loop: recurrent layers, a linear head, cross entropy, backward, clipping, Adam.

Each contender runs in a process of its own, in turns, medians: ours after `recurra.accelerate` with the lengths, and
torch's layer padded and, where lengths differ, packed. ``--before PYTHON`` adds ours as another interpreter has it
installed. Losses of ours and packed are compared before the clock starts. Some rows have an embedding or convolutions
before the layer, some run under autocast or in bfloat16, in some the batches come from two data-loading processes.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import measure
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

import recurra

CLASSES = 9
WORDS = 1000
LOADED = 50  # batches of an epoch that is loaded


class Row(NamedTuple):
    """What is trained: sizes, and what is around the layer."""

    cell: str
    batch: int
    time: int
    inputs: int
    hidden: int
    ragged: bool
    layers: int = 1
    both: bool = False
    around: str = ""  # "embedding", "convolution", "autocast", "bfloat16" or "loader"

    def words(self):
        sizes = ",".join(map(str, self[1:5]))
        more = f" {self.layers} layers both ways" if self.both else ""
        return f"{self.cell} {sizes} {'ragged' if self.ragged else 'equal'}{more}{self.around and ' ' + self.around}"


SMALL, WIDE = (27, 25, 12, 100), (64, 50, 128, 128)
LOWER = ("autocast", "bfloat16")  # what torch computes in 16 bits
ROWS = (
    *(Row("lstm", *sizes, ragged) for sizes, ragged in (
        (SMALL, True), (WIDE, True), (WIDE, False), ((32, 100, 9, 100), False), ((128, 200, 256, 256), False),
    )),
    *(Row(cell, *sizes, ragged) for cell in ("gru", "rnn") for sizes, ragged in (
        (SMALL, True), (WIDE, True), (WIDE, False),
    )),
    *(Row(cell, 32, 60, 40, 64, ragged, 2, True) for cell in ("lstm", "gru", "rnn") for ragged in (True, False)),
    *(Row(cell, *WIDE, True, around=what) for cell in ("lstm", "gru") for what in ("embedding", "convolution", "loader")),
    *(Row(cell, *WIDE, ragged, around=what) for cell in ("lstm", "gru") for what in LOWER for ragged in (True, False)),
)  # fmt: skip


class Model(torch.nn.Module):
    """Layers and a head on the final states of the last one."""

    def __init__(self, row, who):
        super().__init__()
        self.embedding = torch.nn.Embedding(WORDS, row.inputs) if row.around == "embedding" else None
        self.convolution = None
        if row.around == "convolution":
            self.convolution = torch.nn.Conv1d(row.inputs, row.inputs, 5, padding=2)
        self.recurrent = measure.LAYERS[row.cell](
            row.inputs, row.hidden, num_layers=row.layers, bidirectional=row.both, batch_first=True
        )
        self.head = torch.nn.Linear(row.hidden * (1 + row.both), CLASSES)
        self.who = who

    def forward(self, x, lengths):
        if self.embedding is not None:
            x = self.embedding(x)
        if self.convolution is not None:
            x = torch.relu(self.convolution(x.transpose(1, 2))).transpose(1, 2)
        if self.who == "packed":
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, states = (
            self.recurrent(x, lengths=lengths) if self.who in ("ours", "before") else self.recurrent(x)
        )
        states = states[0] if isinstance(states, tuple) else states
        last = states[-2:] if self.recurrent.bidirectional else states[-1:]
        return self.head(last.transpose(0, 1).flatten(1))


def padded(pairs):
    """Collate sequences of a loader to a batch."""
    xs, ys = zip(*pairs, strict=True)
    return pad_sequence(xs, batch_first=True), torch.stack(ys), torch.tensor([len(x) for x in xs])


class Loop:
    """One contender's training."""

    def __init__(self, row, who):
        torch.manual_seed(0)
        self.row, self.model = row, Model(row, who)
        x = torch.randn(row.batch, row.time, row.inputs)
        if row.around == "embedding":
            x = torch.randint(1, WORDS, (row.batch, row.time))
        y = torch.randint(CLASSES, (row.batch,))
        lengths = torch.from_numpy(measure.ragged_lengths(row[1:5])) if row.ragged else None
        if row.ragged:
            for one, n in zip(x, lengths, strict=True):
                one[n:] = 0
        if row.around == "bfloat16":
            self.model, x = self.model.bfloat16(), x.bfloat16()
        if who in ("ours", "before"):
            recurra.accelerate(self.model)
        self.batch = x, y, lengths
        self.loader = None
        if row.around == "loader":
            pairs = [(one[:n], label) for one, n, label in zip(x, lengths, y, strict=True)] * LOADED
            self.loader = torch.utils.data.DataLoader(
                pairs, row.batch, num_workers=2, persistent_workers=True, collate_fn=padded
            )
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def batches(self, count):
        """Yield batches: the same one, or epochs of what the loader brings."""
        while count > 0:
            for batch in self.loader or [self.batch] * count:
                yield batch
                count -= 1
                if not count:
                    return

    def step(self, x, y, lengths):
        lower = self.row.around == "autocast"
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16) if lower else contextlib.nullcontext():
            loss = torch.nn.functional.cross_entropy(self.model(x, lengths).float(), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()


def work(who, threads):
    """Answer each line, a row and a count, with the loss (count 0: a new loop) or the seconds of a step."""
    torch.set_num_threads(threads)
    for line in sys.stdin:
        row, count = json.loads(line)
        if not count:
            loop = Loop(Row(*row), who)
            print(loop.step(*loop.batch), flush=True)
            continue
        for batch in loop.batches(max(2, count // 5)):  # warm
            loop.step(*batch)
        start = time.perf_counter()
        for batch in loop.batches(count):
            loop.step(*batch)
        print((time.perf_counter() - start) / count, flush=True)


class Contender:
    """A process that trains when it is asked to."""

    def __init__(self, who, threads, python):
        run = [python, __file__, "--work", json.dumps([who, threads])]
        self.process = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, row, count):
        self.process.stdin.write(f"{json.dumps([row, count])}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(row, contenders, chosen):
    names = [name for name in contenders if name != "packed" or row.ragged]
    losses = {name: contenders[name].ask(row, 0) for name in names}
    right = losses.get("packed", losses["ours"] if row.ragged else losses["padded"])
    assert abs(losses["ours"] - right) < (3e-2 if row.around in LOWER else 1e-4), losses
    count = max(3, min(200, int(chosen.seconds / max(contenders["padded"].ask(row, 2), 1e-4))))
    times = {name: [] for name in names}
    for _ in range(chosen.rounds):
        for name in names:
            times[name].append(contenders[name].ask(row, count))
    return {name: statistics.median(seconds) * 1e3 for name, seconds in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each")
    parser.add_argument("--seconds", type=float, default=0.4, help="of a turn")
    parser.add_argument("--before", help="another Python interpreter with recurra installed")
    parser.add_argument("--cells", nargs="*", default=["lstm", "gru", "rnn"])
    parser.add_argument("--contenders", nargs="*", default=["ours", "padded", "packed"])
    parser.add_argument("--lower", action="store_true", help="the rows in 16 bits alone")
    parser.add_argument("--out", type=Path, default=measure.RESULTS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work(*json.loads(chosen.work))
        return
    about = measure.machine(chosen.threads)
    contenders = {
        name: Contender(name, chosen.threads, chosen.before if name == "before" else sys.executable)
        for name in [*chosen.contenders, *(["before"] if chosen.before else [])]
    }
    rows, text = [], []
    for row in ROWS:
        if row.cell not in chosen.cells or (chosen.lower and row.around not in LOWER):
            continue
        found = compare(row, contenders, chosen)
        rows.append(
            row._asdict()
            | {f"{name}_ms": round(ms, 3) for name, ms in found.items()}
            | {f"{name}_ratio": round(ms / found["ours"], 2) for name, ms in found.items() if name != "ours"}
        )
        text.append(f"{row.words():<45}" + "  ".join(f"{who} {ms:7.2f} ms" for who, ms in found.items())
                    + f"  padded/ours {found['padded'] / found['ours']:.2f}")  # fmt: skip
        print(text[-1], flush=True)
    for one in contenders.values():
        one.close()
    for ragged in (True, False) if not chosen.lower else ():
        for cell in chosen.cells:
            ratios = [
                r["padded_ratio"]
                for r in rows
                if r["cell"] == cell and r["ragged"] == ragged and r["around"] not in LOWER
            ]
            word = "ragged" if ragged else "equal"
            text.append(f"geometric mean {cell} {word}: padded/ours {measure.geometric_mean(ratios):.2f}")
    measure.write("bench_loop_16_bits" if chosen.lower else "bench_loop", chosen.out, about, rows, text)


if __name__ == "__main__":
    main()
