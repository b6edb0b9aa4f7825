"""`write`: a model as a file that runs elsewhere, in the format that is asked for."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from recurra.checks import check_choice, listing
from recurra.errors import UsageError
from recurra.export.c.layout import check_c
from recurra.export.c.write import write_c
from recurra.export.model.boundary import check_one_step, cut
from recurra.export.onnx_file import write_onnx
from recurra.serving.models.fitted_model import FittedModel

FORMATS = ("onnx", "c")
# Option -> the format that it is of.
OPTIONS = {"step": "onnx", "opset": "onnx", "name": "c", "longest": "c", "weights_file": "c", "int8": "c"}


def write(
    model: Any,
    path: str | os.PathLike[str],
    *,
    to: str = "onnx",
    sequences: Callable[[], Sequence[Any] | None] = lambda: None,
    **options: Any,
) -> list[Any]:
    """Write a model as a file that runs elsewhere, and check it against recurra's answers.

    Parameters
    ----------
    model : FittedModel, or to ONNX also AnomalyModel, ForecastModel and TranslationModel
    path : path
        The ONNX file, or the folder of C.
    to : {"onnx", "c"}, default="onnx"
        The format.
    sequences : callable
        Gives raw sequences to check on, or None for random ones; asked once it is known that the model can be exported.
    **options
        Of `recurra.export.onnx_file.write_onnx`: ``step``, ``opset``; of `recurra.export.c.write.write_c`: ``name``,
        ``longest``, ``weights_file``, ``int8``. None is the default.

    Returns
    -------
    list of OnnxFile or CFolder

    Raises
    ------
    UsageError
        If the model cannot be exported, or an option is of another format.
    RecurraError
        If what was made answers otherwise than recurra; nothing is written.
    """
    check_choice("export", "to", to, FORMATS)
    given = {word: value for word, value in options.items() if value not in (None, False)}
    for word in given:
        if word not in OPTIONS:
            raise UsageError(f"export: there is no option {word!r}; known are {listing(OPTIONS)}.")
        if OPTIONS[word] != to:
            raise UsageError(
                f"export: {word} is for to='{OPTIONS[word]}'; leave it out, or choose that format."
            )
    if to == "c":
        check_c(cut(model))
        return [write_c(model, path, sequences=sequences(), **given)]
    if os.path.isdir(path):
        raise UsageError(f"export: an ONNX file needs a name such as model.onnx; {path} is a folder.")
    if isinstance(model, FittedModel):
        exported = cut(model)
        if given.get("step"):
            check_one_step(exported)
    return write_onnx(model, path, sequences=sequences(), **given)
