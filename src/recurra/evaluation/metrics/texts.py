"""Figures of answers that are texts: exact matches, edit distances, BLEU."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.checks import missing_extra


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
