"""The network of a run as a file that runs elsewhere; needs neither torch nor scikit-learn, but for clips."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurra import store
from recurra.checks import as_texts, as_token_lists
from recurra.errors import DataError, MissingDataError, UsageError
from recurra.estimators.loading import load_model
from recurra.export.formats import write
from recurra.export.model.boundary import REFUSED, refusal
from recurra.plain_arrays import as_sequences
from recurra.runs.data.evaluation_data import judged_part
from recurra.runs.data.new_data import read_unlabelled
from recurra.runs.data.sources import check_data_options
from recurra.runs.exports.int8_figures import int8_figures, write_figures
from recurra.runs.folder.opening import model_file, open_model, open_run
from recurra.serving.models.anomaly_model import AnomalyModel
from recurra.serving.models.fitted_model import SERIES_TASKS

# Tasks whose files are checked on random inputs: they read no sequences as they are.
DRAWN = ("forecasting", "translation")


@dataclass(frozen=True)
class ExportedRun:
    """What was written.

    Parameters
    ----------
    files : list
        A description of each file.
    note : str
        Why it was checked on random sequences; empty where it was not.
    figures : dict
        Of weights of eight bits: figures of the test part as ``{"float": ..., "int8": ...}``, ``flash_bytes`` among them.
    """

    files: list[Any]
    note: str
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def export(
    run: Any,
    out: str | os.PathLike[str],
    *,
    to: str = "onnx",
    data: Any = None,
    how: Mapping[str, Any] | None = None,
    **options: Any,
) -> ExportedRun:
    """Write the network of a run as a file that runs without recurra, checked against recurra's own answers.

    Parameters
    ----------
    run : path
        Run folder, or model file.
    out : path
        The ONNX file, or the folder of C.
    to : {"onnx", "c"}, default="onnx"
        The format.
    data : path, name of a data set, Dataset, DataFrame or list of arrays, optional
        What the file is checked on; the run's own test part by default, or random sequences where it has none.
    how : mapping, optional
        Options of the format, as in `recurra.export.formats.write`.
    **options
        How the data are read; by default as the training data were.

    Raises
    ------
    MissingDataError
        If there is no such run or data.
    UsageError
        If the network cannot be exported; the message says why and what to do.
    RecurraError
        If the file answers otherwise than recurra; none is written.
    """
    check_data_options("export", options)
    if to == "onnx" and Path(out).suffix.lower() not in ("", ".onnx"):
        raise UsageError(f"export: an ONNX file must end in .onnx; got {str(out)!r}. For C, give to='c'.")
    if not Path(run).is_file():
        open_run(run)
    task = str(store.load(model_file(run))[0].get("task"))
    if task in REFUSED and to == "c":
        raise refusal(task)
    model = load_model(model_file(run)).model_ if task in SERIES_TASKS else open_model(run)[0]
    note = ""

    def sequences() -> Sequence[Any] | None:
        nonlocal note
        if task in DRAWN:
            return None
        dataset, note = _dataset(run, data, options)
        return None if dataset is None else _raw(run, model, dataset)

    files = write(model, out, to=to, sequences=sequences, **how or {})
    if not (how or {}).get("int8"):
        return ExportedRun(files, note)
    sizes = {"float": files[0].float_flash_bytes, "int8": files[0].costs.flash_bytes}
    figures = int8_figures(run, data, options)
    write_figures(files[0].path, figures, sizes)
    return ExportedRun(files, note, {"flash_bytes": sizes, **figures})


def _dataset(run: Any, data: Any, options: dict[str, Any]) -> tuple[Any, str]:
    """Return what the file is checked on; without data that can be read again None, and why."""
    if data is not None:
        return read_unlabelled(open_model(run)[1], data, options), ""
    if Path(run).is_file():
        return None, "A model file alone keeps no data: checked on random sequences. Name some with data=."
    folder = open_run(run)
    try:
        return judged_part(folder, folder.config(), None, options, who="export", labelled=False)[0], ""
    except (UsageError, DataError, MissingDataError) as error:
        return None, f"Checked on random sequences, since the run's test part cannot be read again ({error})"


def _raw(run: Any, model: Any, dataset: Any) -> list[Any]:
    """Return raw sequences as the features of the model read them."""
    if not isinstance(model, AnomalyModel) and "video" in model.manifest:
        return load_model(model_file(run)).frame_features(dataset)
    if isinstance(model, AnomalyModel) or model.features.reads_numbers:
        return as_sequences(dataset.X, names=dataset.names)
    texts = as_token_lists(dataset) if model.task == "labeling" else as_texts(dataset)
    return texts[0]
