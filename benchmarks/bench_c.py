"""A step of an exported network in C beside the same step by our kernels: an LSTM of 64 units that reads 12 channels.

The C is compiled with ``-O3 -march=native``; its softmax is in its time. Ours is one step of the stack, called from Python
with numpy in and out. Rounds alternate; medians.

    RECURRA_ISA=avx2 python benchmarks/bench_c.py
"""

import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import measure
import numpy as np

import recurra
from recurra import kernels
from recurra.kernels.networks.stack import StackStep

STEPS, ROUNDS = 20_000, 15
OURS = f"recurra, {kernels.describe()['isa']}"
PROGRAM = """
#include <stdio.h>
#include <time.h>
#include "net.h"
static net_state state;
static float rows[64][NET_CHANNELS];
int main(void) {
    float out[NET_OUTPUTS], sum = 0;
    struct timespec began, ended;
    if (fread(rows, sizeof rows, 1, stdin) != 1) return 1;
    net_init(&state);
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int i = 0; i < @STEPS@; i++) {
        net_step(&state, rows[i % 64], out);
        sum += out[0];
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    printf("%.9f %f\\n", (ended.tv_sec - began.tv_sec) + 1e-9 * (ended.tv_nsec - began.tv_nsec), sum);
    return 0;
}
""".replace("@STEPS@", str(STEPS))


def main() -> None:
    """Time both and write the result."""
    chosen = measure.arguments("a step of an exported network in C")
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(30, 12)) for _ in range(20)]
    model = recurra.SequenceClassifier(
        cell="lstm", hidden_size=64, causal=True, wide=False, max_epochs=1, verbose=0, random_state=0
    ).fit(X, np.arange(20) % 3)
    weights = {
        name.removeprefix("recurrent."): array
        for name, array in model.model_.weights.items()
        if name.startswith("recurrent.")
    }
    rows = rng.normal(size=(64, 12)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        (written,) = model.export(Path(name) / "net", to="c", X=X[:2])
        (written.path / "main.c").write_text("#define _POSIX_C_SOURCE 199309L\n" + PROGRAM)
        compiler = next(filter(None, map(shutil.which, ("gcc", "cc", "clang"))))
        command = [compiler, "-std=c99", "-O3", "-march=native", "net.c", "main.c", "-lm", "-o", "main"]
        subprocess.run(command, cwd=written.path, check=True)

        def in_c() -> float:
            done = subprocess.run(
                [written.path / "main"], input=rows.tobytes(), capture_output=True, check=True
            )
            return float(done.stdout.split()[0]) / STEPS

        times: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            times.setdefault("C, -O3 -march=native", []).append(in_c())
            stream = StackStep("lstm", weights)
            began = time.perf_counter()
            for i in range(STEPS):
                stream.step(rows[i % 64][None])
            times.setdefault(OURS, []).append((time.perf_counter() - began) / STEPS)
    micro = {name: 1e6 * statistics.median(each) for name, each in times.items()}
    text = [
        "  ".join(f"{name} {value:.2f} us a step" for name, value in micro.items())
        + f"  | C takes {micro['C, -O3 -march=native'] / micro[OURS]:.2f} times as long"
    ]
    measure.write("bench_c", chosen.out, measure.machine(chosen.threads), [{"microseconds": micro}], text)


if __name__ == "__main__":
    main()
