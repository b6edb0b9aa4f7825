"""Training: the loop, losses, schedules, stopping, progress. Scores come in as functions.

- `callbacks/`: `Callback`, what a user may do at each moment of training, as plain methods that do nothing
- `checkpoints`: `Checkpoints`, where training stands, kept every so often, after each epoch and at Ctrl-C; `newest`
- `closed_form`: A linear map found in one step, by ridge regression, and the temperature its class scores are divided by
- `config`: `TrainingConfig`, everything that decides how a network is trained
- `distributed/`: One training on several processes, its gradients added in a fixed order
- `failures`: Why training could not go on, in words: a number that is not finite, or no memory left
- `gradient_record`: How far gradients reach, recorded now and then while training
- `language_modelling`: Training on one long text: parallel streams, truncated backpropagation, a state carried on
- `loop`: `train`: a network is trained in place, and has good weights whatever the end is
- `losses`: Losses as functions (outputs, targets, weights) -> scalar: the weighted mean over rows
- `optimizers`: Optimizers by name or by class: torch's, in the variant that is fastest on the CPU
- `run`: `Run`, the loop over epochs and batches, in small named steps; what callbacks are handed
- `schedules/`: What changes while training goes on: the learning rate, the lengths, and when it ends
- `state`: The state of a training run as plain data, and an optimizer's state in the same form
- `validation`: What a network says about examples that it is not trained on
"""
