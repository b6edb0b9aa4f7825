"""`write`: a model as a file that runs elsewhere, in the format that is asked for."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from recurra.checks import check_choice
from recurra.errors import UsageError
from recurra.export.model.boundary import cut
from recurra.export.onnx.graph import DEFAULT_OPSET
from recurra.export.onnx.write import write_onnx

FORMATS = ("onnx",)


def write(
    model: Any,
    path: str | os.PathLike[str],
    *,
    to: str = "onnx",
    sequences: Callable[[], Sequence[Any] | None] = lambda: None,
    step: bool = False,
    opset: int | None = None,
) -> list[Any]:
    """Write a model as a file that runs elsewhere, and check it against recurra's answers.

    Parameters
    ----------
    model : FittedModel
    path : path
        The ONNX file.
    to : {"onnx"}, default="onnx"
        The format.
    sequences : callable
        Gives raw sequences to check on, or None for random ones; asked once it is known that the model can be exported.
    step : bool, default=False
        Of ONNX: write the graph of one step, with the state in and out, beside that of whole sequences.
    opset : int, optional
        Of ONNX: version of the standard operators, 14 to 22; 17 by default.

    Returns
    -------
    list of OnnxFile

    Raises
    ------
    UsageError
        If the model cannot be exported, or an option is of another format.
    RecurraError
        If the file answers otherwise than recurra; none is written.
    """
    check_choice("export", "to", to, FORMATS)
    if os.path.isdir(path):
        raise UsageError(f"export: an ONNX file needs a name such as model.onnx; {path} is a folder.")
    cut(model)
    chosen = DEFAULT_OPSET if opset is None else opset
    return write_onnx(model, path, step=step, opset=chosen, sequences=sequences())
