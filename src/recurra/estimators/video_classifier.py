"""One class per clip: frames through an image network, their features through a recurrent one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin

from recurra.errors import DataError, UsageError
from recurra.estimators import frame_inputs
from recurra.estimators.backbones import OWN, Backbone, backbone_of
from recurra.estimators.base import SequenceEstimator
from recurra.estimators.frame_inputs import Watched
from recurra.estimators.inputs import Given
from recurra.estimators.targets import ClassTarget, Target
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.evaluation.explanation import Explanation
from recurra.evaluation.traces import Trace
from recurra.features.chain import Chain
from recurra.records import Dataset
from recurra.serving.video_stream import VideoStream


class VideoClassifier(ClassifierMixin, SequenceEstimator):
    """Recurrent network that gives every clip one class, by what is seen in its frames and in which order.

    An image network that was trained on something else turns each frame into features, which are computed once and
    kept on disk; a bidirectional LSTM learns from them.

    Parameters
    ----------
    backbone : str, path or torch.nn.Module, default="efficientnet-lite0"
        The image network: "efficientnet-lite0", "googlenet", "small-cnn" (trained with the rest), an ``.onnx`` file, or
        a module that takes images of shape (frames, 3, height, width), ImageNet's mean and deviation brought to 0 and 1.
    layer : str or None, default=None
        Which layer of a published image network is read, "stage1" to "stage7" or "inception3a" to "inception5b"; None
        for its last, which knows what is in a picture but not what it looks like in detail.
    grid : int, default=1
        Places a side over which its maps are averaged: 1 for the whole frame, 2 for each quarter by itself, and so on;
        a finer grid tells what is where.
    projection : int or None, default=None
        Numbers that a linear map, trained with the rest, makes of a frame's features before the recurrence; fewer than
        the features make training faster, and a finer grid needs it. None for none.
    frames : int, default=16
        Frames taken of a clip, evenly over it; all where it has fewer.
    rate_hz : float or None, default=None
        Frames taken per second, instead of a count.
    start_seconds : float, default=0.0
        Where a clip begins.
    end_seconds : float or None, default=None
        Where it ends; None for its own end.
    crop : {"centre", "letterbox", "stretch"}, default="centre"
        How a frame becomes a square: its middle, filled up with black, or stretched.
    image_size : int or None, default=None
        Pixels a side; None for what the image network was made for (32 for "small-cnn").
    broken : {"error", "skip"}, default="error"
        A clip that cannot be decoded is an error, or is named in a warning and left out of training and judging.
    cache_dir : path or None, default=None
        Folder of the features that are kept; by default in the user's cache.
    cell : {"rnn", "lstm", "gru"}, default="lstm"
        Recurrent cell.
    hidden_size : int, default=100
        Hidden units per direction and layer.
    num_layers : int, default=1
        Recurrent layers, one on top of the other.
    bidirectional : bool, default=True
        Read every clip in both directions.
    pooling : {"last", "mean", "max", "attention"}, default="last"
        How the states over time become one answer.
    dropout : float, default=0.5
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
    scaling : {"zscore", "robust", "none"}, default="zscore"
        Scaling per channel, learned on the training part.
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
        The trained network as data, and the image network by name and checksum.
    history_ : list of dict
        One flat record per epoch.

    Examples
    --------
    >>> import numpy as np, recurra
    >>> rng = np.random.default_rng(0)
    >>> def clip(up):  # a bright square goes up or down
    ...     frames = rng.integers(0, 40, (6, 16, 16, 3), dtype=np.uint8)
    ...     for t in range(6):
    ...         row = 10 - 2 * t if up else 2 * t
    ...         frames[t, row : row + 5, 4:10] = 255
    ...     return frames
    >>> y = ["up" if i % 2 else "down" for i in range(40)]
    >>> X = [clip(label == "up") for label in y]
    >>> words = dict(backbone="small-cnn", image_size=16, hidden_size=8, max_epochs=15, learning_rate=0.01)
    >>> clf = recurra.VideoClassifier(**words, random_state=0).fit(X, y)
    >>> clf.predict([clip(True), clip(False)]).tolist()
    ['up', 'down']
    """

    def __init__(
        self,
        *,
        backbone: Any = "efficientnet-lite0",
        layer: str | None = None,
        grid: int = 1,
        projection: int | None = None,
        frames: int = 16,
        rate_hz: float | None = None,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        crop: str = "centre",
        image_size: int | None = None,
        broken: str = "error",
        cache_dir: str | os.PathLike[str] | None = None,
        cell: str = "lstm",
        hidden_size: int = 100,
        num_layers: int = 1,
        bidirectional: bool = True,
        pooling: str = "last",
        dropout: float = 0.5,
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
        scaling: str = "zscore",
        memory: str = "full",
        network: Callable[[int, int], Any] | None = None,
        callbacks: Sequence[Any] = (),
        checkpoint_dir: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.grid = grid
        self.projection = projection
        self.frames = frames
        self.rate_hz = rate_hz
        self.start_seconds = start_seconds
        self.end_seconds = end_seconds
        self.crop = crop
        self.image_size = image_size
        self.broken = broken
        self.cache_dir = cache_dir
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
        self.scaling = scaling
        self.memory = memory
        self.network = network
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # ------------------------------------------------------------------ fit

    missing = "error"  # features have no gaps; the base asks for the word

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train; see `SequenceClassifier.fit`.

        Parameters
        ----------
        X : Dataset of kind "video", list of paths, list of arrays, or path of a folder with one sub-folder per class
            A path is a video file or a folder of images; an array holds frames, uint8 of shape (time, height, width, 3).
        y : array-like
            One label per clip; not needed where X has labels.
        groups, sample_weight, validation, resume
            As in `SequenceClassifier.fit`.

        Raises
        ------
        DataError, MissingDataError, UsageError
            Naming the clip or value that cannot be used.
        """
        if not resume and hasattr(self, "model_"):
            del self.model_  # its image network may be another one
        X = frame_inputs.as_clips(X)
        if self.broken == "skip":
            X, y, groups, sample_weight = frame_inputs.without_broken(self, X, y, groups, sample_weight)
            if isinstance(validation, Dataset):
                validation, _ = frame_inputs.without_broken(self, validation)[:2]
        return super().fit(
            X, y, groups=groups, sample_weight=sample_weight, validation=validation, resume=resume
        )

    def _contents(self, X: Any, sequences: list[Any]) -> list[Any]:
        return frame_inputs.contents_of(X)

    def _fit_target(self, given: Given) -> ClassTarget:
        return ClassTarget.fit(type(self).__name__, given.y, given.names)

    def _read(self, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
        return frame_inputs.sequences_of(self, frame_inputs.as_clips(X))

    def _fit_features(self, given: Given) -> Chain:
        # The small network has its own normalisation: pixels stay what they are.
        scaling = "none" if self.backbone == OWN else self.scaling
        return Chain.fit(given.sequences, given.weights, scaling=scaling, missing="error")

    def _front(self, features: Chain) -> dict[str, Any] | None:
        if self.backbone != OWN:
            return None if self.projection is None else {"name": "patches", "size": int(self.projection)}
        return {"name": "small_cnn", "image_size": frame_inputs.image_size(self), "channels": 64}

    def _manifest(self, X: Any, target: Target) -> dict[str, Any]:
        manifest = super()._manifest(X, target)
        params = {k: v for k, v in manifest["params"].items() if k != "cache_dir"}
        if isinstance(self.backbone, str | os.PathLike):  # of a file the whole path, to find it from anywhere
            named = os.fspath(self.backbone)
            params["backbone"] = os.path.abspath(named) if os.path.isfile(named) else named
        else:
            params["backbone"] = "module"
        seen = {"sampling": frame_inputs.video_words(self).sampling, "backbone": None}
        if (network := self._backbone()) is not None:
            seen["backbone"] = network.facts
        return {**manifest, "params": params, "video": seen, "channel_names": None, "sample_rate_hz": None}

    # ------------------------------------------------------------- backbone

    def _backbone(self) -> Backbone | None:
        """Return the image network, the one it was trained with once it is; None where it is trained with the rest."""
        if self.backbone == OWN:
            if self.layer is not None or self.grid != 1 or self.projection is not None:
                raise UsageError(
                    "VideoClassifier: layer, grid and projection are for image networks that are trained already, not "
                    f"for {OWN!r}; got layer={self.layer!r}, grid={self.grid!r}, projection={self.projection!r}."
                )
            return None
        read: dict[str, Any] = {"layer": self.layer, "grid": int(self.grid)}
        attached = self.model_.attached.get("backbone") if hasattr(self, "model_") else None
        if attached is not None:
            name = self.model_.manifest["video"]["backbone"]["name"]
            return backbone_of(name, file=attached.tobytes(), **read)
        return backbone_of(self.backbone, **read)

    def _check_backbone(self, found: Backbone | None) -> None:
        """Raise DataError where this is not the image network that the model was trained with."""
        known = self.model_.manifest["video"]["backbone"] if hasattr(self, "model_") else None
        if known is None or found is None:
            return
        if found.sha256 != known["sha256"]:
            raise DataError(
                f"VideoClassifier: the model was trained with the image network {known['name']!r} of SHA-256 "
                f"{known['sha256']}; backbone has {found.sha256}. Give that one with set_params(backbone=...)."
            )
        read = {"layer": known.get("layer"), "grid": known.get("grid", 1)}
        if (found.layer, found.grid) != (read["layer"], read["grid"]):
            raise UsageError(
                f"VideoClassifier: the model was trained with layer={read['layer']!r} and grid={read['grid']}; got "
                f"layer={found.layer!r} and grid={found.grid}. Train again, or set them back."
            )

    # -------------------------------------------------------------- predict

    def frame_features(self, X: Any) -> list[np.ndarray]:
        """Return what the recurrent network reads of each clip, computed where it is not kept already.

        Parameters
        ----------
        X : as in ``fit``
            Clips.

        Returns
        -------
        list of ndarray of float32, shape (time, channels)
            A row per frame.
        """
        return self._read(X, reset=False)[0]

    def predict(self, X: Any) -> np.ndarray:
        """Predict.

        Parameters
        ----------
        X : as in ``fit``, or one path
            Clips, or the path of one clip or of a folder of clips.

        Returns
        -------
        ndarray of shape (clips,)
            One label per clip, in the order given; of a folder, in order of the names.
        """
        return super().predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class: float32 array of shape (clips, classes)."""
        self._check_fitted()
        return self.model_.predict_proba(*self._read(X, reset=False))

    def evaluate(
        self, X: Any, y: Any = None, *, groups: Any = None, context: ReportContext | None = None
    ) -> Evaluation:
        """Judge on labelled clips; the report shows frames with the probability over time.

        Parameters
        ----------
        X, y, groups, context
            As in `SequenceClassifier.evaluate`.
        """
        self._check_fitted()
        X = frame_inputs.as_clips(X)
        if self.broken == "skip":
            X, y, groups, _ = frame_inputs.without_broken(self, X, y, groups)
        watched = Watched(self, X)
        context = replace(context or ReportContext(), frames=watched.frames)
        return super().evaluate(X, y, groups=groups, context=context)

    def explain(
        self,
        x: Any,
        *,
        method: str = "integrated_gradients",
        target: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> Explanation:
        """Say how much each frame speaks for an answer.

        Parameters
        ----------
        x : path or ndarray of uint8, shape (time, height, width, 3)
            One clip.
        method, target, step, options
            As in `SequenceClassifier.explain`.

        Returns
        -------
        Explanation
            Of kind "video": values of shape (time, features of a frame), the frames as its input; ``per_step`` is what
            each frame contributed.
        """
        self._check_fitted()
        clips = frame_inputs.one_clip(x)
        (sequence,), names = self._read(clips, reset=False)
        found = super().explain(sequence, method=method, target=target, step=step, **options)
        frames = Watched(self, clips).frames(0)
        return replace(found, kind="video", input=frames, name=names[0] if names else "", channel_names=None)

    def trace(self, x: Any, *, name: str = "") -> Trace:
        """Return every gate and state while the network reads the features of one clip.

        Parameters
        ----------
        x : path or ndarray of uint8, shape (time, height, width, 3)
            One clip.
        name : str
            What to call it in pictures.
        """
        self._check_fitted()
        (sequence,), _ = self._read(frame_inputs.one_clip(x), reset=False)
        return super().trace(sequence, name=name)

    def stream(self, *, look_ahead: int | None = None) -> VideoStream:  # type: ignore[override] # takes frames, not rows
        """Begin a clip whose frames come one by one.

        Parameters
        ----------
        look_ahead : int, optional
            For bidirectional networks: answer from the newest ``look_ahead`` + 1 frames; by default as many as were
            taken of a training clip.

        Returns
        -------
        VideoStream
            ``step(frame)`` answers after each frame; ``delay`` says how late.
        """
        self._check_fitted()
        own_network = self.model_.manifest["network"] is None
        if look_ahead is None and (self.bidirectional or own_network):
            look_ahead = int(self.frames) - 1
        return VideoStream(
            self.model_.stream(look_ahead=look_ahead),
            frame_inputs.frame_network(self),
            size=frame_inputs.image_size(self),
            crop=self.crop,
        )

    # ----------------------------------------------------------------- save

    def save(self, path: str | os.PathLike[str], *, include_backbone: bool = False) -> None:
        """Write the model file.

        Parameters
        ----------
        path : path
            Where to.
        include_backbone : bool, default=False
            Write the image network's file into it too; else the file names it, with its checksum.

        Raises
        ------
        UsageError
            If the image network is a module, whose code no file can hold.
        """
        self._check_fitted()
        model = self.model_
        if include_backbone and self.backbone != OWN:
            model = replace(model, attached={"backbone": frame_inputs.backbone_file(self)})
        model.save(path)
