"""`series_page`: a result about time series as one self-contained HTML page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import recurra
from recurra.evaluation.drawing.charts import is_number, number
from recurra.evaluation.report.context import ReportContext, installed_versions
from recurra.evaluation.report.page import Picture, data_rows, settings
from recurra.evaluation.report.wording import percent

# What a figure is called, and whether it is a share shown in per cent.
FIGURES = {
    "skill": ("Skill (1 is perfect, 0 no better than naive)", False),
    "mae": ("Mean absolute error", False),
    "rmse": ("RMSE", False),
    "smape": ("Symmetric percentage error (0 to 200)", False),
    "coverage": ("Coverage of the interval", True),
    "average_precision": ("Average precision", False),
    "roc_auc": ("ROC AUC", False),
    "precision": ("Precision", True),
    "recall": ("Recall", True),
    "f1": ("F1", True),
    "share_anomalous": ("Share of steps called anomalous", True),
    "n_segments": ("Anomalous segments", False),
}


@dataclass(frozen=True)
class Table:
    """A table of a report: its title, its columns (key and heading), and its rows as text."""

    title: str
    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, str]]


def series_tiles(metrics: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return name, value and naive value of each figure that applies, as text."""
    out = []
    for key, (name, share) in FIGURES.items():
        if key not in metrics or not is_number(metrics[key]):
            continue
        naive = metrics.get(f"{key}_baseline", metrics.get("coverage_nominal") if key == "coverage" else None)
        show: Callable[[Any], str] = partial(percent, digits=1) if share else number
        beside = "" if naive is None else show(naive)
        out.append({"name": name, "value": show(metrics[key]), "naive": beside, "key": key})
    return out


def series_page(
    context: ReportContext,
    *,
    headline: str,
    sentences: Sequence[str],
    figures: Sequence[Mapping[str, str]],
    sections: Sequence[tuple[str, Sequence[Picture]]],
    tables: Sequence[Table] = (),
    samples: Sequence[str] = (),
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
        tables=tables,
        samples=samples,
        findings=list(dict.fromkeys([*(context.leaks or ()), *context.warnings])),
        data=data_rows(context.data, said=[*(context.leaks or ()), *context.warnings]),
        versions={**installed_versions(), **context.versions},
        parameters=settings(context.parameters),
        recurra_version=recurra.__version__,
    )
