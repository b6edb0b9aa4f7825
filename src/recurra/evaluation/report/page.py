"""`page`: a result as one self-contained HTML page that needs neither network nor script."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import recurra
from recurra.checks import rate_in_words
from recurra.evaluation.drawing import charts
from recurra.evaluation.drawing.charts import is_number, number
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.evaluation.report.wording import percent, span

N_WORST = 6
# What a figure is called, and whether it is a share shown in per cent.
FIGURES = {
    "accuracy": ("Accuracy", True),
    "balanced_accuracy": ("Balanced accuracy", True),
    "macro_f1": ("Macro F1", True),
    "log_loss": ("Log loss (nats, less is better)", False),
    "segment_f1": ("Segment F1 (stretches of one label)", True),
    "calibration_error": ("Calibration error", True),
    "bleu": ("BLEU (0 to 100)", False),
    "exact_match": ("Exactly right", True),
    "character_error_rate": ("Characters to edit (less is better)", True),
    "symbol_error_rate": ("Symbols to edit (less is better)", True),
    "rmse": ("RMSE (less is better)", False),
    "mae": ("Mean absolute error (less is better)", False),
    "bits_per_character": ("Bits per character (less is better)", False),
    "perplexity": ("Perplexity per token (less is better)", False),
    "r2": ("R² (share of variance explained)", False),
}


@dataclass(frozen=True)
class Picture:
    """One chart with the sentence below it."""

    svg: Markup
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Case:
    """One sequence with what was said of it: heading, name, sentence and drawing, None without a signal."""

    heading: str
    name: str
    text: str
    svg: Markup | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a result puts on its page; a section whose list is empty is left out.

    Parameters
    ----------
    judged : str
        What was judged, in the number that ``n_test`` asks for.
    naive : Markup, optional
        What the naive answer is.
    items : str
        What is counted in the table of classes.
    counted : str
        What one of the things judged on is called.
    tables : dict of str to list of dict
        ``per_class`` and ``per_target``.
    mistakes : list of dict
        Listed one by one: ``source``, ``predicted``, ``true``, ``edits``; ``n_mistakes`` says how many there are.
    """

    metrics: Mapping[str, Any]
    headline: str
    sentences: Sequence[str]
    findings: Sequence[str]
    tiles: Sequence[Mapping[str, str]]
    judged: str
    has_intervals: bool
    naive: Markup | None
    items: str
    counted: str
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    failed: Sequence[Picture]
    mistakes: Sequence[Mapping[str, Any]]
    n_mistakes: int
    worst_words: str
    worst: Sequence[Case]
    right: Sequence[Case]
    learned: Sequence[Picture]
    inside: Sequence[Picture]
    data_words: str
    described: Sequence[Picture]


def page(c: ReportContext, p: Page) -> str:
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
    return environment.from_string(text).render(
        c=c,
        **vars(p),
        title=c.title or str(c.data.get("source") or "Evaluation"),
        more=[
            Picture(Markup(svg), caption, wide=True) for svg, caption in (c.pictures() if c.pictures else ())
        ],
        data=data_rows(c.data, said=p.findings),
        span=span,
        versions={**installed_versions(), **c.versions},
        parameters=settings(c.parameters),
        per_class=p.tables.get("per_class", []),
        with_intervals=any(
            row.get(f"{word}_low") is not None
            for row in p.tables.get("per_class", [])
            for word in ("recall", "precision")
        ),
        per_target=p.tables.get("per_target", []),
        recurra_version=recurra.__version__,
    )


def figure_tiles(
    metrics: Mapping[str, Any], intervals: Mapping[str, tuple[float, float]]
) -> list[dict[str, str]]:
    """Name, value, naive value and interval of each figure that applies, as text."""
    out = []
    for key, (name, share) in FIGURES.items():
        if not is_number(metrics.get(key)):
            continue
        show = (lambda v: percent(v, 1)) if share else number
        tile = {"name": name, "value": show(metrics[key]), "naive": "", "interval": ""}
        if f"{key}_baseline" in metrics:
            tile["naive"] = show(metrics[f"{key}_baseline"])
        if key in intervals:
            low, high = intervals[key]
            tile["interval"] = span(low, high, 1) if share else f"{number(low)} to {number(high)}"
        out.append(tile)
    return out


