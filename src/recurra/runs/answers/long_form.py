"""Answers of every kind as one table: who, when, and what; a row per sequence, time step or segment.

``name`` comes first, then ``step`` (from 0; of a forecast from 1, the first step ahead), with ``time`` where the data had
time stamps, as they came in, and ``word`` where words were read. What is answered follows: ``prediction``, or a column for
each target of a forecast, and what is known beside it: probabilities ``p_...``, quantiles ``q_...``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What every segment has, of labels or of anomalies.
SEGMENT_COLUMNS = ("name", "start", "end", "label", "start_s", "end_s")


def long_form(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of `recurra.runs.predict.predict` as rows of one table, all with the same columns.

    Parameters
    ----------
    rows : list of dict
        A row per sequence, per step or per text.

    Returns
    -------
    list of dict
        Flat; a column that a row has nothing for holds an empty text.
    """
    flat = [line for row in rows for line in _lines(row)]
    names = list(dict.fromkeys(name for line in flat for name in line))
    return [{name: line.get(name, "") for name in names} for line in flat]


def by_share(shares: Sequence[float], quantiles: Any) -> dict[str, Any]:
    """Return quantiles, an array whose last axis they are, by their shares as text: numbers, or lists of them."""
    return {f"{share:g}": quantiles[..., place].tolist() for place, share in enumerate(shares)}


def _lines(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "segments" in row:
        yield from ({"name": row["name"], **one} for one in row["segments"])
    elif "step" in row or "cut" in row:
        yield dict(row)
    elif isinstance(row["prediction"], list) and _is_per_step(row):
        yield from _steps(row)
    else:
        answers = {"prediction": row["prediction"], **_named(row.get("quantiles"))}
        if isinstance(row["prediction"], list):
            answers = {f"{k}_{i + 1}": number for k, own in answers.items() for i, number in enumerate(own)}
        yield {"name": row["name"], **answers, **_shares(row.get("probabilities"))}


def _is_per_step(row: Mapping[str, Any]) -> bool:
    """Return whether a list of answers is one a step, which labels always are; of numbers the row says so."""
    return "steps" in row or not all(isinstance(number, float) for number in row["prediction"])


def _steps(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    times, words, shares = (row.get(name) for name in ("time", "words", "probabilities"))
    quantiles = _named(row.get("quantiles"))
    for step, answer in enumerate(row["prediction"]):
        line = {"name": row["name"], "step": step}
        if times is not None:
            line["time"] = times[step]
        if words is not None:
            line["word"] = words[step]
        line |= {"prediction": answer, **{name: own[step] for name, own in quantiles.items()}}
        yield {**line, **(_shares(shares[step]) if shares else {})}


def _named(quantiles: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"q_{share}": answer for share, answer in quantiles.items()} if quantiles else {}


def _shares(shares: Mapping[str, float] | None) -> dict[str, float]:
    return {f"p_{name}": share for name, share in shares.items()} if shares else {}
