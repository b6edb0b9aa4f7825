"""Charts of the report, each a function from plain numbers to one inline ``<svg>``.

Drawn with matplotlib's objects (`Figure`, `Axes`), never pyplot, so that no process-wide state is touched.
Signals and what a network makes of them are drawn in `signals.py`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from recurra.checks import counted
from recurra.evaluation.drawing.svg import PAGE, render, text_width

# Points of the drawing; a phone shows it at about 80 %, a desk at about 130 %.
WIDTH = 380
HEIGHT = 250
FONT = 12.0
SMALL = 10.5
MAX_POINTS = 2000
# Cells of a confusion chart stop carrying numbers beyond this many classes.
MAX_NUMBERED = 30


def new_figure(
    height: float = HEIGHT,
    *,
    width: float = WIDTH,
    rows: Sequence[float] = (1,),
    colours: Mapping[str, str] = PAGE,
    share: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Return a figure of width x height points and its axes, one below the other with these relative
    heights, on one x axis if they ``share`` it.
    """
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none", edgecolor="none")
    figure.subplots_adjust(hspace=0.2)  # of the figure, not of its grid, so that a chart can set it anew
    grid = figure.add_gridspec(len(rows), 1, height_ratios=list(rows))
    axes = [figure.add_subplot(grid[i]) for i in range(len(rows))]
    for ax in axes[1:] if share else ():
        ax.sharex(axes[0])
    for ax in axes[:-1] if share else ():
        ax.tick_params(bottom=False, labelbottom=False)  # ticks would cut the title of what is below
    for ax in axes:
        dress(ax, colours=colours)
    if len(axes) > 1:
        figure.align_ylabels(axes)
    return figure, axes


def dress(
    ax: Axes, *, colours: Mapping[str, str] = PAGE, grid: Literal["x", "y", "both"] | None = "y"
) -> None:
    """Set everything that the reader's matplotlib settings might otherwise decide."""
    ax.set_facecolor("none")
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(colours["muted"])
        spine.set_linewidth(0.8)
    ax.tick_params(
        which="both", colors=colours["muted"], labelcolor=colours["ink"], labelsize=SMALL, width=0.8, length=3
    )
    ax.grid(False, which="both")
    if grid:
        ax.grid(
            True, axis=grid, which="major", color=colours["grid"], linewidth=0.7, linestyle="-", alpha=1.0
        )
    ax.set_axisbelow(True)
    ax.margins(x=0.02)


def label(ax: Axes, *, x: str | None = None, y: str | None = None, colours: Mapping[str, str] = PAGE) -> None:
    """Name the axes."""
    for text, setter in ((x, ax.set_xlabel), (y, ax.set_ylabel)):
        if text is not None:
            setter(plain(text, 60), fontsize=FONT, color=colours["ink"], fontweight="normal")


def legend(ax: Axes, *, columns: int = 3, colours: Mapping[str, str] = PAGE) -> None:
    """Put the legend above the axes, where it covers nothing."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=SMALL,
        labelcolor=colours["ink"],
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
        handletextpad=0.5,
    )


def plain(text: object, limit: int = 18) -> str:
    """Return a name fit for a label: one line, no control characters, shortened in the middle (the ends tell
    ``failure type 11`` from ``failure type 12``), no mathematics.
    """
    line = "".join(c if c.isprintable() else " " for c in str(text))
    if len(line) > limit:
        tail = (limit - 1) // 2
        line = line[: limit - 1 - tail] + "…" + line[len(line) - tail :]
    return line.replace("$", r"\$")


def number(value: float) -> str:
    """Return a number with about three digits that matter, large counts with separators."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    # What is not quite 1 is not called 1: three digits that matter of what is missing to it.
    digits = 3 if not 0.9995 <= abs(value) < 1 else 1 - math.floor(math.log10(1 - abs(value)))
    return f"{value:.{digits}g}"


