"""One or several numbers per sequence, or per time step."""

from recurra.estimators.sequence_estimator import NumberEstimator
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.signals import SIGNALS
from recurra.inputs.targets import number_loss, number_target
from recurra.options import SequenceRegressorOptions


class SequenceRegressor(SequenceRegressorOptions, NumberEstimator):
    """Recurrent network that gives every sequence, or every time step, one number or several.

    With y a list of arrays of shape (time,) or (time, targets), one for each sequence, the network answers at every
    step, and ``pooling`` is not used. The scaling of the targets is undone in every answer.
    """

    task = SequenceTask(SIGNALS, number_target, number_loss)
