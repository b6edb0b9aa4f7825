"""How estimators are trained, and what is done with a trained one that needs its training.

- `fit`: the one `fit`, top to bottom.
- `task`: what differs between estimators, as the steps of a task, and what they hand to each other.
- `train_member`: one network trained.
- `budget`: what is done with ``budget_s``.
- `overlap`: what a model was trained on, and what an evaluation says of it.
- `recipe`: what is decided where no option is given: epochs, pooling, wide part; else `recurra.options` holds.
- `targets`: one class, one class per step, or numbers as the network learns them, with the loss that teaches it.
- `frontend`: what ``frontend=`` says.
- `option_checks`: ranges of options, and options that exclude each other.
- `resuming`: checkpoints: which one to go on from, and whether it is of the same data and options.
- `manifest`: what every model file says of its origin.
- `own_network`: networks of the user's own.
- `tasks/`: the steps that differ, one file per kind of task.
- `inputs/`: what users pass as X and y becomes sequences, series, clips, pairs, words.
- `evaluating/`: a fitted model on labelled data becomes an evaluation.
- `forecasts/`: what a forecaster needs beside its network.
- `explanations/`: explanations, traces and gradients of a fitted estimator.
"""
