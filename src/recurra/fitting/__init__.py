"""How estimators are trained.

- `fit`: the one `fit`, top to bottom.
- `task`: what differs between estimators, as the steps of a task, and what they hand to each other.
- `train_member`: one network trained.
- `budget`: what is done with ``budget_s``.
- `overlap`: what a model was trained on, and what an evaluation says of it.
- `frontend`: what ``frontend=`` says.
- `option_checks`: ranges of options, and options that exclude each other.
- `text_inputs`: options of texts, once they are decided, handed to `Words`; pretrained vectors; layers that read them.
- `resuming`: checkpoints: which one to go on from, and whether it is of the same data and options.
- `manifest`: what every model file says of its origin.
- `own_network`: networks of the user's own.
- `tasks/`: the steps that differ, one file per kind of task.
"""
