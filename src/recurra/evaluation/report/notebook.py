"""`notebook_view`: a result as a notebook shows it: its figures beside the naive ones, and its charts."""

from collections.abc import Mapping, Sequence
from html import escape

from recurra.evaluation.drawing.picture import Drawing

# A cell's output is looked at, not read; the report has the rest.
MOST_CHARTS = 2
CELL = "padding:2px 12px 2px 0;text-align:left;border:none"


def notebook_view(
    *,
    headline: str,
    sentences: Sequence[str],
    findings: Sequence[str],
    tiles: Sequence[Mapping[str, str]],
    charts: Sequence[str],
) -> str:
    """Return an HTML element without colours of its own, so that it suits a light and a dark page.

    Parameters
    ----------
    headline, sentences, findings
        As in the report; findings are reasons for care.
    tiles : sequence of mapping
        ``name``, ``value``, ``naive`` and ``interval`` of each figure, as text.
    charts : sequence of str
        SVG elements of `drawing.svg`.
    """
    columns = {"name": "", "value": "value", "naive": "naive answer", "interval": "95 % interval"}
    shown = {key: title for key, title in columns.items() if any(tile.get(key) for tile in tiles)}
    head = "".join(f'<th style="{CELL}">{title}</th>' for title in shown.values())
    rows = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{escape(tile.get(key) or "")}</td>' for key in shown) + "</tr>"
        for tile in tiles
    )
    said = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    care = "".join(f"<li>{escape(finding)}</li>" for finding in dict.fromkeys(findings))
    drawn = "".join(Drawing.of_chart(chart)._repr_html_() for chart in charts[:MOST_CHARTS])
    return (
        f"<div><p><strong>{escape(headline)}</strong></p>{said}"
        + (f"<ul>{care}</ul>" if care else "")
        + f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{drawn}</div>"
    )
