"""What a run writes at its end: report, figures, metrics, digests of the training data, and last the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.runs.folder.files import FIGURES, METRICS, MODEL, REPORT, TRAINED_ON, RunFolder
from recurra.store import write_text


def write_results(run: RunFolder, estimator: Any, evaluation: Any, metrics: Mapping[str, Any]) -> None:
    """Write the results; the model file comes last and says that the run is whole."""
    if evaluation is not None:
        evaluation.save(run.to_write(REPORT))
        write_figures(run, evaluation, estimator)
    run.write_json(METRICS, metrics)
    estimator.trained_on_.save(run.to_write(TRAINED_ON))
    run.settle_history()
    estimator.save(run.to_write(MODEL))


def write_figures(run: RunFolder, evaluation: Any, estimator: Any) -> None:
    """Write learning curves and the chart of the mistakes as SVG."""
    from recurra.evaluation import charts
    from recurra.evaluation.evaluation import Evaluation

    run.to_write(FIGURES).mkdir(exist_ok=True)

    def figure(name: str) -> Path:
        return run.to_write(f"{FIGURES}/{name}.svg")

    if estimator.history_:
        score = charts.find_score(estimator.history_)
        svg = charts.learning_curves(estimator.history_, best_epoch=estimator.best_epoch_, score=score)
        write_text(figure("learning-curves"), svg)
    if not isinstance(evaluation, Evaluation):
        for name, svg in evaluation.figures().items():
            write_text(figure(name), svg)
        return
    if evaluation.confusion is not None:
        items = "time steps" if evaluation.task == "labeling" else "sequences"
        svg = charts.confusion_chart(evaluation.confusion, classes=evaluation.classes, items=items)
        write_text(figure("confusion"), svg)
    for column, row in enumerate(evaluation.tables.get("per_target", [])):
        true, predicted = evaluation.y_true[:, column], evaluation.y_pred[:, column]
        name = "predicted-against-true" + (f"-{column + 1}" if column else "")
        write_text(figure(name), charts.predicted_against_true(true, predicted, target=row["target"]))
