"""One class per task for how good a model is on some data.

- `anomalies`: `AnomalyEvaluation`, scores per time step, the segments they give, and how well they find what is labelled
- `backtest`: `Backtest`, forecasts from rolling origins beside what came true and beside the naive forecasts
- `cases`: `CaseEvaluation`, a result case by case, beside a naive answer
- `classification`: One label a sequence: its result, `ClassificationEvaluation`, how it is judged, and the worst mistakes
- `comparison`: Two or more runs on the same test sequences: is the difference more than noise?
- `evaluation`: `Evaluation`, what the result of every task can say, show and write
- `label_evaluation`: `LabelEvaluation`, what classification and labeling share
- `labeling`: One label a time step: its result, `LabelingEvaluation`, and how it is judged
- `regression`: One or several numbers a sequence: their result, `RegressionEvaluation`, and how they are judged
- `step_regression`: Numbers a time step: their result, `StepRegressionEvaluation`, and how they are judged
- `text_generation`: How well a network foretells a text: figures and samples as a page
- `translation`: One text a source: its result, `TranslationEvaluation`, and how it is judged
"""
