"""Greedy decoding of 1,000 Roman numerals: ours against a plain torch loop of LSTMCell, one at a time and batched.

All three run the same weights and must give the same answers before the clock starts. Times are processor seconds of one
thread, alternating, the least of several rounds.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch

import recurra

PARTS = (
    (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"),
    (5, "V"), (4, "IV"), (1, "I"),
)  # fmt: skip
BEGIN, END = 1, 2


def roman(number):
    """Return a number below 1000 as a Roman numeral; 1000 as M."""
    out = ""
    for value, letters in ((1000, "M"), *PARTS):
        out += letters * (number // value)
        number %= value
    return out


def cells(network, part, size):
    """Return the layer of a network as LSTMCell, forward and, for the encoder, backward."""
    found = []
    layer = getattr(network, part)
    for suffix in ("", "_reverse") if part == "encoder" else ("",):
        cell = torch.nn.LSTMCell(size, 64)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        cell.load_state_dict({name: getattr(layer, f"{name}_l0{suffix}") for name in names})
        found.append(cell)
    return found


class Plain:
    """The network as one writes it in torch: padded, a loop over LSTMCell."""

    def __init__(self, network):
        self.net = network
        size = network.config.embedding_size
        self.forward_cell, self.backward_cell = cells(network, "encoder", size)
        (self.decoder,) = cells(network, "decoder", size)

    @torch.no_grad()
    def answer(self, sources, max_length):
        """Return symbols of each source; ``sources`` are lists of symbols."""
        net, n, time_ = self.net, len(sources), max(map(len, sources))
        padded = torch.zeros(n, time_, dtype=torch.long)
        for row, source in zip(padded, sources, strict=True):
            row[: len(source)] = torch.tensor(source)
        lengths = torch.tensor([len(s) for s in sources])
        valid = torch.arange(time_) < lengths[:, None]
        x = net.source(padded)
        outputs = []
        for cell, order in (
            (self.forward_cell, range(time_)),
            (self.backward_cell, range(time_ - 1, -1, -1)),
        ):
            h = c = torch.zeros(n, 64)
            steps = [None] * time_
            for t in order:
                new_h, new_c = cell(x[:, t], (h, c))
                mask = valid[:, t, None]
                h, c = torch.where(mask, new_h, h), torch.where(mask, new_c, c)
                steps[t] = h
            outputs.append((torch.stack(steps, 1), h))
        memory = torch.cat([o for o, _ in outputs], 2)
        last = torch.cat([h for _, h in outputs], 1)
        h, c = (torch.tanh(bridge(last)) for bridge in net.bridge)
        keys = memory @ net.attention.weight.T / h.shape[1] ** 0.5
        symbols, ended = torch.full((n,), BEGIN), torch.zeros(n, dtype=torch.bool)
        out = [[] for _ in sources]
        for _ in range(max_length + 1):
            h, c = self.decoder(net.target(symbols), (h, c))
            scores = (keys @ h[:, :, None])[:, :, 0].masked_fill(~valid, -torch.inf)
            context = (scores.softmax(1)[:, None] @ memory)[:, 0]
            logits = net.head(torch.tanh(net.combine(torch.cat([h, context], 1))))
            logits[:, : BEGIN + 1] = -torch.inf
            symbols = logits.argmax(1)
            ended |= symbols == END
            if ended.all():
                break
            for answer, symbol, over in zip(out, symbols.tolist(), ended.tolist(), strict=True):
                if not over:
                    answer.append(symbol)
        return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    numbers = [str(n) for n in range(1, 1001)]
    words = {
        "cell": "lstm",
        "hidden_size": 64,
        "learning_rate": 0.005,
        "validation_fraction": 0,
        "verbose": 0,
    }
    model = recurra.Translator(**words, max_epochs=args.epochs, random_state=0)
    model.fit(numbers, [roman(int(n)) for n in numbers])
    plain = Plain(model.torch_network())
    sources = [model.model_.source.encode(n).tolist() for n in numbers]
    longest = model.max_length_

    def text(symbols):
        return "".join(model.target_symbols_[s] for s in symbols)

    ways = {
        "recurra": lambda: [best.text for (best,) in model.translate(numbers)],
        "one_at_a_time": lambda: [text(plain.answer([s], longest)[0]) for s in sources],
        "batched": lambda: [text(s) for s in plain.answer(sources, longest)],
    }
    answers = {name: way() for name, way in ways.items()}
    assert answers["recurra"] == answers["batched"] == answers["one_at_a_time"]
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(args.rounds):
        for name, way in ways.items():
            began = time.process_time()
            way()
            best[name] = min(best[name], time.process_time() - began)
    result = {
        "seconds": {name: round(value, 5) for name, value in best.items()},
        "of_one_at_a_time": round(best["recurra"] / best["one_at_a_time"], 4),
        "of_batched": round(best["recurra"] / best["batched"], 4),
        "symbols": sum(len(a) for a in answers["recurra"]),
        "threads": 1,
        "dtype": "float32",
        "machine": platform.processor() or platform.machine(),
        "kernels": recurra.kernels.describe() if callable(recurra.kernels.describe) else "",
        "torch": torch.__version__,
    }
    print(json.dumps(result, indent=2, default=str))
    if args.out:
        args.out.write_text(json.dumps(result, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
