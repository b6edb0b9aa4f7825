"""What a user passes as clips becomes sequences of features, or of pixels where the image network is trained too."""

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from recurra.checks import counted, listing
from recurra.datasets.fetch import cache_folder
from recurra.errors import DataError, MissingDataError, RecurraWarning, ShapeError, UsageError
from recurra.features.frames.cache import FrameCache, content_hash
from recurra.features.frames.clip_features import FrameNetwork, extract
from recurra.inputs.backbones import OWN, Backbone, backbone_of
from recurra.readers.clips.clip_folders import is_clip, read_clips
from recurra.readers.clips.frame_shape import fitted
from recurra.readers.clips.video import IMAGE_SUFFIXES, FrameReader, VideoWords
from recurra.readers.clips.video_child import evenly
from recurra.records import Dataset, Record

Path_ = str | os.PathLike[str]
OWN_SIZE = 32  # pixels a side for the network that is trained with the rest


def as_clips(X: Any) -> Any:
    """Return a path as what it is: one clip, or the clips of a folder; anything else as given."""
    if isinstance(X, str | os.PathLike):
        path = Path(X)
        if not path.exists():
            raise MissingDataError(f"VideoClassifier: there is no file or folder {path}.")
        return [path] if is_clip(path) or path.is_file() else read_clips(path)
    return X


def one_clip(x: Any, what: str) -> list[Any]:
    """Return a list of one clip.

    Parameters
    ----------
    x : path, ndarray of shape (time, height, width, 3), Record, or a list, Dataset or array that holds one of these
    what : str
        Who asks, for messages: "explain" or "trace".

    Raises
    ------
    UsageError
        If it is several.
    """
    if isinstance(x, Record):
        x = x.values
    many = isinstance(x, list | tuple | Dataset) or (isinstance(x, np.ndarray) and x.ndim in (1, 5))
    if many and len(x) == 1:
        x = x.X[0] if isinstance(x, Dataset) else x[0]
    elif many:
        raise UsageError(
            f"VideoClassifier: {what} takes one clip; got {len(x)}. Give one of them, such as X[0]."
        )
    if isinstance(x, str | os.PathLike) or (isinstance(x, np.ndarray) and x.ndim == 4):
        return [x]
    raise UsageError(
        f"VideoClassifier: {what} takes one clip, a path or frames of shape (time, height, width, 3); got "
        f"{type(x).__name__}{f' of shape {x.shape}' if isinstance(x, np.ndarray) else ''}."
    )


def clips_of(X: Any) -> tuple[list[Any], list[str] | None]:
    """Return paths and arrays of frames in order, and names where there are any.

    Raises
    ------
    DataError, ShapeError
        Naming what is no clip.
    """
    if isinstance(X, Dataset):
        if X.kind != "video" and not all(isinstance(r.values, np.ndarray) and r.values.ndim == 4 for r in X):
            raise DataError(f"VideoClassifier: X must hold clips; got a Dataset of kind {X.kind!r}.")
        return X.X, X.names
    if not isinstance(X, list | tuple | np.ndarray):
        raise DataError(f"VideoClassifier: X must be a list of paths or of frames; got {type(X).__name__}.")
    if len(X) == 0:
        raise DataError(
            "VideoClassifier: found 0 clips (samples), a minimum of 1 is required. Give at least one."
        )
    names = []
    for index, clip in enumerate(X):
        if isinstance(clip, str | os.PathLike):
            names.append(os.fspath(clip))
        elif isinstance(clip, np.ndarray):
            if clip.ndim != 4 or clip.shape[3] != 3 or clip.dtype != np.uint8:
                raise ShapeError(
                    f"VideoClassifier: clip {index} must hold frames, uint8 of shape (time, height, width, 3); got "
                    f"{clip.dtype} of shape {clip.shape}."
                )
            if 0 in clip.shape:
                raise DataError(
                    f"VideoClassifier: clip {index} has no frame; a clip needs at least one. Remove it."
                )
            names.append(f"clip {index}")
        else:
            raise DataError(
                f"VideoClassifier: clip {index} must be a path or an array of frames; got {type(clip).__name__}."
            )
    return list(X), names


