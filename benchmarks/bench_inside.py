"""What looking inside costs: one sequence explained, and the record of gradients kept while training.

Times are of the processor, one thread, so that a busy neighbour does not count. Completeness is asserted before the
clock is read.

    python benchmarks/bench_inside.py > benchmarks/results/bench_inside.json
"""

import json
import platform
import time

import numpy as np
import torch

import recurra
from recurra.training.gradient_record import GradientRecord

ROUNDS = 2


def explanations():
    """Seconds to explain 1,000 steps of 12 channels through an LSTM of 100 units."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(40, 12)) for _ in range(32)]
    x = rng.normal(size=(1000, 12))
    out = {}
    for bidirectional in (False, True):
        words = {"hidden_size": 100, "bidirectional": bidirectional, "max_epochs": 1, "verbose": 0}
        model = recurra.SequenceClassifier(random_state=0, **words).fit(X, np.arange(32) % 3)
        for method in ("integrated_gradients", "occlusion", "gradient_times_input"):
            error = model.explain(x, method=method).error
            assert method != "integrated_gradients" or abs(error) < 0.01, error
            seconds = []
            for _ in range(ROUNDS):
                began = time.process_time()
                model.explain(x, method=method)
                seconds.append(time.process_time() - began)
            out[f"{method}{'_bidirectional' if bidirectional else ''}_seconds"] = round(min(seconds), 3)
    return out


def record_shares():
    """Share of the time of a training that goes into the record of gradients."""
    rng = np.random.default_rng(0)
    data = {
        "vowels, batches of 32": ("japanese-vowels", 32, 12),
        "vowels, batches of 4": ("japanese-vowels", 4, 6),
        "vowels, batches of 1": ("japanese-vowels", 1, 6),
        "100 sequences of 10 to 1000 steps, batches of 32": (rng.integers(10, 1000, 100), 32, 13),
        "100 sequences of 10 to 1000 steps, batches of 1": (rng.integers(10, 1000, 100), 1, 8),
    }
    out = {}
    plain = GradientRecord.of_epoch
    for name, (source, batch_size, epochs) in data.items():
        if isinstance(source, str):
            train = recurra.datasets.load(source, split="train")
            X, y = train.X, train.y
        else:
            X, y = [rng.normal(size=(n, 6)) for n in source], np.arange(len(source)) % 2
        spent, apart = [], set()

        def timed(self, run, limit, spent=spent, apart=apart):
            began = time.process_time()
            found = plain(self, run, limit)
            if found:
                spent.append(time.process_time() - began)
                apart.add(self.epochs_apart)
            return found

        GradientRecord.of_epoch = timed
        words = {"hidden_size": 100, "batch_size": batch_size, "validation_fraction": 0, "verbose": 0}
        recurra.SequenceClassifier(max_epochs=1, random_state=0, **words).fit(X, y)  # warm
        began = time.process_time()
        recurra.SequenceClassifier(max_epochs=epochs, random_state=0, **words).fit(X, y)
        total = time.process_time() - began
        out[name] = {
            "records": len(spent), "epochs": epochs, "epochs_apart": sorted(apart),
            "share": round(sum(spent) / total, 4), "seconds": round(total, 2),
        }  # fmt: skip
    GradientRecord.of_epoch = plain
    return out


def main():
    torch.set_num_threads(1)
    found = {
        "command": "python benchmarks/bench_inside.py",
        "what": "processor seconds, one thread, the least of two",
        "explain_1000_steps_12_channels_lstm_100": explanations(),
        "gradient_record": record_shares(),
        "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
        "kernels": recurra.kernels.describe(),
    }  # fmt: skip
    print(json.dumps(found, indent=1, default=str))


if __name__ == "__main__":
    main()
