"""`Callback`: what a user may do at each moment of training, as plain methods that do nothing.

A run (`recurra.training.run.Run`) tells where training stands: ``run.epoch`` (from 1), ``run.batch``
(batches finished in it), ``run.history``, ``run.network``, ``run.config``, ``run.last_loss``,
``run.last_grad_norm``. A callback ends training with ``run.ask_to_stop()`` and takes a checkpoint with
``run.state()``.

- `control`: `ControlFile`, a file by which a training is stopped, paused and given more epochs while it runs
- `mlflow`: `MLflow`, the settings and the history of a training as a run of MLflow
- `progress`: What the user sees of training, on standard error: a live line, or a log line an epoch
- `tensorboard`: `TensorBoard`, the history of a training as scalars that TensorBoard draws
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recurra.batches.examples import Batch
    from recurra.training.run import Run
    from recurra.training.state import TrainingResult


class Callback:
    """Override any of these; random numbers drawn here come from wherever you draw them and do not change training."""

    def on_train_begin(self, run: "Run") -> None:
        """Before the first batch, also when a stopped run goes on."""

    def on_epoch_begin(self, run: "Run") -> None:
        """Before the first batch of an epoch."""

    def on_batch_begin(self, run: "Run", batch: "Batch") -> None:
        """Before a batch is computed."""

    def on_batch_end(self, run: "Run") -> None:
        """After the weights were changed; ``run.state()`` can be taken."""

    def on_epoch_end(self, run: "Run") -> None:
        """After validation; ``run.history[-1]`` is this epoch's, ``run.state()`` can be taken."""

    def on_train_end(self, run: "Run", result: "TrainingResult") -> None:
        """After the last epoch, the best weights in the network; not after an error or Ctrl-C."""

    def on_interrupt(self, run: "Run") -> None:
        """After Ctrl-C; ``run.state()`` is where training would go on, or None after a second, impatient
        one.
        """

    def on_error(self, run: "Run", error: Exception) -> None:
        """When training ends with an error, the last good weights in the network; the error goes on
        afterwards.
        """
