"""`report`: an evaluation as one self-contained HTML page that needs neither network nor script."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import recurra
from recurra.evaluation import charts, signals, strips
from recurra.evaluation.charts import is_number, number
from recurra.evaluation.evaluation import Evaluation, installed_versions
from recurra.evaluation.summary import findings, headline, percent, span, summary

N_WORST = 6
# Attention maps of a translation, beside those of the worst mistakes.
N_ATTENTION = 6
# Mistakes listed; a page with thousands helps nobody.
N_MISTAKES = 200
# What a figure is called, and whether it is a share shown in per cent.
FIGURES = {
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced accuracy", True),
    "macro_f1": ("Macro F1", True),
    "log_loss": ("Log loss (nats, less is better)", False),
    "calibration_error": ("Calibration error", True),
    "bleu": ("BLEU (0 to 100)", False),
    "exact_match": ("Exactly right", True),
    "character_error_rate": ("Characters to edit (less is better)", True),
    "symbol_error_rate": ("Symbols to edit (less is better)", True),
    "rmse": ("RMSE (less is better)", False),
    "mae": ("Mean absolute error (less is better)", False),
    "r2": ("R² (share of variance explained)", False),
}


@dataclass(frozen=True)
class Picture:
    """One chart with the sentence below it."""

    svg: Markup
    caption: str
    wide: bool = False


def report(e: Evaluation) -> str:
    """Return the page; everything a user named is escaped by the template, drawings are made by `charts`."""
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_together,
    )
    environment.filters |= {"number": number, "percent": percent}
    text = (files("recurra.evaluation") / "report.html.jinja").read_text(encoding="utf-8")
    c = e.context
    return environment.from_string(text).render(
        e=e,
        c=c,
        title=c.title or str(c.data.get("source") or "Evaluation"),
        headline=headline(e),
        sentences=summary(e),
        findings=findings(e),
        tiles=tiles(e),
        learned=_learned(e),
        failed=_failed(e),
        worst=worst(e),
        right=right(e),
        inside=_inside(e),
        more=[
            Picture(Markup(svg), caption, wide=True) for svg, caption in (c.pictures() if c.pictures else ())
        ],
        described=_described(e),
        data=data_rows(c.data),
        span=span,
        versions={**installed_versions(), **c.versions},
        parameters={k: _cell(v) for k, v in c.parameters.items()},
        per_class=e.tables.get("per_class", []),
        per_target=e.tables.get("per_target", []),
        mistakes=mistakes(e),
        n_worst=N_WORST,
        recurra_version=recurra.__version__,
    )


def tiles(e: Evaluation) -> list[dict[str, str]]:
    """Name, value, naive value and interval of each figure that applies, as text."""
    out = []
    for key, (name, share) in FIGURES.items():
        if key not in e.metrics:
            continue
        show = (lambda v: percent(v, 1)) if share else number
        tile = {"name": name, "value": show(e.metrics[key]), "naive": "", "interval": ""}
        if f"{key}_baseline" in e.metrics:
            tile["naive"] = show(e.metrics[f"{key}_baseline"])
        if key in e.intervals:
            low, high = e.intervals[key]
            tile["interval"] = span(low, high, 1) if share else f"{number(low)} to {number(high)}"
        out.append(tile)
    return out


def data_rows(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and value of what `Dataset.summary` tells, in words; what has its own chart is left out."""
    rest = {k: v for k, v in data.items() if k != "class_counts" and v not in (None, "", [], ())}
    out = []
    if "length_min" in rest and "length_max" in rest:
        low, high, middle = rest.pop("length_min"), rest.pop("length_max"), rest.pop("length_median", None)
        text = f"{_cell(low)} to {_cell(high)} time steps"
        out.append(("lengths", text + (f", median {_cell(middle)}" if middle is not None else "")))
    if "sample_rate_hz" in rest:
        out.append(("sample rate", f"{_cell(rest.pop('sample_rate_hz'))} time steps a second"))
    return [(k.removeprefix("n_").replace("_", " "), _cell(v)) for k, v in rest.items()] + out


def worst_positions(e: Evaluation, n: int = N_WORST) -> list[int]:
    """Positions of the sequences on which the model errs most: most surely wrong, largest error, most steps
    wrong.
    """
    if e.task == "classification":
        wrong = [r for r in e.predictions if not r["correct"]]
        wrong.sort(key=lambda r: r["true_probability"] - r["confidence"])
    elif e.task == "regression":
        wrong = sorted(e.predictions, key=lambda r: -abs(r["error"]))
    elif e.task == "translation":
        wrong = sorted((r for r in e.predictions if not r["correct"]), key=lambda r: -r["edits"])
    else:
        wrong = sorted((r for r in e.predictions if r["steps_wrong"]), key=lambda r: r["share_correct"])
    return [r["sequence"] for r in wrong[:n]]


