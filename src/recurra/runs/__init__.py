"""Runs: what `recurra.train` and the other functions beside the commands do; nothing here knows a terminal.

- `plan`: what is decided before training starts, and the data and the estimator it leads to.
- `config`: the content of ``config.json``.
- `tasks`: which estimator learns a task on data of a kind.
- `command_line`: options as the command line and ``config.json`` write them.
- `train`: `recurra.train`, a new run.
- `resume`: a run that was interrupted or killed goes on.
- `execute`: training, judging and writing as planned, for both, and the words after Ctrl-C.
- `evaluate`: `recurra.evaluate`, the network of a run judged anew.
- `predict`: rows of predictions of a run.
- `explain`: which values speak for a prediction, as files beside a run.
- `exports/`: the network of a run as a file that runs elsewhere.
- `compare`: runs side by side on the same test sequences.
- `look`: `recurra.look`, what is in data before training on them.
- `answers/`: what a network answers, beyond rows of predictions.
- `data/`: reading data, splitting them, telling whether they are the same still.
- `folder/`: the run folder, who writes into it, its small files.
- `many_files/`: predictions of many files, by several processes.
- `search/`: `recurra.tune`, options searched for, by several processes at one search.
- `workers/`: several processes at one task, this one among them.
- `stream/`: rows and frames that come one after another, answered at once.
"""
