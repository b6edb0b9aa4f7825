"""How estimators are trained, and what is done with a trained one that needs its training.

`fit.py`: the one `fit`, top to bottom.
`train_member.py`: one network trained. `held_out.py`: which records decide early stopping.
`budget.py`: what is done with ``budget_s``.
`task.py`: what differs between estimators, as the steps of a task, and what they hand to each other.
`tasks/`: one file per kind of task: sequences (with `signals`, `texts`, `clips` as ways of reading and `answers` as what
is answered), series, anomalies, pairs, language.
`inputs/`: what users pass as X and y becomes sequences, series, clips, pairs, words.
`targets.py`: classes and numbers as the network learns them.
`recipe.py`: what is decided where no option of network and training is given.
`frontend.py`: what ``frontend=`` says.
`option_checks.py`: ranges of options, and options that exclude each other.
`resuming.py`: checkpoints: which one to go on from, and whether it is of the same data and options.
`manifest.py`: what every model file says of its origin.
`overlap.py`: what a model was trained on, and what an evaluation says of it.
`own_network.py`: networks of the user's own.
`judge.py`, `judge_pairs.py`: a fitted model on labelled data becomes an evaluation.
`forecasts/`: the weight of the statistical forecast, intervals, going on with new observations, rolling origins.
`explanations/`: explanations, traces and gradients of a fitted estimator.
"""
