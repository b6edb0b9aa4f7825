"""One number per text, or several."""

from recurra.estimators.sequence_estimator import NumberEstimator
from recurra.estimators.texts.text_estimator import TextEstimator
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.texts import TEXTS
from recurra.inputs.targets import number_loss, number_target
from recurra.options import TextRegressorOptions


class TextRegressor(TextRegressorOptions, TextEstimator, NumberEstimator):
    """Recurrent network that reads a text and gives it one number, or several, such as a price or a score.

    The scaling of the targets is undone in every answer.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Number of each known token.
    coverage_ : float
        Share of the different words of the training texts that have a pretrained vector; 1 where none are used.
    cut_ : int
        Training texts of more than ``max_tokens`` tokens.

    Examples
    --------
    >>> import recurra
    >>> texts = ["it is superb", "it is fine", "it is poor", "it is awful"] * 8
    >>> reg = recurra.TextRegressor(hidden_size=8, learning_rate=0.03, max_epochs=40, random_state=0, verbose=0)
    >>> reg.fit(texts, [5.0, 4.0, 2.0, 1.0] * 8).predict(["it is awful", "it is superb"]).round().tolist()
    [1.0, 5.0]
    """

    task = SequenceTask(TEXTS, number_target, number_loss)
