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


def figure() -> None:
    """Draw training speed by shape: ours as a multiple of torch's."""
    shapes = [",".join(map(str, shape)) for shape in measure.SHAPES]
    fig, panels = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True)
    for panel, cell in zip(panels, TARGETS, strict=True):
        bars = [
            ("train equal", "torch padded"),
            ("train ragged", "torch padded"),
            ("train ragged", "torch packed"),
        ]
        for k, (kind, against) in enumerate(bars):
            found = ratios(cell, kind, against)
            at = [j + (k - 1) * 0.27 for j in range(len(shapes))]
            lengths = "equal lengths" if kind.endswith("equal") else "unequal lengths"
            panel.bar(
                at, [found[s] - 1 for s in shapes], 0.25, bottom=1, color=("#4477aa", "#228833", "#ccbb44")[k],
                label=f"{lengths}, {against}",
            )  # fmt: skip
        panel.axhline(1, color="#444444", linewidth=0.8)
        panel.set_yscale("log")
        panel.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["½", "1", "2", "5", "10", "20", "50"])
        panel.minorticks_off()
        panel.set_xticks(range(len(shapes)), shapes, rotation=35, ha="right", fontsize=7)
        panel.set_title(cell.upper())
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("times as fast as torch")
    panels[1].set_xlabel("batch, steps, inputs, units", fontsize=8)
    fig.legend(*panels[0].get_legend_handles_labels(), fontsize=8, frameon=False, loc="lower center", ncols=3)
    about = results("bench_lstm")["machine"]
    fig.suptitle(
        f"Training a layer, {about['threads']} threads of an {about['processor']} "
        f"({about['kernels']['isa']}), torch {about['torch']}",
        fontsize=9,
    )  # fmt: skip
    fig.tight_layout(rect=(0, 0.06, 1, 1))
    fig.savefig(ROOT / "docs" / "images" / "speed.png", dpi=150)


if __name__ == "__main__":
    print("\n".join(table()))
    figure()
