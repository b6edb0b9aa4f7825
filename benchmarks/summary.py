"""The results in `benchmarks/results/` as the table of targets, in Markdown, and as the figure of the README.

python benchmarks/summary.py            prints the table and draws docs/images/speed.png
"""

import json
from pathlib import Path

import matplotlib
import measure

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parents[1]
# kind of work, against whom, geometric mean asked for, least asked for; by cell
TARGETS = {
    "lstm": [
        ("train equal", "torch padded", 1.5, 1.1),
        ("train ragged", "torch padded", 2.2, 1.7),
        ("train ragged", "torch packed", 10, 2),
        ("inference equal", "onnxruntime", 1.1, 0.95),
    ],
    "gru": [
        ("train equal", "torch padded", 4, 2),
        ("train ragged", "torch padded", 6, 2),
        ("inference equal", "onnxruntime", 1.5, 0.95),
    ],
    "rnn": [("train equal", "torch padded", 3.5, 1.5), ("train ragged", "torch padded", 5, 1.5)],
}
STEP_TARGETS = {64: 4, 128: 4, 256: 2, 512: 1.3}


def results(stem: str) -> dict:
    """Return one stored result."""
    return json.loads((measure.RESULTS / f"{stem}.json").read_text())


def ratios(cell: str, kind: str, against: str) -> dict[str, float]:
    """Return ours against another's by shape."""
    return {
        ",".join(map(str, row["shape"])): row["ratio"][against]
        for row in results(f"bench_{cell}")["rows"]
        if row["kind"] == kind and against in row.get("ratio", {})
    }


def table() -> list[str]:
    """Return the rows of the table: what was measured, what was asked for."""
    lines = ["| work | against | geometric mean (least) | asked for | |", "| --- | --- | --- | --- | --- |"]
    for cell, targets in TARGETS.items():
        for kind, against, mean, least in targets:
            found = list(ratios(cell, kind, against).values())
            got, low = measure.geometric_mean(found), min(found)
            held = "holds" if got >= mean and low >= least else "misses"
            lines.append(
                f"| {cell.upper()}, {kind} | {against} | {got:.2f} ({low:.2f}) | {mean:g} ({least:g}) | {held} |"
            )
    for row in results("bench_step")["rows"]:
        got, wanted = row["ratio"]["onnxruntime"], STEP_TARGETS[row["hidden"]]
        us = row["microseconds"]
        lines.append(
            f"| {row['cell'].upper()}, one step of {row['hidden']} units | onnxruntime | "
            f"{got:.1f} ({us['recurra']:.1f} µs, {us['onnxruntime']:.1f} µs) | {wanted:g} | "
            f"{'holds' if got >= wanted else 'misses'} |"
        )
    lines.extend(
        f"| LSTM, train 128,200,256,256 | peak of {row['peak_gflops']:.0f} GF/s | {row['share_of_peak']:.0%} | "
        f"70 % | {'holds' if row['share_of_peak'] >= 0.7 else 'misses'} |"
        for row in results("bench_lstm")["rows"]
        if "share_of_peak" in row
    )
    return lines


COLOURS = {
    "equal lengths, padded": "#4477aa",
    "unequal lengths, padded": "#228833",
    "unequal lengths, packed": "#ccbb44",
}
BARS = {
    ("train equal", "torch padded"): "equal lengths, padded",
    ("train ragged", "torch padded"): "unequal lengths, padded",
    ("train ragged", "torch packed"): "unequal lengths, packed",
}
AROUND = {"embedding": "embedding", "convolution": "convolution", "loader": "2 loaders"}


def loops(cell: str) -> dict[str, dict[str, float]]:
    """Return by row of `bench_loop` in 32 bits, and kind of batch, how many times as fast as torch a whole loop is."""
    out: dict[str, dict[str, float]] = {}
    for row in results("bench_loop")["rows"]:
        if row["cell"] != cell or row["around"] in ("autocast", "bfloat16"):
            continue
        name = ",".join(str(row[key]) for key in ("batch", "time", "inputs", "hidden"))
        name += " ×2, both ways" if row["both"] else ""
        name += f", {AROUND[row['around']]}" if row["around"] else ""
        lengths = "unequal lengths" if row["ragged"] else "equal lengths"
        for against in ("padded", "packed"):
            if f"{against}_ratio" in row:
                out.setdefault(name, {})[f"{lengths}, {against}"] = row[f"{against}_ratio"]
    return out


def layers_alone(cell: str) -> dict[str, dict[str, float]]:
    """Return the same of the layer alone, ours and torch's in turns without rests in one process."""
    out: dict[str, dict[str, float]] = {}
    for (kind, against), bar in BARS.items():
        for shape, ratio in ratios(f"{cell}_no_rests", kind, against).items():
            out.setdefault(shape, {})[bar] = ratio
    return out


def figure() -> None:
    """Draw training speed as a multiple of torch's: a whole loop above, the layer alone below."""
    fig, grid = plt.subplots(2, 3, figsize=(10, 6.6), sharey=True)
    titles = ("a user's whole loop", "the layer alone")
    for title, found_of, panels in zip(titles, (loops, layers_alone), grid, strict=True):
        for panel, cell in zip(panels, TARGETS, strict=True):
            found = found_of(cell)
            for at, bars in enumerate(found.values()):
                for k, (bar, colour) in enumerate(COLOURS.items()):
                    if bar in bars:
                        panel.bar(at + (k - 1) * 0.27, bars[bar] - 1, 0.25, bottom=1, color=colour)
            panel.axhline(1, color="#444444", linewidth=0.8)
            panel.set_yscale("log")
            panel.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["½", "1", "2", "5", "10", "20", "50"])
            panel.minorticks_off()
            panel.set_xticks(
                range(len(found)), found, rotation=40, ha="right", rotation_mode="anchor", fontsize=7
            )
            panel.set_title(f"{cell.upper()}, {title}", fontsize=10)
            panel.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("times as fast as torch")
    marks = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    labels = [bar.replace(", ", ", torch ") for bar in COLOURS]
    fig.legend(marks, labels, fontsize=8, frameon=False, loc="lower center", ncols=3)
    about = results("bench_loop")["machine"]
    fig.suptitle(
        f"Training, {about['threads']} threads of an {about['processor']} ({about['kernels']['isa']}), "
        f"torch {about['torch']}; batch, steps, inputs, units",
        fontsize=9,
    )
    fig.tight_layout(rect=(0, 0.03, 1, 1))
    fig.savefig(ROOT / "docs" / "images" / "speed.png", dpi=150)


if __name__ == "__main__":
    print("\n".join(table()))
    figure()
