"""What a network is judged on: the test part its run held out, or new data; never what it was trained on."""

import shlex
from collections.abc import Mapping
from typing import Any

from recurra.errors import DataError, UsageError
from recurra.inspection.kinds import one_of, records
from recurra.runs.data.identity import digest, split_keys
from recurra.runs.data.new_data import read_as_trained, read_unlabelled
from recurra.runs.data.sources import load_again, place
from recurra.runs.data.split import divide
from recurra.runs.folder.files import RunFolder


def judged_part(
    folder: RunFolder | None,
    config: Mapping[str, Any],
    data: Any,
    options: Mapping[str, Any],
    *,
    who: str,
    labelled: bool = True,
    model: Any = "MODEL",
) -> tuple[Any, str]:
    """Return what a network is judged on, and how it came to be: never what it was trained on, as far as is known.

    Without data, and with the very data of the training, that is the run's own test part. Of data with an official
    split it is the test part.

    Parameters
    ----------
    folder : RunFolder or None
        The run; None for a model file alone, which knows no test part.
    who : str
        The verb, for messages.
    labelled : bool, default=True
        Whether new data must have the labels that the training data had.
    model : path
        The run or the model file, as it was named.
    """
    if folder is None and data is None:
        verb, named = "eval" if who == "evaluate" else who, shlex.quote(str(model))
        raise UsageError(
            f"{who}: a model file alone knows no test part; give the data too: recurra {verb} {named} DATA, and how they "
            "are read, such as label=, where their columns do not have the usual names."
        )
    if data is None and options:
        told = ", ".join(f"{name}=" for name in options)
        say = "says" if len(options) == 1 else "say"
        raise UsageError(
            f"{who}: {told} {say} how data are read, and none are given. Give the data, or leave that out."
        )
    where = place(data)
    same = where is not None and where == config.get("data") and not options
    if folder is not None and (data is None or (same and config.get("n_test"))):
        return own_test_part(folder, config)
    dataset = read_as_trained(config, data, options) if labelled else read_unlabelled(config, data, options)
    official = dataset.part("test")
    if len(official) and len(official) < len(dataset):
        return official, f"The test part of the data's own split: {records(len(official), official.kind)}."
    return (
        dataset,
        f"{f'The one {one_of(dataset.kind)}' if len(dataset) == 1 else f'All {records(len(dataset), dataset.kind)}'} of "
        f"{dataset.source or 'the data'}.",
    )


def own_test_part(folder: RunFolder, config: Mapping[str, Any]) -> tuple[Any, str]:
    """Return the test part a run was judged on, read and split again as then.

    Raises
    ------
    UsageError
        If there was none, or the data were objects of Python.
    DataError
        If the data are no longer the same.
    """
    if not config.get("n_test"):
        raise UsageError(
            f"{folder.path}: the run held nothing out; give the data to judge on: recurra eval RUN DATA."
        )
    if config.get("data") is None or config.get("test") == "given in Python":
        raise UsageError(
            f"{folder.path}: the run was trained on objects of Python; give the data to judge on."
        )
    data = load_again(config)
    how = {name: config.get(name) for name in ("test", "by")}
    for keys in split_keys(config, data):
        divided = divide(data, **how, seed=config["seed"], options=config.get("data_words", {}), keys=keys)
        if divided.test is not None and digest(divided.test) == config.get("test_digest"):
            return divided.test, str(config.get("split", divided.how))
    raise DataError(
        f"{config['data']}: is no longer what {folder.path} was trained on, so its test part cannot be found "
        "again. Give the data to judge on, or train again."
    )
