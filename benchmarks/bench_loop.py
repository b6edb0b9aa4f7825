"""A user's training loop: recurrent layers, a linear head, cross entropy, backward, clipping, Adam.

Each contender runs in a process of its own, in turns, medians: ours after `recurra.accelerate` with the lengths, and
torch's layer padded and, where lengths differ, packed. ``--before PYTHON`` adds ours as another interpreter has it
installed. Losses of ours and packed are compared before the clock starts.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import measure
import torch

import recurra

# cell, batch, time, input, hidden, ragged, layers, bidirectional
ROWS = (
    *(("lstm", *sizes, ragged, 1, False) for sizes, ragged in (
        ((27, 25, 12, 100), True), ((64, 50, 128, 128), True), ((64, 50, 128, 128), False), ((32, 100, 9, 100), False),
        ((128, 200, 256, 256), False),
    )),
    *((cell, *sizes, ragged, 1, False) for cell in ("gru", "rnn") for sizes, ragged in (
        ((27, 25, 12, 100), True), ((64, 50, 128, 128), True), ((64, 50, 128, 128), False),
    )),
    *((cell, 32, 60, 40, 64, ragged, 2, True) for cell in ("lstm", "gru", "rnn") for ragged in (True, False)),
)  # fmt: skip
CLASSES = 9


class Model(torch.nn.Module):
    """Layers and a head on the final states of the last one."""

    def __init__(self, row, who):
        super().__init__()
        cell, _, _, inputs, hidden, _, layers, both = row
        self.recurrent = measure.LAYERS[cell](
            inputs, hidden, num_layers=layers, bidirectional=both, batch_first=True
        )
        self.head = torch.nn.Linear(hidden * (1 + both), CLASSES)
        self.who = who

    def forward(self, x, lengths):
        if self.who == "packed":
            x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, states = (
            self.recurrent(x, lengths=lengths) if self.who in ("ours", "before") else self.recurrent(x)
        )
        states = states[0] if isinstance(states, tuple) else states
        last = states[-2:] if self.recurrent.bidirectional else states[-1:]
        return self.head(last.transpose(0, 1).flatten(1))


class Loop:
    """One contender's training."""

    def __init__(self, row, who):
        _, batch, steps, inputs, _, ragged, *_ = row
        torch.manual_seed(0)
        self.model = Model(row, who)
        if who in ("ours", "before"):
            recurra.accelerate(self.model)
        self.x = torch.randn(batch, steps, inputs)
        self.y = torch.randint(CLASSES, (batch,))
        self.lengths = torch.from_numpy(measure.ragged_lengths(row[1:5])) if ragged else None
        if ragged:
            for x, n in zip(self.x, self.lengths, strict=True):
                x[n:] = 0
        self.optimizer = torch.optim.Adam(self.model.parameters())

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(self.model(self.x, self.lengths), self.y)
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
            loop = Loop(row, who)
            print(loop.step(), flush=True)
            continue
        for _ in range(max(2, count // 5)):  # warm
            loop.step()
        start = time.perf_counter()
        for _ in range(count):
            loop.step()
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
    names = [name for name in contenders if name != "packed" or row[5]]
    losses = {name: contenders[name].ask(row, 0) for name in names}
    right = losses.get("packed", losses["ours"] if row[5] else losses["padded"])
    assert abs(losses["ours"] - right) < 1e-4, losses
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
        if row[0] not in chosen.cells:
            continue
        found = compare(row, contenders, chosen)
        cell, *sizes, ragged, layers, both = row
        rows.append(
            {"cell": cell, "shape": sizes, "ragged": ragged, "layers": layers, "bidirectional": both}
            | {f"{name}_ms": round(ms, 3) for name, ms in found.items()}
            | {f"{name}_ratio": round(ms / found["ours"], 2) for name, ms in found.items() if name != "ours"}
        )
        name = f"{cell} {','.join(map(str, sizes))} {'ragged' if ragged else 'equal'}"
        name += f" {layers} layers both ways" if both else ""
        text.append(f"{name:<45}" + "  ".join(f"{who} {ms:7.2f} ms" for who, ms in found.items())
                    + f"  padded/ours {found['padded'] / found['ours']:.2f}")  # fmt: skip
        print(text[-1], flush=True)
    for one in contenders.values():
        one.close()
    for ragged in (True, False):
        for cell in chosen.cells:
            ratios = [r["padded_ratio"] for r in rows if r["cell"] == cell and r["ragged"] == ragged]
            word = "ragged" if ragged else "equal"
            text.append(f"geometric mean {cell} {word}: padded/ours {measure.geometric_mean(ratios):.2f}")
    measure.write("bench_loop", chosen.out, about, rows, text)


if __name__ == "__main__":
    main()
