"""recurra: recurrent neural networks on real sequences.

Names are loaded when first used, so that ``import recurra`` costs nothing: neither numpy nor torch is imported
before it is needed. The rooms say in their own ``__init__`` what each file is for; beside them stand

- `options`: every option of the estimators, with default, range and help text
- `checks`: arguments and arrays that cannot be used are refused in one sentence, NaN and infinity among them
- `plain_arrays`: arrays of any library as plain ones
- `records`: `Record` and `Dataset`
- `array_summaries`: range, missing and infinite values of arrays, found by one look, so that no station looks again
- `ragged`: `Ragged`, sequences of unequal length without padding
- `store`: the file format of models and states; its checksum is verified here
- `errors`: exceptions and warnings
- `folder_lock`: one owner of a folder at a time, a second process is refused
- `interrupts`: Ctrl-C, SIGTERM and SIGHUP
- `live_line`: progress that is drawn over, on a terminal or in a notebook
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> (module, attribute there; None for the module itself).
_LAZY: dict[str, tuple[str, str | None]] = {
    "AnomalyDetector": ("recurra.estimators.anomaly_detector", "AnomalyDetector"),
    "Dataset": ("recurra.records", "Dataset"),
    "Forecaster": ("recurra.estimators.forecaster", "Forecaster"),
    "Ragged": ("recurra.ragged", "Ragged"),
    "Record": ("recurra.records", "Record"),
    "SequenceClassifier": ("recurra.estimators.sequence_classifier", "SequenceClassifier"),
    "SequenceLabeler": ("recurra.estimators.sequence_labeler", "SequenceLabeler"),
    "SequenceRegressor": ("recurra.estimators.sequence_regressor", "SequenceRegressor"),
    "Streams": ("recurra.serving.streams.batched_streams", "Streams"),
    "TextClassifier": ("recurra.estimators.texts.text_classifier", "TextClassifier"),
    "TextRegressor": ("recurra.estimators.texts.text_regressor", "TextRegressor"),
    "TextGenerator": ("recurra.estimators.text_generator", "TextGenerator"),
    "Translator": ("recurra.estimators.translator", "Translator"),
    "WordVectors": ("recurra.features.texts.word_vectors", "WordVectors"),
    "VideoClassifier": ("recurra.estimators.video_classifier", "VideoClassifier"),
    "accelerate": ("recurra.nn.cells.accelerate", "accelerate"),
    "decelerate": ("recurra.nn.cells.accelerate", "decelerate"),
    "datasets": ("recurra.datasets", None),
    "draw": ("recurra.evaluation.diagrams", None),
    "errors": ("recurra.errors", None),
    "evaluate": ("recurra.runs.evaluate", "evaluate"),
    "import_weights": ("recurra.importing.import_weights", "import_weights"),
    "kernels": ("recurra.kernels", None),
    "load": ("recurra.datasets", "load_any"),
    "load_model": ("recurra.estimators.loading", "load_model"),
    "look": ("recurra.runs.look", "look"),
    "nn": ("recurra.nn", None),
    "studio": ("recurra.studio", None),
    "train": ("recurra.runs.train", "train"),
    "tune": ("recurra.runs.search.tune", "tune"),
}

__all__ = [
    "AnomalyDetector",
    "Dataset",
    "Forecaster",
    "Ragged",
    "Record",
    "SequenceClassifier",
    "SequenceLabeler",
    "SequenceRegressor",
    "Streams",
    "TextClassifier",
    "TextGenerator",
    "TextRegressor",
    "Translator",
    "VideoClassifier",
    "WordVectors",
    "__version__",
    "accelerate",
    "datasets",
    "decelerate",
    "draw",
    "errors",
    "evaluate",
    "import_weights",
    "kernels",
    "load",
    "load_model",
    "look",
    "nn",
    "studio",
    "train",
    "tune",
]

if TYPE_CHECKING:
    from recurra import datasets, errors, kernels, nn
    from recurra.datasets import load_any as load
    from recurra.estimators.anomaly_detector import AnomalyDetector
    from recurra.estimators.forecaster import Forecaster
    from recurra.estimators.loading import load_model
    from recurra.estimators.sequence_classifier import SequenceClassifier
    from recurra.estimators.sequence_labeler import SequenceLabeler
    from recurra.estimators.sequence_regressor import SequenceRegressor
    from recurra.estimators.text_generator import TextGenerator
    from recurra.estimators.texts.text_classifier import TextClassifier
    from recurra.estimators.texts.text_regressor import TextRegressor
    from recurra.estimators.translator import Translator
    from recurra.estimators.video_classifier import VideoClassifier
    from recurra.evaluation import diagrams as draw
    from recurra.features.texts.word_vectors import WordVectors
    from recurra.importing.import_weights import import_weights
    from recurra.nn.cells.accelerate import accelerate, decelerate
    from recurra.ragged import Ragged
    from recurra.records import Dataset, Record
    from recurra.runs.evaluate import evaluate
    from recurra.runs.look import look
    from recurra.runs.search.tune import tune
    from recurra.runs.train import train
    from recurra.serving.streams.batched_streams import Streams
    from recurra.studio.serving import studio


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        import difflib  # not recurra.checks, which loads numpy

        by_letters = {known.lower(): known for known in __all__}
        near = difflib.get_close_matches(name.lower(), by_letters, n=1)
        hint = f". Did you mean {by_letters[near[0]]!r}?" if near else ""
        raise AttributeError(f"module 'recurra' has no attribute {name!r}{hint}")
    module, attribute = _LAZY[name]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "recurra").split(".")[0]
        if package == "recurra":
            raise
        from recurra.errors import MissingExtraError

        raise MissingExtraError(
            f"recurra.{name} needs the package {package}, which is not installed: pip install recurra"
        ) from error
    value = found if attribute is None else getattr(found, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
