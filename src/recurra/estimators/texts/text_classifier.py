"""One class per text."""

from recurra.estimators.sequence_estimator import ClassEstimator
from recurra.estimators.texts.text_estimator import TextEstimator
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.texts import TEXTS
from recurra.inputs.targets import class_loss, class_target
from recurra.options import TextClassifierOptions


class TextClassifier(TextClassifierOptions, TextEstimator, ClassEstimator):
    """Recurrent network that reads a text and gives it one class.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    vocabulary_ : dict of str to int
        Number of each known token.
    coverage_ : float
        Share of the different words of the training texts that have a pretrained vector; 1 where none are used.
    cut_ : int
        Training texts of more than ``max_tokens`` tokens.

    Examples
    --------
    >>> import recurra
    >>> texts = ["oil leaks out", "it is leaking oil", "no power at all", "the power is gone"] * 5
    >>> labels = ["leak", "leak", "power", "power"] * 5
    >>> clf = recurra.TextClassifier(hidden_size=8, embedding_size=8, max_epochs=30, random_state=0, verbose=0)
    >>> clf.fit(texts, labels).predict(["oil is leaking"]).tolist()
    ['leak']
    """

    task = SequenceTask(TEXTS, class_target, class_loss)
