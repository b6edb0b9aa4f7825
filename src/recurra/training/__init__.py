"""Training: the loop, losses, schedules, stopping, progress. Scores come in as functions.

- `callbacks`: `Callback`, what a user may do at each moment of training, as plain methods that do nothing
- `checkpoints`: `Checkpoints`, where training stands, kept in a folder while it goes on; `newest`, what to go on from
- `closed_form`: A linear map found in one step: ridge regression, its strength chosen by leaving each sequence out
- `config`: `TrainingConfig`, everything that decides how a network is trained
- `curriculum`: Lengths that grow: training begins with short sequences and takes in longer ones as it succeeds
- `failures`: Why training could not go on, in words: a number that is not finite, or no memory left
- `gradient_record`: A small record of how far gradients reach, taken now and then while training
- `loop`: `train`, the loop over epochs and batches, in small named steps
- `losses`: Losses as functions (outputs, targets, weights) -> scalar: the weighted mean over rows
- `mlflow`: `MLflow`, the settings and the history of a training as a run of MLflow
- `optimizers`: Optimizers by name or by class: torch's, in the variant that is fastest on the CPU
- `progress`: What the user sees of training, on standard error: a live line, or a log line an epoch
- `schedules`: Learning-rate schedules: pure functions from how far training is to a factor of the learning rate
- `state`: The state of a training run as plain data, and an optimizer's state in the same form
- `stopping`: When training stops before its last epoch: no lower validation loss for a while
- `tensorboard`: `TensorBoard`, the history of a training as scalars that TensorBoard draws
- `text_streams`: Training on one long text: parallel streams, truncated backpropagation, a state that is carried on
- `validation`: What a network says about examples that it is not trained on
"""
