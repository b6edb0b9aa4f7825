"""An evaluation in words: how good, compared with what, where it is weakest, and whether to trust it."""

from typing import Any

import numpy as np
from scipy.stats import binomtest

from recurra.checks import listing
from recurra.evaluation.charts import confused_pairs, is_number, number
from recurra.evaluation.evaluation import Evaluation

# Below these a figure is called uncertain; conventions of this report, not of statistics.
FEW_SEQUENCES = 30
FEW_OF_A_CLASS = 5
WIDE_INTERVAL = 0.2
POOR_CALIBRATION = 0.1
TOO_FEW = " (too few sequences or groups to tell how sure the figure is)"


def percent(share: float, digits: int = 0) -> str:
    """Return ``97 %``, with a digit where rounding would claim a perfect or an empty share."""
    for d in (digits, digits + 1, digits + 2):
        text = f"{100 * share:.{d}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            break
    return f"{text} %"


def span(low: float, high: float, digits: int = 0) -> str:
    """Return ``87.1 to 93.1 %``."""
    return f"{percent(low, digits).removesuffix(' %')} to {percent(high, digits)}"


def headline(e: Evaluation) -> str:
    """One line: the figure beside the naive one."""
    m = e.metrics
    if e.task == "regression":
        text = f"Off by {number(m['mae'])} on average"
        return text + (
            f" where always answering the median is off by {number(m['mae_baseline'])}"
            if "mae_baseline" in m
            else ""
        )
    if e.task == "translation":
        return _answers_headline(m)
    unit = " of the time steps" if e.task == "labeling" else ""
    text = f"{percent(m['accuracy'])}{unit} right"
    return text + (
        f" where guessing gives {percent(m['accuracy_baseline'])}" if "accuracy_baseline" in m else ""
    )


def _answers_headline(m: dict[str, Any]) -> str:
    """A BLEU score where there is one, else the share of exact answers."""
    if "bleu" in m:
        naive = f" where the naive answer has {number(m['bleu_baseline'])}" if "bleu_baseline" in m else ""
        return f"BLEU {number(m['bleu'])}{naive}"
    naive = f" where the naive answer gives {percent(m['exact_match_baseline'])}"
    exact = m["exact_match"]
    return f"{percent(exact, 0 if exact in (0, 1) else 1)} exactly right{naive if 'exact_match_baseline' in m else ''}"


def _answers(e: Evaluation) -> list[str]:
    """Sentences on answers that are texts."""
    m, wrong = e.metrics, sum(not row["correct"] for row in e.predictions)
    n = f"Judged on {m['n_test']:,} test {'source' if m['n_test'] == 1 else 'sources'}"
    n += (
        f" (95 % interval of the exact answers {span(*e.intervals['exact_match'], 1)})"
        if "exact_match" in e.intervals
        else TOO_FEW
    )
    if not wrong:
        return [n + ".", "Every answer is exactly right."]
    rate = m.get("symbol_error_rate", m["character_error_rate"])
    unit = "symbols" if "symbol_error_rate" in m else "characters"
    return [
        n + ".",
        f"{wrong:,} answers differ from the true one; {percent(rate, 1)} of all {unit} need an edit.",
    ]


def summary(e: Evaluation) -> list[str]:
    """Sentences: on what it was judged and how sure the figure is, then where the model is weakest."""
    if e.task == "translation":
        return _answers(e)
    m = e.metrics
    n = f"Judged on {m['n_test']:,} test {'sequence' if m['n_test'] == 1 else 'sequences'}"
    if e.task == "regression":
        low, high = e.intervals.get("mae", (0.0, 0.0))
        n += f" (95 % interval {number(low)} to {number(high)})" if "mae" in e.intervals else TOO_FEW
        out = [n + "."]
        if "r2" in m:
            out.append(f"It explains {percent(max(0.0, m['r2']))} of the variance.")
        return out
    if "n_test_steps" in m:
        n += f" with {m['n_test_steps']:,} time steps"
    low, high = e.intervals.get("accuracy", (0.0, 1.0))
    n += f" (95 % interval {span(low, high, 1)})" if "accuracy" in e.intervals else TOO_FEW
    return [n + ".", *_weakest(e, "time steps" if e.task == "labeling" else "sequences")]


def _weakest(e: Evaluation, items: str) -> list[str]:
    rows = [r for r in e.tables["per_class"] if r["recall"] is not None]
    worst = min(rows, key=lambda r: (r["recall"], -r["support"]))
    if worst["recall"] == 1.0:
        return ["Every class is always found."]
    out = [
        f"Weakest at class '{worst['class']!s}': {worst['hits']:,} of {worst['support']:,} found "
        f"({percent(worst['recall'])})."
    ]
    pairs = confused_pairs(e.confusion, classes=e.classes) if e.confusion is not None else []
    if pairs:
        true, predicted, n, of = pairs[0]
        out.append(f"Most frequent confusion: '{true!s}' taken for '{predicted!s}', {n:,} of {of:,} {items}.")
    return out


