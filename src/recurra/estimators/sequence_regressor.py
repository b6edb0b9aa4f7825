"""One or several numbers per sequence, or per time step."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from recurra.errors import UsageError
from recurra.estimators.base import SequenceEstimator
from recurra.estimators.inputs import Given
from recurra.estimators.targets import NumberTarget, Target


class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """Recurrent network that gives every sequence, or every time step, one number or several.

    With y a list of arrays of shape (time,) or (time, targets), one for each sequence, the network answers at every
    step, and ``pooling`` is not used. The scaling of the targets is undone in every answer.

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
    loss : {"mse", "mae", "quantile"}, default="mse"
        What is minimised; "quantile" gives the ``quantiles``, and ``predict`` the median.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        With loss="quantile", rising.
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
    model_ : FittedModel
        The trained network as data.
    history_ : list of dict
        One flat record per epoch.
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
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        features: Any = None,
        frontend: Any = None,
        tbptt: int | None = None,
        scaling: str = "zscore",
        missing: str = "error",
        memory: str = "full",
        loss: str = "mse",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
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
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.features = features
        self.frontend = frontend
        self.tbptt = tbptt
        self.scaling = scaling
        self.missing = missing
        self.memory = memory
        self.loss = loss
        self.quantiles = quantiles
        self.network = network
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _fit_target(self, given: Given) -> NumberTarget:
        quantiles = [float(q) for q in self.quantiles] if self.loss == "quantile" else []
        if self.loss not in ("mse", "mae", "quantile"):
            raise UsageError(
                f"{type(self).__name__}: loss must be 'mse', 'mae' or 'quantile'; got {self.loss!r}."
            )
        if self.loss == "quantile" and (not quantiles or quantiles != sorted(set(quantiles))):
            raise UsageError(f"{type(self).__name__}: quantiles must rise; got {quantiles}.")
        lengths = [len(sequence) for sequence in given.sequences]
        return NumberTarget.fit(type(self).__name__, given.y, lengths, quantiles=quantiles)

    def _loss(self, target: Target, weight_of_class: Any) -> Any:
        from recurra.training import losses

        if self.loss == "mse":
            return losses.mean_squared_error
        return losses.observed(self.loss, getattr(target, "quantiles", ()))

    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Predict the quantiles, where the loss was "quantile".

        Returns
        -------
        ndarray of shape (sequences, quantiles) or (sequences, targets, quantiles)
            An object array of such arrays with numbers per time step.
        """
        self._check_fitted()
        if not self.model_.manifest["target"].get("quantiles"):
            raise UsageError(f"{type(self).__name__}: has no quantiles. Train with loss='quantile'.")
        return self.model_.predict_quantiles(*self._read(X, reset=False))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R2, over all time steps with numbers per step; a sequence's weight counts for each of its steps."""
        predicted = self.predict(X)
        if predicted.dtype != object:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        lengths = [len(own) for own in predicted]
        weights = None if sample_weight is None else np.repeat(np.asarray(sample_weight), lengths)
        true = np.concatenate([np.asarray(own) for own in y])
        return float(r2_score(true, np.concatenate(list(predicted)), sample_weight=weights))