def worst(e: Evaluation) -> list[dict[str, Any]]:
    """Heading, sentence and drawing (None without signals) of each of the worst mistakes."""
    out: list[dict[str, Any]] = []
    for i in worst_positions(e):
        row = e.predictions[i]
        if e.task == "classification":
            heading = f"{row['true']} taken for {row['predicted']}"
            text = (
                f"{percent(row['confidence'])} sure; {percent(row['true_probability'])} for the true class."
            )
        elif e.task == "regression":
            heading = f"{_cell(row['true'])} predicted as {_cell(row['predicted'])}"
            text = f"Off by {number(abs(row['error']))}" + (
                " standard deviations of its worst target." if e.y_true.shape[1] > 1 else "."
            )
        elif e.task == "translation":
            out.append(_answer(e, row))
            continue
        else:
            heading = f"{row['steps_wrong']:,} of {row['length']:,} time steps wrong"
            text = f"{percent(row['share_correct'])} of its steps are right."
        if e.sequences is not None and not _is_signal(e.sequences[i]):
            text += f" It reads: “{_shortened(' '.join(e.sequences[i]))}”"
        out.append({"heading": heading, "name": row["name"], "text": text, "svg": _signal(e, i)})
    return out


def right(e: Evaluation) -> list[dict[str, Any]]:
    """Heading, sentence and drawing of a few right answers, of clips only: the median one, and the least sure."""
    if e.context.frames is None or e.task != "classification":
        return []
    sure = sorted((r for r in e.predictions if r["correct"]), key=lambda r: -r["confidence"])
    chosen = [sure[k] for k in sorted({len(sure) // 2, len(sure) - 1})] if sure else []
    return [
        {
            "heading": f"{row['true']}, found",
            "name": row["name"],
            "text": f"{percent(row['confidence'])} sure.",
            "svg": _signal(e, row["sequence"]),
        }
        for row in chosen
    ]


def mistakes(e: Evaluation) -> list[dict[str, Any]]:
    """Source, true and given answer of every mistake of a translation, up to `N_MISTAKES`."""
    if e.task != "translation":
        return []
    return [row for row in e.predictions if not row["correct"]][:N_MISTAKES]


def _answer(e: Evaluation, row: Mapping[str, Any]) -> dict[str, Any]:
    """Heading, sentence and attention map of one answer."""
    text = "Exactly right." if row["correct"] else f"Right would be: {row['true']}"
    if row["cut"]:
        text += " (It had not come to its end.)"
    svg = None if e.attention is None else Markup(e.attention(row["sequence"]).to_svg())
    heading = f"{row['source']} → {row['predicted']}"
    return {"heading": heading, "name": row["name"], "text": text, "svg": svg}


def _signal(e: Evaluation, i: int) -> Markup | None:
    if e.sequences is None or not _is_signal(e.sequences[i]):
        return None
    values = np.asarray(e.sequences[i], dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    shared: dict[str, Any] = {
        "name": e.predictions[i]["name"],
        "channel_names": e.context.channel_names,
        "sample_rate_hz": e.context.sample_rate_hz,
    }
    if e.task == "labeling":
        drawing = signals.labelled_signal(
            values, true=e.y_true[i], predicted=e.y_pred[i], classes=e.classes, **shared
        )
    else:
        trace = None
        if e.trace is not None:
            trace = np.asarray(e.trace(i) if callable(e.trace) else e.trace[i])
        row = e.predictions[i]
        true, predicted = _cell(row["true"]), _cell(row["predicted"])
        if e.context.frames is not None:
            named: dict[str, Any] = {"name": shared["name"], "true": true, "predicted": predicted}
            frames = e.context.frames(i)
            return Markup(strips.frame_strip(frames, trace=trace, classes=e.classes, **named))
        drawing = signals.worst_mistake(
            values, true=true, predicted=predicted, trace=trace, classes=e.classes, **shared
        )
    return Markup(drawing)


def _shortened(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _is_signal(values: Any) -> bool:
    """Return whether a sequence is numbers over time rather than words."""
    return not isinstance(values, list | str)


def _learned(e: Evaluation) -> list[Picture]:
    history = e.context.history
    out = []
    if any(is_number(row.get("train_loss")) for row in history):
        score = charts.find_score(history)
        caption = "Loss of the training part" + (
            " and of the validation part" if any("valid_loss" in r for r in history) else ""
        )
        caption += ", by epoch." + (
            " The weights of the marked epoch were kept." if e.context.best_epoch is not None else ""
        )
        out.append(
            Picture(
                Markup(charts.learning_curves(history, best_epoch=e.context.best_epoch, score=score)), caption
            )
        )
    if any(is_number(row.get("grad_norm_median")) and row["grad_norm_median"] > 0 for row in history):
        clipped = [row["clipped_share"] for row in history if is_number(row.get("clipped_share"))]
        caption = (
            "Norm of the gradient before clipping, by epoch. Steady is good; a climbing maximum means "
            "unstable training."
        )
        if clipped:
            caption += f" {percent(float(np.mean(clipped)))} of the batches were clipped."
        out.append(Picture(Markup(charts.gradient_norms(history)), caption))
    return out


def _inside(e: Evaluation) -> list[Picture]:
    """Gates and states over the sequence of median length, where the network's own states are known.

    Of a translation: where it looked, for some answers spread over the test part.
    """
    if e.task == "translation" and e.attention is not None:
        chosen = np.unique(np.linspace(0, len(e.predictions) - 1, N_ATTENTION).astype(int)).tolist()
        answers = [_answer(e, e.predictions[i]) for i in chosen]
        return [Picture(a["svg"], f"{a['heading']}. {a['text']}") for a in answers]
    if e.context.inside is None or e.sequences is None or not len(e.sequences):
        return []
    by_length = np.argsort([len(s) for s in e.sequences], kind="stable")
    i = int(by_length[(len(by_length) - 1) // 2])
    name = str(e.predictions[i]["name"])
    svg, words = e.context.inside(np.asarray(e.sequences[i]), name)
    caption = f"Every gate and state while the network reads {name}, units by memory span. {words}"
    return [Picture(Markup(svg), caption)]


def _failed(e: Evaluation) -> list[Picture]:
    out = []
    if e.confusion is not None and len(e.classes) > 1:
        items = "time steps" if e.task == "labeling" else "sequences"
        svg = charts.confusion_chart(e.confusion, classes=e.classes, items=items)
        caption = (
            f"Each row holds the {items} of one true class: blue where predicted right, orange where taken "
            "for another."
        )
        out.append(Picture(Markup(svg), caption, wide=len(e.classes) > 12))
    if e.tables.get("reliability"):
        error = e.metrics["calibration_error"]
        caption = (
            "How often the network is right when it is so sure: the larger a point, the more there are; bars are 95 % "
            "intervals. Below the dashed "
            "line it claims too "
            f"much. Expected calibration error {percent(error, 1)}."
        )
        out.append(Picture(Markup(charts.reliability_chart(e.tables["reliability"], error=error)), caption))
    for j, row in enumerate(e.tables.get("per_target", [])[:8]):
        svg = charts.predicted_against_true(e.y_true[:, j], e.y_pred[:, j], target=row["target"])
        out.append(
            Picture(
                Markup(svg), "Each point is one sequence; on the dashed line the prediction is exactly right."
            )
        )
    return out


def _described(e: Evaluation) -> list[Picture]:
    out = []
    c = e.context
    lengths = {"training": list(c.train_lengths), "test": [r["length"] for r in e.predictions if r["length"]]}
    if any(lengths.values()):
        svg = charts.length_histogram(lengths, sample_rate_hz=c.sample_rate_hz)
        out.append(Picture(Markup(svg), "How long the sequences are, in per cent of each part."))
    if e.task not in ("regression", "translation"):
        items = "time steps" if e.task == "labeling" else "sequences"
        test = {str(r["class"]): r["support"] for r in e.tables["per_class"]}
        parts: dict[str, Mapping[Any, int]] = {"test": test}
        if c.train_counts:
            parts = {"training": {str(k): v for k, v in c.train_counts.items()}, "test": test}
        out.append(
            Picture(
                Markup(charts.class_balance(parts, items=items)),
                f"How the {items} are spread over the classes.",
            )
        )
    return out


def _keep_together(value: Any) -> Any:
    """Do not break a line between a number and its per cent sign."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value


def _cell(value: Any) -> str:
    """A value of a table as text."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    if is_number(value):
        return number(float(value))
    if isinstance(value, Sequence) and all(is_number(v) for v in value):
        return ", ".join(number(float(v)) for v in value)
    if isinstance(value, Sequence) and all(isinstance(v, str) for v in value):
        return "; ".join(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(value)