def contents_of(X: Any) -> list[Any]:
    """Return what tells clips apart, wherever their files are: checksums of files, and arrays of frames as they are."""
    clips, _ = clips_of(as_clips(X))
    return [clip if isinstance(clip, np.ndarray) else content_hash(Path(clip)) for clip in clips]


def backbone(estimator: Any) -> Backbone | None:
    """Return the image network, the one it was trained with once it is; None where it is trained with the rest."""
    if estimator.backbone == OWN:
        if estimator.layer is not None or estimator.grid != 1 or estimator.projection is not None:
            raise UsageError(
                "VideoClassifier: layer, grid and projection are for image networks that are trained already, not "
                f"for {OWN!r}; got layer={estimator.layer!r}, grid={estimator.grid!r}, projection={estimator.projection!r}."
            )
        return None
    read: dict[str, Any] = {"layer": estimator.layer, "grid": int(estimator.grid)}
    attached = estimator.model_.attached.get("backbone") if hasattr(estimator, "model_") else None
    if attached is not None:
        name = estimator.model_.manifest["video"]["backbone"]["name"]
        return backbone_of(name, file=attached.tobytes(), **read)
    return backbone_of(estimator.backbone, **read)


def _check_backbone(estimator: Any, found: Backbone | None) -> None:
    """Raise DataError where this is not the image network that the model was trained with."""
    known = estimator.model_.manifest["video"]["backbone"] if hasattr(estimator, "model_") else None
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


def image_size(estimator: Any) -> int:
    """Return the pixels a side that frames are brought to."""
    if estimator.image_size is not None:
        return int(estimator.image_size)
    found = backbone(estimator)
    return OWN_SIZE if found is None else found.image_size


def video_words(estimator: Any) -> VideoWords:
    """Return which frames are taken, of an estimator's words."""
    words = ("frames", "rate_hz", "start_seconds", "end_seconds", "crop")
    return VideoWords(**{word: getattr(estimator, word) for word in words}, size=image_size(estimator))


def frame_network(estimator: Any) -> FrameNetwork:
    """Return the function from frames to what the recurrent network reads of each."""
    found = backbone(estimator)
    _check_backbone(estimator, found)
    return FrameNetwork(_pixels, "pixels") if found is None else found.network


def _pixels(frames: np.ndarray) -> np.ndarray:
    """Return each frame as one row of numbers from -1 to 1."""
    return (frames.reshape(len(frames), -1) / np.float32(127.5) - 1).astype(np.float32)


def sequences_of(estimator: Any, X: Any) -> tuple[list[np.ndarray], list[str] | None]:
    """Return each clip as an array of shape (time, channels).

    Raises
    ------
    DataError, MissingDataError
        Naming the first clip that cannot be read.
    """
    clips, names = clips_of(X)
    features, errors = _features(estimator, clips)
    if errors:
        first = errors[min(errors)]
        more = f" ({len(errors)} of {len(clips)} clips cannot be read.)" if len(errors) > 1 else ""
        training = isinstance(first, DataError) and not hasattr(estimator, "model_")
        advice = " To leave such clips out of training, use broken='skip'." if training else ""
        raise type(first)(f"{first}{more}{advice}")
    return [f for f in features if f is not None], names


def _features(
    estimator: Any, clips: list[Any]
) -> tuple[list[np.ndarray | None], dict[int, DataError | MissingDataError]]:
    _check_seconds(estimator, clips)
    network, words = frame_network(estimator), video_words(estimator)
    features: list[np.ndarray | None] = [None] * len(clips)
    paths = [index for index, clip in enumerate(clips) if not isinstance(clip, np.ndarray)]
    for index, clip in enumerate(clips):
        if isinstance(clip, np.ndarray):
            features[index] = network(_chosen(clip, words))
    if not paths:
        return features, {}
    # Pixels are quicker read again than kept.
    cache = (
        None if estimator.backbone == OWN else FrameCache(estimator.cache_dir or cache_folder() / "frames")
    )
    found = extract([clips[i] for i in paths], network, words, cache=cache, verbose=int(estimator.verbose))
    for index, feature in zip(paths, found.features, strict=True):
        features[index] = feature
    return features, {paths[index]: error for index, error in found.errors.items()}