def step_ticks(ax: Axes, first: float, last: float, *, most: int = 6) -> None:
    """Put whole numbers on the x axis, the last step among them."""
    chosen = [t for t in MaxNLocator(most, integer=True).tick_values(first, last) if first <= t <= last]
    if len(chosen) > 1 and last - chosen[-1] < 0.6 * (chosen[1] - chosen[0]):
        chosen.pop()
    ax.xaxis.set_major_locator(FixedLocator([*chosen, last] if last not in chosen else chosen))


def learning_curves(
    history: Sequence[Mapping[str, Any]], *, best_epoch: int | None = None, score: str | None = None
) -> str:
    """Losses over the epochs, below them the validation score where there is one.

    ``history`` has a row per epoch with ``epoch``, ``train_loss`` and optionally ``valid_loss`` and one
    ``valid_<score>``; ``best_epoch`` is marked.
    """
    score = score or find_score(history)
    figure, axes = new_figure(330 if score else HEIGHT, rows=(1.4, 1) if score else (1,))
    panels = [(axes[0], "Loss", [("train_loss", "training", "blue"), ("valid_loss", "validation", "orange")])]
    if score:
        words = score.replace("_", " ")
        panels.append(
            (
                axes[1],
                words,
                [(f"train_{score}", "training", "blue"), (f"valid_{score}", "validation", "orange")],
            )
        )
    for ax, title, lines in panels:
        for key, name, role in lines:
            points = [(row["epoch"], row[key]) for row in history if is_number(row.get(key))]
            if points:
                x, y = zip(*points, strict=True)
                marker = "o" if len(points) < 3 else ""
                ax.plot(x, y, color=PAGE[role], linewidth=1.8, label=name, marker=marker, markersize=4)
        if best_epoch is not None:
            ax.axvline(
                best_epoch,
                color=PAGE["green"],
                linewidth=1.4,
                linestyle=(0, (4, 3)),
                label=f"kept: epoch {best_epoch}",
            )
        label(ax, y=title.capitalize() if title.islower() else title)
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    if axes[0].get_legend_handles_labels()[0]:
        legend(axes[0])
    label(axes[-1], x="Epoch")
    _epoch_ticks(axes[-1], history)
    return render(figure, title="Learning curves", description=_learning_words(history, best_epoch, score))


def _epoch_ticks(ax: Axes, history: Sequence[Mapping[str, Any]]) -> None:
    if history:
        step_ticks(ax, history[0]["epoch"], history[-1]["epoch"])