# What the counts of `Dataset.summary` are called, of each kind of data.
COUNTED = {"text": "texts", "pairs": "pairs", "tokens": "sentences", "video": "clips", "series": "series"}
# What the steps of a sequence are, where they are no time steps.
STEPS = {"text": "characters", "pairs": "characters", "tokens": "words"}


def data_rows(data: Mapping[str, Any], *, said: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return name and value of what `Dataset.summary` tells, in words; what has its own chart is left out.

    Parameters
    ----------
    data : mapping
        Of `ReportContext`.
    said : sequence of str
        What the page says elsewhere: notes are told once.
    """
    rest = {k: v for k, v in data.items() if k != "class_counts" and v not in (None, "", [], ())}
    kind = str(rest.pop("kind", "sequence"))
    out = []
    if "n_sequences" in rest:
        out.append((COUNTED.get(kind, "sequences"), cell(rest.pop("n_sequences"))))
    unit = STEPS.get(kind, "time steps")
    if "total_steps" in rest:
        out.append((f"{unit} in all", cell(rest.pop("total_steps"))))
    if "length_min" in rest and "length_max" in rest:
        low, high, middle = rest.pop("length_min"), rest.pop("length_max"), rest.pop("length_median", None)
        text = f"{cell(low)} to {cell(high)} {unit}"
        if low == high:
            text, middle = f"{cell(low)} {unit} each", None
        out.append(("lengths", text + (f", median {cell(middle)}" if middle is not None else "")))
    if "n_missing" in rest:
        out.append(("missing values", cell(rest.pop("n_missing"))))
    if "sample_rate_hz" in rest:
        out.append(("sample rate", rate_in_words(rest.pop("sample_rate_hz"))))
    notes = [note for note in dict.fromkeys(rest.pop("notes", ())) if note not in said]
    out += [(k.removeprefix("n_").replace("_", " "), cell(v)) for k, v in rest.items()]
    return out + [("note", note) for note in notes]


def learning_pictures(context: ReportContext) -> list[Picture]:
    """Return the charts of how the training went."""
    history = context.history
    out = []
    if curves := context.learning_curves:
        caption = "Loss of the training part" + (
            " and of the validation part" if any("valid_loss" in r for r in history) else ""
        )
        caption += ", by epoch." + (
            " The weights of the marked epoch were kept." if context.best_epoch is not None else ""
        )
        out.append(Picture(Markup(curves), caption))
    norms = [row["grad_norm_median"] for row in history if is_number(row.get("grad_norm_median"))]
    if len(norms) > 1 and max(norms) > 0:
        clipped = [row["clipped_share"] for row in history if is_number(row.get("clipped_share"))]
        caption = (
            "Norm of the gradient before clipping, by epoch. Steady is good; a climbing maximum means "
            "unstable training."
        )
        if clipped:
            caption += f" {percent(float(np.mean(clipped)))} of the batches were clipped."
        out.append(Picture(Markup(charts.gradient_norms(history)), caption))
    return out


def shortened(text: str, limit: int = 300) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def is_signal(values: Any) -> bool:
    """Return whether a sequence is numbers over time rather than words."""
    return not isinstance(values, list | str)


def settings(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return options as text; a seed is written as it is typed."""
    return {name: str(value) if name == "random_state" else cell(value) for name, value in parameters.items()}


def cell(value: Any) -> str:
    """Return a value of a table as text."""
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


def _keep_together(value: Any) -> Any:
    """Do not break a line between a number and its per cent sign."""
    return value.replace(" %", "\u00a0%") if type(value) is str else value
