"""One class per clip: frames through an image network, their features through a recurrent one."""

import os
from dataclasses import replace
from typing import Any, Self

import numpy as np

from recurra.errors import DataError, UsageError
from recurra.fitting.inputs import clips as frame_inputs
from recurra.fitting.inputs.backbones import OWN, Backbone, backbone_of
from recurra.fitting.inputs.clips import Watched
from recurra.fitting.inputs.sequences import Given
from recurra.estimators.sequence_estimator import ClassEstimator
from recurra.fitting.targets import Target
from recurra.evaluation.evaluation import Evaluation, ReportContext
from recurra.evaluation.explanation import Explanation
from recurra.evaluation.traces import Trace
from recurra.features.chain import Chain
from recurra.options import VideoClassifierOptions
from recurra.records import Dataset
from recurra.serving.video_stream import VideoStream


class VideoClassifier(VideoClassifierOptions, ClassEstimator):
    """Recurrent network that gives every clip one class, by what is seen in its frames and in which order.

    An image network that was trained on something else turns each frame into features, which are computed once and
    kept on disk; a bidirectional LSTM learns from them.

    Attributes
    ----------
    classes_ : ndarray of shape (classes,)
        Labels in the order of the probabilities.
    model_ : FittedModel
        The trained network as data, and the image network by name and checksum.

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

    # ------------------------------------------------------------------ fit

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
