"""One class per sequence."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from recurra.estimators.base import SequenceEstimator
from recurra.estimators.inputs import Given
from recurra.estimators.targets import ClassTarget


class SequenceClassifier(ClassifierMixin, SequenceEstimator):
    """Recurrent network that gives every sequence one class.

    Parameters
    ----------
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=100
        Hidden units per direction and layer.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    bidirectional : bool, default=False
        Read every sequence in both directions.
    pooling : {"last", "mean", "max", "attention"}, default="last"
        How the states over time become one answer.
    dropout : float, default=0.0
        Share of features in [0, 1) zeroed in training, between layers and before the output.
    initialization : {"default", "chrono", "identity", "torch"}, default="default"
        How weights begin: orthogonal recurrent weights, Glorot inputs and forget bias 1; gates spread over memories up
        to the longest training sequence; identity recurrent weights with ReLU in place of tanh (cell="rnn" only);
        torch's own. Sources in `recurra.nn.initialize`.
    optimizer : {"adam", "adamw", "sgd", "rmsprop"} or torch.optim.Optimizer subclass, default="adam"
        How weights are changed.
    learning_rate : float, default=0.002
        Its step.
    lr_schedule : {"constant", "step", "cosine", "plateau", "onecycle", "warmup"} or dict, default="constant"
        How the learning rate changes; a dictionary holds the ``name`` and its options.
    weight_decay : float, default=0.0
        Weight decay of the optimizer.
    max_epochs : int, default=50
        Passes over the training data at most.
    batch_size : int, default=32
        Sequences per training step.
    grad_clip : float or None, default=1.0
        Largest global norm of the gradient.
    curriculum : int, dict or None, default=None
        Training begins with sequences up to this length and takes in longer ones as it goes on; a dictionary holds
        ``start`` and the other fields of `recurra.training.curriculum.Curriculum`.
    class_weight : None, "balanced" or dict of class to weight, default=None
        Weight of each class in the loss.
    validation_fraction : float, default=0.1
        Share held out for early stopping, by group where groups are given; 0 switches off. Where it would hold fewer
        than 25 sequences, or there are fewer than 5 groups, nothing is held out.
    patience : int or None, default=10
        Epochs without a better validation loss before training stops; the best weights are kept.
    features : str, sequence of str, dict or None, default=None
        What is computed from a signal before it is scaled, such as "spectral" or ["statistics", "band_powers"]; a
        dictionary holds ``name`` and options such as ``window_s``; see `recurra.features.parts`.
    frontend : {"convolution", "patches"}, dict or None, default=None
        Trainable layers over windows of the signal, before the recurrence; a dictionary holds the ``name`` and its
        options; see `recurra.estimators.frontend`.
    tbptt : int or None, default=None
        Rows after which backpropagation is cut in training, while the state goes on.
    scaling : {"zscore", "robust", "none"}, default="zscore"
        Scaling per channel, learned on the training part.
    missing : {"error", "mask"}, default="error"
        NaN is an error, or is filled with the channel's last value and marked in a mask channel.
    memory : {"full", "sqrt"}, default="full"
        What training keeps of a sequence: the gates of every step, or the states between segments of about
        4 sqrt(T) steps, from which the rest is computed again. Very long sequences need "sqrt".
    network : callable (input_size, output_size) -> torch.nn.Module, optional
        An own design; called with a `Ragged` of torch values.
    callbacks : sequence of recurra.training.callbacks.Callback, default=()
        Called during training.
    checkpoint_dir : path or None, default=None
        Folder for checkpoints of the training; ``fit(..., resume=True)`` goes on from the newest.
    device : str, default="cpu"
        torch device to train on; prediction is on the CPU.
    random_state : int, RandomState, Generator or None, default=None
        Decides everything random; global generators are never touched.
    verbose : {0, 1, 2}, default=1
        Silent; a progress line on a terminal; one log line per epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    model_ : FittedModel
        The trained network as data.
    history_ : list of dict
        One flat record per epoch.

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

    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 100,
        num_layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        dropout: float = 0.0,
        initialization: str = "default",
        optimizer: Any = "adam",
        learning_rate: float = 0.002,
        lr_schedule: Any = "constant",
        weight_decay: float = 0.0,
        max_epochs: int = 50,
        batch_size: int = 32,
        grad_clip: float | None = 1.0,
        curriculum: Any = None,
        class_weight: Any = None,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        features: Any = None,
        frontend: Any = None,
        tbptt: int | None = None,
        scaling: str = "zscore",
        missing: str = "error",
        memory: str = "full",
        network: Callable[[int, int], Any] | None = None,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.initialization = initialization
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.grad_clip = grad_clip
        self.curriculum = curriculum
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.features = features
        self.frontend = frontend
        self.tbptt = tbptt
        self.scaling = scaling
        self.missing = missing
        self.memory = memory
        self.network = network
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _fit_target(self, given: Given) -> ClassTarget:
        return ClassTarget.fit(type(self).__name__, given.y, given.names)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class: float32 array of shape (sequences, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(*self._read(X, reset=False))
