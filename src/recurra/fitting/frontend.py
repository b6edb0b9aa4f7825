"""The word ``frontend``: trainable layers over windows of the signal, before the recurrence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recurra.checks import check_number, did_you_mean, listing
from recurra.errors import UsageError
from recurra.features.windows.sliding import Windows
from recurra.features.windows.statistics import Samples

# Name -> options with their defaults. Samples of a window, from one window to the next (None: a whole window), filters.
FRONTENDS: Mapping[str, Mapping[str, Any]] = {
    "convolution": {
        "window": 64, "hop": 32, "size": 32, "kernel": 8, "stride": 4, "kernel_2": 4, "stride_2": 2,
    },
    "patches": {"window": 16, "hop": None, "size": 32},
    "convolutions": {
        "size": 64, "kernel": 8, "kernel_2": 5, "kernel_3": 3, "dilation": 1, "dilation_2": 1, "dilation_3": 1,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Frontend:
    """What ``frontend=`` says.

    Parameters
    ----------
    windows : Windows or None
        Cuts the scaled signal into the windows that the layers read; None where they read every step.
    options : dict
        Of the layers.
    """

    windows: Windows | None
    options: Mapping[str, Any]

    def description(self, input_size: int, *, causal: bool) -> dict[str, Any]:
        """Return the front of a network; see `recurra.nn.fronts.front`.

        Parameters
        ----------
        input_size : int
            Numbers of a row.
        causal : bool
            Whether a step may see only what came before; windows always do.
        """
        own = dict(self.options)
        if self.windows is not None:
            channels = input_size // self.windows.window
            return {**own, "channels": channels} if own["name"] == "convolution" else own
        layers = [
            {"filters": own["size"], "kernel": own[f"kernel{end}"], "dilation": own[f"dilation{end}"]}
            for end in ("", "_2", "_3")
        ]
        return {"name": own["name"], "layers": layers, "causal": causal}


def parse_frontend(given: Any) -> Frontend | None:
    """Return what ``frontend=`` says; None for None.

    Parameters
    ----------
    given : None, {"convolution", "convolutions", "patches"} or dict
        "convolution": two convolutions with ReLU and the largest value over each window; "patches": a linear map of each
        window; "convolutions": three layers of convolution, batch normalization and ReLU that give a row for each step.
        A dictionary holds the ``name`` and options: ``window`` and ``hop`` in samples, ``size`` (filters), of the
        convolution ``kernel``, ``stride``, ``kernel_2``, ``stride_2``, and of the three layers ``kernel`` and
        ``dilation``, the same with ``_2`` and with ``_3``. A string that begins with a brace is such a
        dictionary as JSON.

    Raises
    ------
    UsageError
        If a name or option is unknown, or the kernels do not fit into the window.
    """
    if given is None:
        return None
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise UsageError(f"frontend: {given[:60]!r} is no JSON.") from None
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in FRONTENDS:
        hint = did_you_mean(str(name), FRONTENDS)
        raise UsageError(
            f"frontend: must be one of {listing(FRONTENDS)}, None or a dictionary; got {name!r}.{hint}"
        )
    known = FRONTENDS[name]
    for word, value in options.items():
        if word not in known:
            raise UsageError(
                f"frontend: {name} takes no option {word!r}; known are {listing(known)}.{did_you_mean(word, known)}"
            )
        check_number("frontend", word, value, integer=True, low=1)
    own = {**known, **options}
    if name == "convolutions":
        return Frontend(None, {"name": name, **own})
    window, hop = own.pop("window"), own.pop("hop")
    windows = Windows((Samples(),), window, window if hop is None else hop)
    if name == "convolution":
        _check_kernels(window, own)
    return Frontend(windows, {"name": name, **own})


def _check_kernels(window: int, own: Mapping[str, Any]) -> None:
    positions = 1 + (window - own["kernel"]) // own["stride"]
    if own["kernel"] > window or own["kernel_2"] > positions:
        raise UsageError(
            f"frontend: the kernels must fit into the window: kernel={own['kernel']} into {window} samples, and "
            f"kernel_2={own['kernel_2']} into the {max(positions, 0)} positions left. Choose a longer window."
        )
