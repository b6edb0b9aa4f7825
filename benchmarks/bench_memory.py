"""Training one long sequence: `memory="sqrt"` against keeping every gate, in time and in memory.

Each setting runs in a process of its own, so that its highest resident memory says what it took beyond the weights, the
input and the output.
"""

import json
import resource
import subprocess
import sys
import time

import measure
import torch

from recurra.nn import LSTM

STEPS, BATCH, INPUTS, HIDDEN = 10_000, 8, 12, 256


def highest() -> int:
    """Return the highest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def once(layer: torch.nn.Module, x: torch.Tensor, weight: torch.Tensor) -> list[torch.Tensor]:
    output, _ = layer(x)
    return list(torch.autograd.grad(output, list(layer.parameters()), weight))


def child(memory: str, steps: int, rounds: int) -> None:
    """Print seconds and bytes of one setting."""
    torch.manual_seed(0)
    layer = LSTM(INPUTS, HIDDEN)
    layer.memory = memory
    x = torch.randn(steps, BATCH, INPUTS)
    weight = torch.randn(steps, BATCH, HIDDEN)
    short = slice(0, 50)
    once(layer, x[short].contiguous(), weight[short].contiguous())
    with torch.no_grad():
        output = layer(x)[0]
    before = highest()  # holds input, gradient and output of the whole length
    del output
    gradients = once(layer, x, weight)
    taken = highest() - before
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        once(layer, x, weight)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": sorted(seconds), "bytes": taken, "gradient": float(gradients[1].norm())}))


def main() -> None:
    """Run both settings in turns and write the result."""
    if len(sys.argv) > 1 and sys.argv[1] == "--child":
        torch.set_num_threads(int(sys.argv[5]))
        child(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    chosen = measure.arguments("memory of training a long sequence")
    found: dict[str, list[dict]] = {"full": [], "sqrt": []}
    for _ in range(2):
        for memory, runs in found.items():
            words = [sys.executable, __file__, "--child", memory, str(STEPS), "2", str(chosen.threads)]
            runs.append(json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout))
    best = {m: min(s for run in runs for s in run["seconds"]) for m, runs in found.items()}
    taken = {m: max(run["bytes"] for run in runs) for m, runs in found.items()}
    norms = [run["gradient"] for runs in found.values() for run in runs]
    assert max(norms) / min(norms) < 1.001, norms
    share, slower = taken["sqrt"] / taken["full"], best["sqrt"] / best["full"]
    rows = [{"memory": m, "seconds": best[m], "bytes": taken[m], "runs": found[m]} for m in found]
    rows.append({"share_of_memory": share, "times_the_time": slower})
    text = [f"{m}: {best[m]:.2f} s, {taken[m] / 1e6:.1f} MB beyond input and output" for m in found]
    text.append(f"sqrt takes {share:.3f} of the memory and {slower:.2f} times the time")
    measure.write("bench_memory", chosen.out, measure.machine(chosen.threads), rows, text)


if __name__ == "__main__":
    main()
