"""One text a source: its result, `TranslationEvaluation`, and how it is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup

from recurra.errors import DataError, ShapeError
from recurra.evaluation.drawing.charts import number
from recurra.evaluation.explanations.attention_map import AttentionMap
from recurra.evaluation.metrics.paired_tests import Comparison, Totals, compare_classification
from recurra.evaluation.metrics.scores import accuracy_interval
from recurra.evaluation.metrics.texts import edit_distance, text_metrics
from recurra.evaluation.report.context import ReportContext
from recurra.evaluation.report.page import N_WORST, Case, Picture
from recurra.evaluation.report.wording import judged_on, percent, span, too_few
from recurra.evaluation.results.cases import CaseEvaluation, closing, name_of

# Attention maps, beside those of the worst mistakes.
N_ATTENTION = 6
# Mistakes listed; a page with thousands helps nobody.
N_MISTAKES = 200


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TranslationEvaluation(CaseEvaluation):
    """How good texts are that were given for sources; made by `evaluate_translation`.

    Parameters
    ----------
    predictions : list of dict
        A row per source: ``sequence`` (position), ``name``, ``length``, ``source``, ``true``, ``predicted``,
        ``correct``, ``edits``, ``cut``.
    attention : callable, optional
        Gives the `AttentionMap` of the answer at a position.
    """

    task: ClassVar[str] = "translation"
    noun: ClassVar[str] = "source"
    compared_by = "exact_match"

    attention: Callable[[int], AttentionMap] | None = None

    def headline(self) -> str:
        """Return a BLEU score where there is one, else the share of exact answers."""
        m = self.metrics
        if "bleu" in m:
            naive = (
                f" where the naive answer has {number(m['bleu_baseline'])}" if "bleu_baseline" in m else ""
            )
            return f"BLEU {number(m['bleu'])}{naive}"
        exact, naive = m["exact_match"], ""
        if "exact_match_baseline" in m:
            naive = f" where the naive answer gives {percent(m['exact_match_baseline'])}"
        return f"{percent(exact, 0 if exact in (0, 1) else 1)} exactly right{naive}"

    def sentences(self) -> list[str]:
        """Return on what it was judged, how sure the figure is, and how much needs an edit."""
        m, wrong = self.metrics, len(self.worst_rows())
        n = judged_on(m["n_test"], self.noun)
        n += (
            f" (95 % interval of the exact answers {span(*self.intervals['exact_match'], 1)})"
            if "exact_match" in self.intervals
            else too_few(self.noun, (sum(row["correct"] for row in self.predictions), m["n_test"]))
        )
        if not wrong:
            return [n + ".", "Every answer is exactly right."]
        rate = m.get("symbol_error_rate", m["character_error_rate"])
        unit = "symbols" if "symbol_error_rate" in m else "characters"
        return [
            n + ".",
            f"{wrong:,} {'answer differs' if wrong == 1 else 'answers differ'} from the true one; {percent(rate, 1)} of all "
            f"{unit} need an edit.",
        ]

    def naive_words(self) -> Markup | None:
        """Say what the naive answer is."""
        if "exact_match_baseline" not in self.metrics:
            return None
        said = self.naive_class or "always the commonest answer of the training part"
        return Markup("The naive answer is {}.").format(said)

    def task_findings(self) -> list[str]:
        """Return whether it is no better than the naive answer, and how many answers were cut."""
        out, m = [], self.metrics
        if "exact_match_baseline" in m and m["character_error_rate"] >= m["character_error_rate_baseline"]:
            out.append("The model is no better than the naive answer: it needs as many edits.")
        if m["n_cut"]:
            out.append(
                f"{m['n_cut']:,} of {m['n_test']:,} answers had not come to their end at the greatest length and were "
                "cut."
            )
        return out

    def worst_words(self) -> str:
        """Say what is listed as the worst mistakes."""
        return "The answers that need the most edits, and where the network looked while it wrote them."

    def worst_rows(self) -> list[dict[str, Any]]:
        """Return the wrong answers, that with the most edits first."""
        return sorted((r for r in self.predictions if not r["correct"]), key=lambda r: -r["edits"])

    def mistakes(self) -> list[dict[str, Any]]:
        """Return every wrong answer, up to `N_MISTAKES`."""
        return [row for row in self.predictions if not row["correct"]][:N_MISTAKES]

    def case(self, row: Mapping[str, Any]) -> Case:
        """Return heading, sentence and attention map of an answer."""
        text = "Exactly right." if row["correct"] else f"Right would be: {row['true']}"
        if row["cut"]:
            text += " (It had not come to its end.)"
        return self.shown(row, f"{row['source']} → {row['predicted']}", text)

    def drawing(self, position: int) -> Markup | None:
        """Draw where the network looked while it wrote an answer."""
        return None if self.attention is None else Markup(self.attention(position).to_svg())

    def inside_pictures(self) -> list[Picture]:
        """Return where the network looked, for some answers spread over the test part; the worst are drawn already."""
        if self.attention is None:
            return super().inside_pictures()
        drawn = {row["sequence"] for row in self.worst_rows()[:N_WORST]}
        left = [i for i, row in enumerate(self.predictions) if row["sequence"] not in drawn]
        spread = np.linspace(0, len(left) - 1, min(N_ATTENTION, len(left))).astype(int)
        chosen = [left[i] for i in spread]
        answers = [self.case(self.predictions[i]) for i in chosen]
        return [Picture(a.svg, f"{a.heading}. {a.text}") for a in answers if a.svg is not None]

    def figure_totals(self) -> Totals:
        """Return of each source the edits its answer needs and the characters of the true one."""
        pairs = list(zip(self.y_true, self.y_pred, strict=True))
        columns = np.array([(edit_distance(t, p), len(t)) for t, p in pairs], dtype=float)
        return Totals(columns, np.arange(len(pairs)), _edits_a_character, "character_error_rate")

    def compare_answers(self, answers: Mapping[str, Any], *, groups: Any, alpha: float) -> Comparison:
        """Compare by exact answers, which are labels of their own."""
        return compare_classification(self.y_true, answers, groups=groups, alpha=alpha)


def _edits_a_character(totals: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.asarray(totals[:, 0] / totals[:, 1])


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
) -> TranslationEvaluation:
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
    metrics["n_cut"] = int(np.sum(cut)) if cut is not None else 0
    rows = []
    for i, (true, predicted, source) in enumerate(zip(y_true, y_pred, sources, strict=True)):
        symbols = (true, predicted) if level == "character" else (true.split(), predicted.split())
        rows.append(
            {
                "sequence": i,
                "name": name_of(names, i),
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
    return TranslationEvaluation(
        metrics=closing(metrics, n_test=len(y_true), train_seconds=train_seconds),
        y_true=list(y_true),
        y_pred=list(y_pred),
        intervals={"exact_match": interval} if interval else {},
        predictions=rows,
        attention=attention,
        context=context or ReportContext(),
    )
