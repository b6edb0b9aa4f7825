"""Checks of the options' values: each by itself, as `recurra.options` says, and those that exclude each other."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from recurra.checks import check_values, listing
from recurra.errors import UsageError
from recurra.features.registry import parse_features
from recurra.fitting.frontend import parse_frontend
from recurra.kernels.cell import CELLS
from recurra.options import OPTIONS, Option


def check_params(who: str, params: Mapping[str, Any], options: Mapping[str, Option] = OPTIONS) -> None:
    """Raise UsageError at the first value that is out of its range, or excluded by another.

    Parameters
    ----------
    who : str
        What the message begins with.
    params : mapping
        Values by name; a name that is no option is one of a user's own class, and not looked at.
    options : mapping, optional
        Those of an estimator; by default what any of them takes.
    """
    check_values(who, params, options)
    check_together(who, params)


def check_together(who: str, params: Mapping[str, Any]) -> None:
    """Raise UsageError at values, each in its range, that exclude each other, or are not what they are called with."""
    _check_initialization(who, params)
    _check_signal_options(who, params)
    if params.get("network") is not None and not callable(params["network"]):
        raise UsageError(
            f"{who}: network must be a function (input_size, output_size) -> torch.nn.Module; got {params['network']!r}."
        )
    directory = params.get("checkpoint_dir")
    if directory is not None and (not isinstance(directory, str | os.PathLike) or not str(directory)):
        raise UsageError(f"{who}: checkpoint_dir must be the path of a folder; got {directory!r}.")
    _check_callbacks(who, params.get("callbacks", ()))
    if params.get("network") is not None and params.get("train_vectors"):
        raise UsageError(
            f"{who}: train_vectors=True is for this class's own network, which holds them; leave out network=."
        )


def _check_initialization(who: str, params: Mapping[str, Any]) -> None:
    initialization, cell = params.get("initialization", "default"), params.get("cell")
    if initialization == "identity" and cell != "rnn":
        raise UsageError(
            f"{who}: initialization='identity' is for cell='rnn', which it turns into a ReLU network; got cell={cell!r}. "
            "Use 'default' or 'chrono'."
        )
    if initialization == "chrono" and cell is not None and CELLS[cell].keeping_gate is None:
        raise UsageError(
            f"{who}: initialization='chrono' sets the gates that keep the state; cell={cell!r} has none. "
            "Use 'default'; cell='rnn' takes 'identity'."
        )


def _check_signal_options(who: str, params: Mapping[str, Any]) -> None:
    """Raise UsageError at features or a frontend that do not exist, or options that exclude each other."""
    if params.get("features") is not None:
        parse_features(params["features"])
    if params.get("frontend") is not None:
        parse_frontend(params["frontend"])
    for word, why in (("bidirectional", "reads from the end"), ("wide", "reads whole sequences")):
        if params.get("causal") and params.get(word) is True:
            raise UsageError(
                f"{who}: causal=True asks for a network that can stream, and {word}=True {why}. Leave one of them out."
            )
    if params.get("tbptt") is not None and params.get("bidirectional"):
        raise UsageError(
            f"{who}: tbptt carries the state forward from cut to cut and cannot go with bidirectional=True, whose backward "
            "direction begins at the end. Leave one of them out."
        )


def _check_callbacks(who: str, callbacks: Any) -> None:
    if not isinstance(callbacks, list | tuple):
        raise UsageError(
            f"{who}: callbacks must be a list of callback objects; got {callbacks!r}. Wrap it in a list."
        )
    wrong = [c for c in callbacks if isinstance(c, type)]
    if wrong:
        raise UsageError(
            f"{who}: callbacks must be objects, not classes; got {listing(c.__name__ for c in wrong)}. Call the class."
        )


# What a file says of these would lead code, writing or deleting elsewhere: they are taken from the caller alone.
NEVER_FROM_A_FILE = ("callbacks", "checkpoint_dir", "cache_dir", "device", "network")


def from_file(params: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the options of a model file that its estimator knows and that a file may decide."""
    allowed = set(known) - set(NEVER_FROM_A_FILE)
    return {name: value for name, value in params.items() if name in allowed}