def _check_seconds(estimator: Any, clips: list[Any]) -> None:
    """Raise UsageError where seconds are to be cut from frames of which nobody knows when they were taken."""
    if not estimator.start_seconds and estimator.end_seconds is None:
        return
    for index, clip in enumerate(clips):
        if isinstance(clip, np.ndarray) or Path(clip).is_dir() or Path(clip).suffix.lower() in IMAGE_SUFFIXES:
            named = f"clip {index}" if isinstance(clip, np.ndarray) else os.fspath(clip)
            raise UsageError(
                "VideoClassifier: start_seconds and end_seconds are for video files, which say when a frame was taken; "
                f"{named} holds images. Leave them out, and give the images that are meant."
            )


def _chosen(frames: np.ndarray, words: VideoWords) -> np.ndarray:
    """Take frames evenly of an array; where a rate is asked for, it has that rate already."""
    if words.rate_hz is None:
        frames = frames[evenly(len(frames), words.frames)]
    return fitted(frames, size=words.size, crop=words.crop, who="VideoClassifier")


def readable(estimator: Any, X: Any, *beside: Any) -> tuple[Any, ...]:
    """Return clips, and what there is beside them: a value for each, or None.

    With ``broken="skip"`` those that cannot be decoded are left out, with a warning that names them.
    """
    X = as_clips(X)
    if estimator.broken != "skip":
        return X, *beside
    clips, names = clips_of(X)
    _, errors = _features(estimator, clips)
    for error in errors.values():
        if isinstance(error, MissingDataError):
            raise error
    if not errors:
        return X, *beside
    if len(errors) == len(clips):
        raise DataError(
            f"VideoClassifier: none of {counted(len(clips), 'clip')} can be read; the first: {errors[min(errors)]}"
        )
    broken = [names[i] if names else str(i) for i in sorted(errors)]
    warnings.warn(
        f"{len(broken)} of {counted(len(clips), 'clip')} cannot be decoded and {'is' if len(broken) == 1 else 'are'} left "
        f"out: {listing(broken, 5)}.",
        RecurraWarning,
        stacklevel=4,
    )
    kept = [i for i in range(len(clips)) if i not in errors]
    others = (None if values is None else [values[i] for i in kept] for values in beside)
    chosen = X.take(kept) if isinstance(X, Dataset) else [clips[i] for i in kept]
    return chosen, *others


def backbone_file(estimator: Any) -> np.ndarray:
    """Return the file of the image network as bytes.

    Raises
    ------
    UsageError
        If it is a module.
    """
    found = backbone(estimator)
    if found is None or found.file is None:
        raise UsageError(
            "VideoClassifier: a module cannot be written into a model file, only its checksum; export it to ONNX and "
            "give the .onnx file as backbone."
        )
    return np.frombuffer(found.file, np.uint8)


class Watched:
    """The frames of clips as the network saw them, read again when they are to be shown.

    Parameters
    ----------
    estimator : VideoClassifier
        Whose words choose the frames.
    X : as in ``fit``
        Clips.
    """

    def __init__(self, estimator: Any, X: Any) -> None:
        self._clips, _ = clips_of(X)
        self._words = video_words(estimator)

    def frames(self, index: int) -> np.ndarray:
        """Return the frames of a clip: uint8 of shape (time, size, size, 3)."""
        clip = self._clips[index]
        if isinstance(clip, np.ndarray):
            return _chosen(clip, self._words)
        with FrameReader(self._words) as reader:
            return reader.read(clip).frames
