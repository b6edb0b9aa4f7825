"""An image network in an ONNX file, run by onnxruntime on frames."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.checks import missing_extra
from recurra.errors import DataError
from recurra.features.frames.map_means import averaged, no_places

# Mean and deviation of ImageNet's red, green and blue in [0, 1]: what most published networks were trained with.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class OnnxNetwork:
    """Runs a graph on frames.

    An input of bytes gets pixels as they are, one of floats gets them with ImageNet's mean and deviation brought to 0
    and 1; channels stand before or after height and width, as the graph says. The first output counts; maps of
    features are averaged over a grid of places.

    Parameters
    ----------
    model : bytes
        The file's content.
    who : str
        What to call it in messages.
    grid : int, default=1
        Places a side over which maps are averaged, see `recurra.features.frames.map_means`; 1 for the whole frame.

    Raises
    ------
    MissingExtraError
        If onnxruntime is not installed.
    DataError
        If it cannot be read, names files outside of itself, or has not one image as its input.
    """

    def __init__(self, model: bytes, *, who: str = "ONNX file", grid: int = 1) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise missing_extra("onnxruntime", "onnx", "An ONNX image network") from None
        self._who = who
        self._grid = grid
        check_self_contained(model, who)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0") or 0)
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many kinds, none of them public
            raise DataError(f"{who}: cannot be read as an ONNX graph ({str(error)[:120]}).") from None
        self._input = self._image_input()

    def _image_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or 3 not in (inputs[0].shape[1], inputs[0].shape[3]):
            shapes = ", ".join(f"{i.name} {i.shape}" for i in inputs)
            raise DataError(
                f"{self._who}: must have one input of images with 3 channels, such as (count, 3, height, width); "
                f"it has {shapes}."
            )
        return inputs[0]

    @property
    def image_size(self) -> int | None:
        """Pixels a side that the graph asks for, None if any size will do."""
        high, wide = self._input.shape[2:] if self._input.shape[1] == 3 else self._input.shape[1:3]
        return high if isinstance(high, int) and high == wide else None

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Return the features of frames.

        Parameters
        ----------
        frames : ndarray of uint8, shape (frames, height, width, 3)
            Red, green, blue.

        Returns
        -------
        ndarray of float32, shape (frames, channels)
        """
        images = (
            frames if self._input.type == "tensor(uint8)" else (frames / np.float32(255) - _MEAN) / _DEVIATION
        )
        if self._input.shape[1] == 3:
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        if self._input.type == "tensor(float16)":
            images = images.astype(np.float16)
        at_once = self._input.shape[0] if isinstance(self._input.shape[0], int) else len(images)
        parts = [
            self._run(images[first : first + at_once], at_once) for first in range(0, len(images), at_once)
        ]
        return np.concatenate(parts)

    def _run(self, images: np.ndarray, at_once: int) -> np.ndarray:
        missing = at_once - len(images)  # a graph of a fixed batch is filled up, and the rest thrown away
        if missing:
            images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        try:
            found = self._session.run(None, {self._input.name: images})[0]
        except Exception as error:
            raise DataError(
                f"{self._who}: cannot run on images of shape {images.shape} ({str(error)[:120]})."
            ) from None
        found = found[: at_once - missing]
        found = found.astype(np.float32, copy=False)
        if found.ndim == 4:
            return averaged(found.transpose(0, 3, 1, 2) if _channels_last(found) else found, self._grid)
        if self._grid > 1:
            raise no_places(self._grid)
        return found.reshape(len(found), -1)


def check_self_contained(model: bytes, who: str) -> None:
    """Raise DataError if a graph keeps numbers in other files, which onnxruntime would read wherever they are.

    Looked at are the tensors of everything in the file: initializers, constants, functions, inner graphs.
    """
    try:
        import onnx
    except ImportError:
        raise missing_extra("onnx", "onnx", "An ONNX image network") from None
    if model[4:8] == b"ORTM":
        raise DataError(f"{who}: is in the format of onnxruntime alone; give the ONNX file it was made from.")
    try:
        graph = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's own, which has no type that can be imported without its stubs
        raise DataError(f"{who}: cannot be read as an ONNX graph ({str(error)[:120]}).") from None
    left: list[Any] = [graph]
    while left:
        message = left.pop()
        if isinstance(message, onnx.TensorProto) and (
            message.external_data or message.data_location == onnx.TensorProto.EXTERNAL
        ):
            named = {entry.key: entry.value for entry in message.external_data}
            raise DataError(
                f"{who}: keeps the numbers of {message.name[:80]!r} in another file, {named.get('location', '')[:80]!r}, "
                "and recurra follows no path in a file. Save it in one piece: onnx.save(onnx.load(FILE), NEW_FILE)."
            )
        for field, value in message.ListFields():
            if field.message_type is not None:
                left += list(value) if isinstance(value, Sequence) else [value]


def _channels_last(maps: np.ndarray) -> bool:
    """Return whether channels stand last: the two sides of a square are the equal ones, else there are fewer places."""
    _, first, middle, last = maps.shape
    if (first == middle) != (middle == last):
        return bool(first == middle)
    return bool(first < last)