def find_score(history: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the validation score in the history, without ``valid_``; None if there is none."""
    for row in history:
        for key, value in row.items():
            if key.startswith("valid_") and key != "valid_loss" and is_number(value):
                return key.removeprefix("valid_")
    return None


def is_number(value: Any) -> bool:
    """Whether a value of the history can be drawn."""
    return isinstance(value, int | float | np.number) and math.isfinite(value)


def _learning_words(history: Sequence[Mapping[str, Any]], best_epoch: int | None, score: str | None) -> str:
    words = f"{counted(len(history), 'epoch')}."
    for key, name in (
        ("train_loss", "Training loss"),
        ("valid_loss", "Validation loss"),
        (f"valid_{score}", "Validation score"),
    ):
        values = [row[key] for row in history if is_number(row.get(key))]
        if values:
            words += f" {name} from {number(values[0])} to {number(values[-1])}."
    return words + (f" The weights of epoch {best_epoch} were kept." if best_epoch is not None else "")


def confusion_chart(matrix: np.ndarray, *, classes: Sequence[Any], items: str = "sequences") -> str:
    """Counts of true class (rows) by predicted class (columns), coloured by the share of the row.

    ``matrix`` has shape (classes, classes). Up to 12 classes a cell also carries its share of the row in per
    cent, up to 30 its count.
    """
    size = len(classes)
    cell = max(17.0, min(64.0, 372 / size)) if size > 2 else 84.0
    font = min(13.5, cell * 0.42)
    # Beside few classes there is room; the ends of longer names tell them apart.
    cut = 28 if size <= 4 else 22 if size <= 8 else 18
    side = cell * size + 30 + 1.07 * SMALL * max(text_width(plain(c, cut)) for c in classes)
    figure, (ax,) = new_figure(side, width=side + 8)
    dress(ax, grid=None)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        count, share = int(matrix[row, column]), float(shares[row, column])
        role = "blue" if row == column else "orange"
        cell_at = (column - 0.5, row - 0.5)
        depth = 0.12 + 0.88 * share
        ax.add_artist(Rectangle(cell_at, 1, 1, facecolor=PAGE[role], alpha=depth, linewidth=0))
        if size <= MAX_NUMBERED:
            _cell_text(ax, row, column, count, share, font=font, with_share=size <= 12)
    for edge in np.arange(size + 1) - 0.5:
        ax.axhline(edge, color=PAGE["grid"], linewidth=0.6)
        ax.axvline(edge, color=PAGE["grid"], linewidth=0.6)
    ticks = np.arange(0, size, max(1, math.ceil(size / 60)))
    names = [plain(classes[int(t)], cut) for t in ticks]
    turned = 0 if max(len(n) for n in names) * 6.5 < cell else 90
    anchored: dict[str, Any] = {"rotation_mode": "anchor", "ha": "right", "va": "center"} if turned else {}
    ax.set_xticks(ticks, names, rotation=turned, fontsize=min(SMALL, cell * 0.75), **anchored)
    ax.set_yticks(ticks, names, fontsize=min(SMALL, cell * 0.75))
    ax.tick_params(length=0)
    ax.set_xlim(-0.5, size - 0.5)
    ax.set_ylim(size - 0.5, -0.5)
    for spine in ax.spines.values():
        spine.set_visible(False)
    label(ax, x="Predicted class", y="True class")
    return render(
        figure,
        title="Confusion chart",
        description=_confusion_words(matrix, classes, items),
        scroll=size > 12,
    )


def _cell_text(
    ax: Axes, row: int, column: int, count: int, share: float, *, font: float, with_share: bool
) -> None:
    role = ("on-blue" if share > 0.5 else "ink") if row == column else ("paper" if share > 0.8 else "ink")
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": PAGE[role]}
    ax.text(column, row - (0.16 if with_share else 0), number(count), fontsize=font, **style)
    if with_share:
        ax.text(column, row + 0.24, f"{100 * share:.0f} %", fontsize=font * 0.78, **style)


def confused_pairs(matrix: np.ndarray, *, classes: Sequence[Any]) -> list[tuple[Any, Any, int, int]]:
    """(true class, predicted class, how often, of how many) of every confusion, the most frequent first."""
    off = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-off, axis=None, kind="stable")[: int(np.count_nonzero(off))]
    pairs = [np.unravel_index(int(k), off.shape) for k in order]
    return [(classes[int(i)], classes[int(j)], int(off[i, j]), int(matrix[i].sum())) for i, j in pairs]


def _confusion_words(matrix: np.ndarray, classes: Sequence[Any], items: str) -> str:
    total = int(matrix.sum())
    words = f"{int(np.trace(matrix))} of {total} {items} lie on the diagonal, predicted as what they are."
    pairs = confused_pairs(matrix, classes=classes)[:5]
    if pairs:
        words += (
            " Most frequent confusions: "
            + "; ".join(f"{t} taken for {p}, {n} of {of}" for t, p, n, of in pairs)
            + "."
        )
    return words


def predicted_against_true(
    y_true: np.ndarray, y_pred: np.ndarray, *, target: str = "target", item: str = "item"
) -> str:
    """Points (true, predicted) of shape (items,) each, and the line on which they would lie if all were
    right.
    """
    true, pred = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    step = max(1, math.ceil(len(true) / MAX_POINTS))
    figure, (ax,) = new_figure(360)
    dress(ax, grid="both")
    low, high = float(min(true.min(), pred.min())), float(max(true.max(), pred.max()))
    ax.plot(
        [low, high],
        [low, high],
        color=PAGE["muted"],
        linewidth=1.2,
        linestyle=(0, (4, 3)),
        label="exactly right",
    )
    size = float(np.clip(400 / math.sqrt(len(true) / step) / 3, 5, 22))
    ax.scatter(
        true[::step], pred[::step], s=size, color=PAGE["blue"], alpha=0.55, linewidths=0, label=f"one {item}"
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    label(ax, x=f"True {target}", y=f"Predicted {target}")
    legend(ax)
    shown = "" if step == 1 else f" Every {step}th of {len(true):,} is drawn."
    words = (
        f"{len(true):,} {item}s. True values from {number(float(true.min()))} to {number(float(true.max()))}, "
        f"predicted from "
        f"{number(float(pred.min()))} to {number(float(pred.max()))}.{shown}"
    )
    return render(figure, title=f"Predicted against true: {target}", description=words)


def length_histogram(
    lengths: Mapping[str, Any], *, sample_rate_hz: float | None = None, unit: str = "time steps"
) -> str:
    """How long the sequences of each part are; ``lengths`` maps a part's name to its lengths in ``unit``."""
    parts = {name: np.asarray(v, dtype=float) for name, v in lengths.items() if len(v)}
    axis, scale = ("seconds", 1 / sample_rate_hz) if sample_rate_hz else (unit, 1.0)
    everything = np.concatenate(list(parts.values()))
    low, high = float(everything.min()), float(everything.max())
    # Whole steps fall in the middle of a bin, so that no bin holds more possible lengths than its neighbour.
    width = max(1.0, math.ceil((high - low + 1) / 24))
    edges = np.arange(low - 0.5, high + width, width) * scale
    figure, (ax,) = new_figure(230)
    roles = ("blue", "orange", "green")
    for (name, values), role in zip(parts.items(), roles, strict=False):
        ax.hist(
            values * scale,
            bins=edges.tolist(),
            weights=np.full(len(values), 100 / len(values)),
            histtype="step",
            color=PAGE[role],
            linewidth=1.8,
            label=f"{plain(name, 24)} ({len(values):,})",
        )
    label(ax, x=f"Length in {axis}", y="Share in %")
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=scale == 1.0))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: number(round(v, 10))))
    if high - low < 8:  # a few lengths fill a few places of an axis, not the whole of it
        ax.set_xlim((max(low - 4, -0.5)) * scale, (high + 4) * scale)
    legend(ax)
    words = " ".join(
        f"{name}: {len(v):,} {'sequence' if len(v) == 1 else 'sequences'}, {number(float(v.min()))} to "
        f"{number(float(v.max()))} {unit}, median {number(float(np.median(v)))}."
        for name, v in parts.items()
    )
    return render(figure, title="Sequence lengths", description=words)