def findings(e: Evaluation) -> list[str]:
    """Reasons to read the figures with care, each one sentence; empty if none was found."""
    out = [*(e.context.leaks or ()), *e.context.warnings]
    n = e.metrics["n_test"]
    if e.task == "regression":
        if "rmse_baseline" in e.metrics and e.metrics["rmse"] >= e.metrics["rmse_baseline"]:
            out.append(
                "The model is no better than the naive answer: always the training mean has no larger error."
            )
    elif e.task == "translation":
        out += _answer_findings(e)
    else:
        out += _class_findings(e)
    if n < FEW_SEQUENCES:
        out.append(
            f"The test part has only {n} {'sequence' if n == 1 else 'sequences'}; another part could give "
            f"quite another figure."
        )
    low, high = e.intervals.get("accuracy", (0.0, 0.0))
    if high - low > WIDE_INTERVAL:
        out.append(
            f"The 95 % interval of the accuracy is {100 * (high - low):.0f} points wide; more test data "
            f"would narrow it."
        )
    return out + _training_findings(e)


def _answer_findings(e: Evaluation) -> list[str]:
    out = []
    m = e.metrics
    if "exact_match_baseline" in m and m["character_error_rate"] >= m["character_error_rate_baseline"]:
        out.append("The model is no better than the naive answer: it needs as many edits.")
    if m["n_cut"]:
        out.append(
            f"{m['n_cut']:,} of {m['n_test']:,} answers had not come to their end at the greatest length and were cut."
        )
    return out


def better_than_naive(e: Evaluation) -> float | None:
    """Exact one-sided p-value that the model beats the naive answer on these sequences; None if it cannot be
    told.

    Sign test over the sequences on which just one of the two is right (McNemar's, exact).
    """
    if e.task != "classification" or "accuracy_baseline" not in e.metrics:
        return None
    right = np.array([t == p for t, p in zip(e.y_true, e.y_pred, strict=True)])
    naive = np.array([t == e.naive_class for t in e.y_true])
    model_only, naive_only = int((right & ~naive).sum()), int((~right & naive).sum())
    if model_only + naive_only == 0:
        return 1.0
    return float(binomtest(model_only, model_only + naive_only, 0.5, alternative="greater").pvalue)


def _class_findings(e: Evaluation) -> list[str]:
    out = []
    p = better_than_naive(e)
    if e.metrics["accuracy"] <= e.metrics.get("accuracy_baseline", -1.0):
        out.append(
            "The model is no better than the naive answer: always the commonest training class is right as "
            "often."
        )
    elif p is not None and p > 0.05:
        out.append(f"That the model beats the naive answer may be chance (exact test, p = {p:.2g}).")
    rows = e.tables["per_class"]
    if e.unknown_classes:
        n = sum(r["support"] for r in rows if r["class"] in e.unknown_classes)
        out.append(
            f"The test part has labels the model was never trained on: {listing(e.unknown_classes)} ({n:,} "
            f"items, always counted as wrong)."
        )
    absent = [r["class"] for r in rows if r["support"] == 0]
    if absent:
        out.append(f"Classes without a test item, so not judged: {listing(absent)}.")
    few = [r["class"] for r in rows if 0 < r["support"] < FEW_OF_A_CLASS]
    if few and e.task == "classification":
        out.append(
            f"Classes with fewer than {FEW_OF_A_CLASS} test sequences, so hardly judged: {listing(few)}."
        )
    if e.metrics["n_test"] >= FEW_SEQUENCES and e.metrics["calibration_error"] > POOR_CALIBRATION:
        sure = sum(row["n"] * row["confidence"] for row in e.tables["reliability"])
        n = sum(row["n"] for row in e.tables["reliability"])
        claim = "too sure" if sure / n > e.metrics["accuracy"] else "less sure than it could be"
        wrong_by = 100 * e.metrics["calibration_error"]
        out.append(
            f"It is {claim}: its probabilities are off by {wrong_by:.0f} points on average; do not read "
            f"them as chances."
        )
    return out


def _training_findings(e: Evaluation) -> list[str]:
    history: list[Any] = [row for row in e.context.history if is_number(row.get("train_loss"))]
    out = []
    judged = any(
        is_number(row.get("valid_loss")) for row in history
    )  # else the last epoch is kept, best or not
    if (
        judged
        and len(history) >= 5
        and e.context.best_epoch is not None
        and e.context.best_epoch >= history[-1]["epoch"]
    ):
        out.append("The last epoch was the best: training longer may help.")
    clipped = [row["clipped_share"] for row in history if is_number(row.get("clipped_share"))]
    if clipped and np.mean(clipped) > 0.5:
        out.append(
            f"{percent(float(np.mean(clipped)))} of the gradients were clipped: try a smaller learning rate."
        )
    return out
