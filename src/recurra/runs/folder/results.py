"""What a run writes at its end: report, figures, metrics, digests of the training data, and last the model."""

from collections.abc import Mapping
from typing import Any

from recurra.runs.folder.files import FIGURES, METRICS, MODEL, REPORT, TRAINED_ON, RunFolder


def write_results(run: RunFolder, estimator: Any, evaluation: Any, metrics: Mapping[str, Any]) -> None:
    """Write the results; the model file comes last and says that the run is whole."""
    if evaluation is not None:
        evaluation.save(run.to_write(REPORT))
        write_figures(run, evaluation)
    run.write_json(METRICS, metrics)
    estimator.trained_on_.save(run.to_write(TRAINED_ON))
    run.settle_history()
    estimator.save(run.to_write(MODEL))


def write_figures(run: RunFolder, evaluation: Any) -> None:
    """Write learning curves and the chart of the mistakes as SVG, as they stand in the report."""
    from recurra.evaluation.drawing.picture import Drawing

    run.to_write(FIGURES).mkdir(exist_ok=True)

    def save(svg: str, name: str) -> None:
        Drawing.of_chart(svg).save(run.to_write(f"{FIGURES}/{name}.svg"))

    if evaluation.context.learning_curves:
        save(evaluation.context.learning_curves, "learning-curves")
    for name, svg in evaluation.figures().items():
        save(svg, name)