def reliability_chart(bins: Sequence[Mapping[str, Any]], *, error: float) -> str:
    """Share that is right against how sure the network was; ``bins`` from `metrics.reliability`."""
    figure, (ax,) = new_figure(300)
    dress(ax, grid="both")
    x = [100 * b["confidence"] for b in bins]
    y = [100 * b["accuracy"] for b in bins]
    known = [b for b in bins if b["accuracy_low"] is not None]  # from too few there is no interval
    ax.plot(
        [0, 100],
        [0, 100],
        color=PAGE["muted"],
        linewidth=1.2,
        linestyle=(0, (4, 3)),
        label="as sure as right",
    )
    # No line from point to point: where few items are, it would go up and down and say nothing.
    ax.vlines(
        [100 * b["confidence"] for b in known],
        [100 * b["accuracy_low"] for b in known],
        [100 * b["accuracy_high"] for b in known],
        color=PAGE["blue"],
        linewidth=1.2,
    )
    most = max((b["n"] for b in bins), default=1)
    ax.scatter(
        x,
        y,
        s=[12 + 60 * b["n"] / most for b in bins],
        color=PAGE["blue"],
        linewidths=0,
        zorder=3,
        label="the network",
    )
    ax.set_xlim(0, 102)
    ax.set_ylim(0, 102)
    label(ax, x="Sure, in %", y="Right, in %")
    legend(ax)
    words = f"Expected calibration error {100 * error:.1f} points. " + " ".join(
        f"About {100 * b['confidence']:.0f} % sure: {100 * b['accuracy']:.0f} % right ({counted(int(b['n']), 'item')})."
        for b in bins
    )
    return render(figure, title="Reliability curve", description=words)


