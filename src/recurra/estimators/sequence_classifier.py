"""One class per sequence."""

from recurra.estimators.sequence_estimator import ClassEstimator
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.fitting.tasks.signals import SIGNALS
from recurra.inputs.targets import class_loss, class_target
from recurra.options import SequenceClassifierOptions


class SequenceClassifier(SequenceClassifierOptions, ClassEstimator):
    """Recurrent network that gives every sequence one class.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.

    Examples
    --------
    >>> import numpy as np, recurra
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(loc=i % 2, size=(rng.integers(3, 9), 2)) for i in range(40)]
    >>> y = ["up" if i % 2 else "down" for i in range(40)]
    >>> clf = recurra.SequenceClassifier(hidden_size=8, random_state=0).fit(X, y)
    >>> clf.predict(X[:2]).tolist()
    ['down', 'up']
    """

    task = SequenceTask(SIGNALS, class_target, class_loss)
