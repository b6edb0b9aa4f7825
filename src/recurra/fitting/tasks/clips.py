"""How clips are read: frames through an image network, whose features are rows, or as pixels."""

import os
from typing import Any

from recurra.array_summaries import check_finite
from recurra.features.chain import Chain
from recurra.fitting.tasks.sequences import Learned, Reading
from recurra.inputs import clips
from recurra.inputs.backbones import OWN
from recurra.inputs.sequences import Given
from recurra.options import VideoClassifierOptions


def read(estimator: Any, X: Any, *, reset: bool) -> tuple[list[Any], list[str] | None]:
    """Return each clip as an array of shape (time, channels)."""
    return clips.sequences_of(estimator, clips.as_clips(X))


def check(options: VideoClassifierOptions, given: Given) -> None:
    """Raise DataError naming the first clip whose features are not finite."""
    check_finite(given.sequences, names=given.names)


def features(options: VideoClassifierOptions, given: Given) -> Learned:
    """Learn the scaling; the small network has its own normalisation, and pixels stay what they are."""
    scaling = "none" if options.backbone == OWN else options.scaling
    return Learned(Chain.fit(given.sequences, given.weights, scaling=scaling, missing="error"))


def front(options: VideoClassifierOptions, learned: Learned) -> dict[str, Any] | None:
    """Describe the image network that is trained with the rest, or the map of another one's features."""
    if options.backbone != OWN:
        return None if options.projection is None else {"name": "patches", "size": int(options.projection)}
    return {"name": "small_cnn", "image_size": clips.image_size(options), "channels": 64}


def contents(X: Any, sequences: list[Any]) -> list[Any]:
    """Return what tells clips apart."""
    return clips.contents_of(X)


def told(options: VideoClassifierOptions, learned: Learned, manifest: dict[str, Any]) -> dict[str, Any]:
    """Add what the frames went through."""
    params = {k: v for k, v in manifest["params"].items() if k != "cache_dir"}
    if isinstance(options.backbone, str | os.PathLike):  # of a file the whole path, to find it from anywhere
        named = os.fspath(options.backbone)
        params["backbone"] = os.path.abspath(named) if os.path.isfile(named) else named
    else:
        params["backbone"] = "module"
    network = clips.backbone(options)
    seen = {
        "sampling": clips.video_words(options).sampling,
        "backbone": None if network is None else network.facts,
    }
    return {**manifest, "params": params, "video": seen, "channel_names": None, "sample_rate_hz": None}


CLIPS = Reading(read, check, features, front, contents, told, takes_static=False)
