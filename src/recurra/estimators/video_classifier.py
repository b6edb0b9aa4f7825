"""One class per clip: frames through an image network, their features through a recurrent one."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from recurra.estimators.sequence_estimator import ClassEstimator
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.traces import Trace
from recurra.fitting.tasks.clips import CLIPS
from recurra.fitting.tasks.sequences import SequenceTask
from recurra.inputs import clips
from recurra.inputs.backbones import OWN
from recurra.inputs.targets import class_loss, class_target
from recurra.options import VideoClassifierOptions
from recurra.records import Dataset
from recurra.serving.streams.video_stream import VideoStream


class VideoClassifier(VideoClassifierOptions, ClassEstimator):
    """Recurrent network that gives every clip one class, by what is seen in its frames and in which order.

    An image network that was trained on something else turns each frame into features, which are computed once and
    kept on disk; a bidirectional LSTM learns from them. Every method takes clips as ``fit`` does, ``predict`` the path of
    one clip as well.

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

    task = SequenceTask(CLIPS, class_target, class_loss)

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        static: Any = None,
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
        static : None
            Clips have no static inputs; here as in every other method.

        Raises
        ------
        DataError, MissingDataError, UsageError
            Naming the clip or value that cannot be used.
        """
        if not resume and hasattr(self, "model_"):
            del self.model_  # its image network may be another one
        X, y, groups, sample_weight = self._readable(X, y, groups, sample_weight)
        if isinstance(validation, Dataset):
            (validation,) = self._readable(validation)
        beside: dict[str, Any] = {"groups": groups, "sample_weight": sample_weight, "static": static}
        return super().fit(X, y, validation=validation, resume=resume, **beside)

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
        return self._read(X)[0]

    def _readable(self, X: Any, *beside: Any) -> tuple[Any, ...]:
        return clips.readable(self, X, *beside)

    def _shown(self, X: Any, sequences: Sequence[Any]) -> dict[str, Any]:
        return {"frames": clips.Watched(self, X).frames}

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
        clip = clips.one_clip(x, "explain")
        (sequence,), names = self._read(clip)
        found = super().explain(sequence, method=method, target=target, step=step, **options)
        frames = clips.Watched(self, clip).frames(0)
        return replace(found, kind="video", input=frames, name=names[0] if names else "", channel_names=None)

    def trace(self, x: Any, *, name: str = "", static: Any = None) -> Trace:
        """Return every gate and state while the network reads the features of one clip.

        Parameters
        ----------
        x : path or ndarray of uint8, shape (time, height, width, 3)
            One clip.
        name : str
            What to call it in pictures.
        """
        self._check_fitted()
        (sequence,), _ = self._read(clips.one_clip(x, "trace"))
        return super().trace(sequence, name=name, static=static)

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
            clips.frame_network(self),
            size=clips.image_size(self),
            crop=self.crop,
        )

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
            model = replace(model, attached={"backbone": clips.backbone_file(self)})
        model.save(path)
