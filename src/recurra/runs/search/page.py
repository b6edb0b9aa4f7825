"""What mattered in a search, as a page of HTML that needs neither network nor script."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment

from recurra.store import write_text

if TYPE_CHECKING:
    from recurra.runs.search.space import Range
    from recurra.runs.search.tune import Search

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Search {{ name }}</title>
<style>
body {font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222}
table {border-collapse: collapse; width: 100%} th, td {text-align: left; padding: .2em .6em; border-bottom: 1px solid #ddd}
.bar {background: #3b6fb6; height: 1em; display: inline-block} tr.best {font-weight: bold} td.n {text-align: right}
</style></head><body>
<h1>Search {{ name }}</h1>
<p>{{ trials|length }} trials, {{ complete }} of them to their end, {{ pruned }} stopped early. Judged by {{ figure }} on a
share of the training part; the test part was read once, by the run in <a href="best/report.html">best</a>.</p>
<p>{{ why }}</p>
<h2>What mattered</h2>
{% if importances %}<table><tr><th>Option</th><th>Searched</th><th>Share of the differences it explains</th></tr>
{% for option, share in importances.items() %}<tr><td>{{ option }}</td><td>{{ ranges[option] }}</td>
<td><span class="bar" style="width: {{ (share * 20)|round(2) }}em"></span> {{ (100 * share)|round|int }} %</td></tr>
{% endfor %}</table>{% else %}<p>Too few trials came to their end to tell.</p>{% endif %}
<h2>Trials, the best first</h2>
<table><tr><th>Trial</th><th>{{ figure }}</th><th>Seconds</th><th>Options</th></tr>
{% for row in rows %}<tr{% if row.trial == best %} class="best"{% endif %}>
<td><a href="trials/{{ '%04d' % row.trial }}/report.html">{{ row.trial + 1 }}</a></td>
<td class="n">{{ row.shown }}</td><td class="n">{{ row.took }}</td><td>{{ row.words }}</td></tr>
{% endfor %}</table></body></html>
"""


def write_page(
    path: Path, search: "Search", ranges: Mapping[str, "Range"], *, smaller_is_better: bool
) -> None:
    """Write the page of a search.

    Parameters
    ----------
    path : Path
        Of the file.
    search : Search
        At its end.
    ranges : mapping
        What was searched.
    smaller_is_better : bool
        Of the figure that decides.
    """
    whole = [row for row in search.trials if row["state"] == "complete"]
    whole.sort(key=lambda row: row["value"] if smaller_is_better else -row["value"])
    rest = [row for row in search.trials if row["state"] != "complete"]
    page = Environment(autoescape=True).from_string(_PAGE)
    text = page.render(
        name=search.path.resolve().name,
        trials=search.trials,
        complete=len(whole),
        pruned=sum(row["state"] == "pruned" for row in rest),
        figure=search.figure,
        why=search.why,
        importances=search.importances,
        ranges={name: str(where) for name, where in ranges.items()},
        rows=[_shown(row) for row in [*whole, *rest]],
        best=search.best["trial"],
    )
    write_text(path, text)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its figures and options as text."""
    value = row["value"] if row["state"] == "complete" else None
    states = {"pruned": "stopped early", "fail": "failed"}
    words = [f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row["parameters"].items()]
    return {
        **row,
        "shown": states.get(row["state"], row["state"]) if value is None else f"{value:.4g}",
        "took": "" if row["seconds"] is None else f"{row['seconds']:.1f}",
        "words": ", ".join(words) or "the defaults",
    }