def gradient_norms(history: Sequence[Mapping[str, Any]]) -> str:
    """Median and largest norm of the gradient in each epoch, before clipping, on a logarithmic axis."""
    figure, (ax,) = new_figure()
    words = []
    for key, name, role in (("grad_norm_max", "largest", "orange"), ("grad_norm_median", "median", "blue")):
        points = [(row["epoch"], row[key]) for row in history if is_number(row.get(key)) and row[key] > 0]
        if points:
            x, y = zip(*points, strict=True)
            ax.plot(
                x,
                y,
                color=PAGE[role],
                linewidth=1.8,
                label=name,
                marker="o" if len(points) < 3 else "",
                markersize=4,
            )
            words.append(f"{name.capitalize()} norm from {number(y[0])} to {number(y[-1])}.")
    log_axis(ax)
    label(ax, x="Epoch", y="Gradient norm")
    _epoch_ticks(ax, history)
    legend(ax)
    clipped = [row["clipped_share"] for row in history if is_number(row.get("clipped_share"))]
    if clipped:
        words.append(f"On average {100 * float(np.mean(clipped)):.0f} % of the batches were clipped.")
    return render(figure, title="Gradient norm over the epochs", description=" ".join(words))


def log_axis(ax: Axes) -> None:
    """Make the y axis logarithmic with 1-2-5 ticks in plain numbers (matplotlib writes them as
    mathematics).
    """
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high < 500 * low else (1,)
    every = max(1, len(decades) // 6)
    ticks = [s * 10.0**d for d in list(decades)[::every] for s in steps if low <= s * 10.0**d <= high]
    # Between two of them there may be none: a narrow range is as good as linear.
    ax.yaxis.set_major_locator(FixedLocator(ticks) if len(ticks) > 1 else MaxNLocator(4))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.6g}"))


def class_balance(counts: Mapping[str, Mapping[Any, int]], *, items: str = "sequences") -> str:
    """Share of each class in each part; ``counts`` maps a part's name to the count of each class."""
    names = list(dict.fromkeys(name for part in counts.values() for name in part))
    shown = names[:40]
    height = 60 + len(shown) * (11 * len(counts) + 7)
    figure, (ax,) = new_figure(height)
    dress(ax, grid="x")
    thick = 0.8 / len(counts)
    for k, ((part, numbers), role) in enumerate(
        zip(counts.items(), ("blue", "orange", "green"), strict=False)
    ):
        total = max(1, sum(numbers.values()))
        places = [i - 0.4 + thick * (k + 0.5) for i in range(len(shown))]
        shares = [100 * numbers.get(name, 0) / total for name in shown]
        ax.barh(
            places,
            shares,
            height=thick * 0.9,
            color=PAGE[role],
            linewidth=0,
            label=f"{plain(part, 24)} ({total:,})",
        )
    ax.set_yticks(range(len(shown)), [plain(name, 22) for name in shown], fontsize=SMALL)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    label(ax, x=f"Share of the {items} in %", y="Class")
    legend(ax)
    words = " ".join(
        f"{part}: " + ", ".join(f"{name} {n}" for name, n in list(numbers.items())[:40]) + "."
        for part, numbers in counts.items()
    )
    return render(figure, title="Class balance", description=words)
