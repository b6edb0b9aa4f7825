"""`series_page`: a result about time series as one self-contained HTML page."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import recurra
from recurra.evaluation.drawing.charts import is_number, number
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.evaluation.report.page import Picture

FIGURES = {
    "skill": "Skill (1 is perfect, 0 no better than naive)",
    "mae": "Mean absolute error",
    "rmse": "RMSE",
    "smape": "Symmetric percentage error",
    "coverage": "Coverage of the interval",
    "average_precision": "Average precision",
    "roc_auc": "ROC AUC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "share_anomalous": "Share of steps called anomalous",
}


def series_tiles(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name, value and naive value of each figure that applies, as text."""
    out = []
    for key, name in FIGURES.items():
        if key not in metrics or not is_number(metrics[key]):
            continue
        naive = metrics.get(f"{key}_baseline", metrics.get("coverage_nominal") if key == "coverage" else None)
        beside = "" if naive is None else number(float(naive))
        out.append({"name": name, "value": number(float(metrics[key])), "naive": beside, "key": key})
    return out


def series_page(
    context: ReportContext,
    *,
    headline: str,
    sentences: Sequence[str],
    figures: Sequence[Mapping[str, str]],
    sections: Sequence[tuple[str, Sequence[Picture]]],
    table: tuple[str, Mapping[str, str], Sequence[Mapping[str, str]]] | None = None,
) -> str:
    """Return a report about time series as one self-contained page; whatever a user named is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    room = files("recurra.evaluation")
    # One style for all reports: that of the report on classes and numbers.
    main = (room / "report.html.jinja").read_text(encoding="utf-8")
    style = main.partition("<style>")[2].partition("</style>")[0]
    text = (room / "series.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        c=context,
        style=Markup(style),
        title=context.title or "Time series",
        headline=headline,
        sentences=sentences,
        tiles=figures,
        sections=sections,
        table=table,
        versions={**installed_versions(), **context.versions},
        parameters={k: json.dumps(v, default=str) for k, v in context.parameters.items()},
        recurra_version=recurra.__version__,
    )
