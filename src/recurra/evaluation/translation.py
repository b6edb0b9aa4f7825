"""Judging answers that are texts: exact matches, edit distances, BLEU."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import DataError, ShapeError
from recurra.evaluation.attention_map import AttentionMap
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.evaluation.metrics import accuracy_interval

Text = str | Sequence[str]


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Return the fewest insertions, deletions and replacements that turn one sequence into the other.

    References
    ----------
    .. [1] Levenshtein, "Binary codes capable of correcting deletions, insertions and reversals", 1966.
    """
    previous = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
        previous = row
    return previous[-1]


def error_rate(true: Sequence[Sequence[Any]], predicted: Sequence[Sequence[Any]]) -> float:
    """Return all edits needed over all symbols of the true sequences, which must not all be empty."""
    edits = sum(edit_distance(t, p) for t, p in zip(true, predicted, strict=True))
    return edits / sum(len(t) for t in true)


def nearest(true: Sequence[Sequence[Any]], predicted: Sequence[Any]) -> Sequence[Any]:
    """Return that of several true answers with the fewest edits for its length, the first of equal ones."""
    return min(true, key=lambda t: edit_distance(t, predicted) / max(len(t), 1))


def bleu(true: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the BLEU score [1]_ of tokenised texts, 0 to 100, by sacrebleu [2]_ with ``tokenize="none"``.

    Raises
    ------
    MissingExtraError
        If sacrebleu is not installed.

    References
    ----------
    .. [1] Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002.
    .. [2] Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018.
    """
    try:
        import sacrebleu
    except ImportError:
        raise missing_extra("sacrebleu", "text", "BLEU") from None
    return float(sacrebleu.corpus_bleu(list(predicted), [list(true)], tokenize="none", force=True).score)


def text_metrics(true: Sequence[str], predicted: Sequence[str], *, level: str) -> dict[str, float]:
    """Return ``exact_match``, ``character_error_rate``; for words and tokens ``symbol_error_rate``, for words ``bleu``.

    Parameters
    ----------
    true, predicted : sequence of str
        Symbols with blanks between, unless the level is "character".
    level : {"character", "word", "bpe", "token"}
        What a symbol is. BLEU is left out where sacrebleu is not installed.
    """
    pairs = list(zip(true, predicted, strict=True))
    out = {
        "exact_match": float(np.mean([t == p for t, p in pairs])),
        "character_error_rate": error_rate(true, predicted),
    }
    if level != "character":
        out["symbol_error_rate"] = error_rate([t.split() for t in true], [p.split() for p in predicted])
    if level in ("word", "bpe"):
        with contextlib.suppress(ImportError):
            out["bleu"] = bleu(true, predicted)
    return out


def evaluate_translation(
    y_true: Sequence[str],
    y_pred: Sequence[str],
    *,
    level: str = "character",
    sources: Sequence[str],
    cut: Sequence[bool] | None = None,
    baseline: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    groups: Any = None,
    attention: Callable[[int], AttentionMap] | None = None,
    train_seconds: float | None = None,
    context: ReportContext | None = None,
) -> Evaluation:
    """Judge one text per source.

    Parameters
    ----------
    y_true, y_pred : sequence of str
        True and given answers; neither may be empty as a whole.
    level : {"character", "word", "bpe", "token"}
        What a symbol of the target is.
    sources : sequence of str
        What was read.
    cut : sequence of bool, optional
        Which answers had not come to their end.
    baseline : sequence of str, optional
        A naive answer to each source.
    names, groups : sequence, optional
        One per source; intervals are over groups where given.
    attention : callable, optional
        Gives the map of the answer at a position; asked for the few that are drawn.
    train_seconds : float, optional
        How long training took.
    context : ReportContext, optional
        What else the report should tell.

    Raises
    ------
    DataError, ShapeError
        If there is nothing to judge, or the lists do not fit together.
    """
    if not len(y_true):
        raise DataError("evaluate_translation: there is nothing to judge: y_true is empty. Give a pair.")
    for word, values in (("y_pred", y_pred), ("sources", sources), ("baseline", baseline)):
        if values is not None and len(values) != len(y_true):
            raise ShapeError(
                f"evaluate_translation: {word} must have one entry per true answer ({len(y_true)}); got {len(values)}."
            )
    metrics: dict[str, Any] = text_metrics(y_true, y_pred, level=level)
    if baseline is not None:
        naive = text_metrics(y_true, baseline, level=level)
        metrics |= {f"{name}_baseline": value for name, value in naive.items()}
    metrics |= {"n_cut": int(np.sum(cut)) if cut is not None else 0, "n_test": len(y_true)}
    if train_seconds is not None:
        metrics["train_seconds"] = float(train_seconds)
    rows = []
    for i, (true, predicted, source) in enumerate(zip(y_true, y_pred, sources, strict=True)):
        symbols = (true, predicted) if level == "character" else (true.split(), predicted.split())
        rows.append(
            {
                "sequence": i,
                "name": str(names[i]) if names is not None else str(i),
                "length": len(source) if level == "character" else len(source.split()),
                "source": source,
                "true": true,
                "predicted": predicted,
                "correct": true == predicted,
                "edits": edit_distance(*symbols),
                "cut": bool(cut[i]) if cut is not None else False,
            }
        )
    correct = np.array([row["correct"] for row in rows])
    clusters = None if groups is None else np.unique(np.asarray(groups).astype(str), return_inverse=True)[1]
    interval = accuracy_interval(correct, clusters=clusters)
    return Evaluation(
        task="translation",
        metrics=metrics,
        y_true=list(y_true),
        y_pred=list(y_pred),
        intervals={"exact_match": interval} if interval else {},
        predictions=rows,
        attention=attention,
        context=context or ReportContext(),
    )
