"""The forecasting network through the kernels: the numpy twin of `recurra.nn.networks.forecast_network`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.errors import ShapeError
from recurra.kernels.cell import CELLS
from recurra.kernels.heads import pooling
from recurra.kernels.networks.stack import stack_states
from recurra.ragged import Ragged


def expected_shapes(network: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight that a forecasting network needs."""
    hidden, gates = network["hidden_size"], CELLS[network["cell"]].blocks
    decoder = network["input_size"] - 2 * network["n_targets"] + 1
    shapes: dict[str, tuple[int, ...]] = {}
    for side, first in (("encoder", network["input_size"]), ("decoder", decoder)):
        for layer in range(network["num_layers"]):
            size = hidden if layer else first
            shapes[f"{side}.weight_ih_l{layer}"] = (gates * hidden, size)
            shapes[f"{side}.weight_hh_l{layer}"] = (gates * hidden, hidden)
            shapes[f"{side}.bias_ih_l{layer}"] = (gates * hidden,)
            shapes[f"{side}.bias_hh_l{layer}"] = (gates * hidden,)
    outputs = network["n_targets"] * network["n_outputs"]
    shapes |= {"head.weight": (outputs, hidden + decoder), "head.bias": (outputs,)}
    if network["highway"]:
        shapes |= {
            "highway.weight": (network["horizon"], network["highway"]),
            "highway.bias": (network["horizon"],),
        }
    return shapes


def forecast_outputs(
    network: Mapping[str, Any], weights: Mapping[str, np.ndarray], windows: Ragged
) -> np.ndarray:
    """Return what the network forecasts from windows, before scaling is undone.

    Parameters
    ----------
    network : mapping
        `recurra.nn.networks.forecast_network.ForecastConfig` as a dictionary.
    weights : mapping of str to ndarray
        Its state dict as float32 arrays.
    windows : Ragged with values of shape (total_steps, input_size), float32
        The last ``horizon`` rows of each lie ahead; their first ``2 * n_targets`` columns are not read.

    Returns
    -------
    ndarray of shape (batch, horizon, n_targets, n_outputs), float32

    Raises
    ------
    ShapeError
        If a window has other columns, or too few rows.
    """
    n, horizon, batch = network["n_targets"], network["horizon"], len(windows)
    needed = max(1, network["level"], network["highway"]) + horizon
    if windows.values.shape[1] != network["input_size"] or windows.lengths.min() < needed:
        raise ShapeError(
            f"forecast_outputs: windows must have {network['input_size']} columns and at least {needed} rows; got "
            f"{windows.values.shape[1]} and {int(windows.lengths.min())}."
        )
    ends = np.cumsum(windows.lengths)
    rows, level = _leveled(network, windows, ends)
    ahead = (ends[:, None] + np.arange(-horizon, 0)).reshape(-1)
    past = np.ones(len(rows), dtype=bool)
    past[ahead] = False
    words = {"cell": network["cell"], "weights": weights, "num_layers": network["num_layers"]}
    _, h_n, c_n = stack_states(rows[past], lengths=windows.lengths - horizon, prefix="encoder.", **words)
    place = np.tile(np.arange(1, horizon + 1, dtype=np.float32) / np.float32(horizon), batch)
    known = np.concatenate([place[:, None], rows[ahead, 2 * n :]], axis=1)
    lengths = np.full(batch, horizon)
    output, _, _ = stack_states(known, lengths=lengths, prefix="decoder.", h_0=h_n, c_0=c_n, **words)
    features = np.concatenate([output, known], axis=1)
    out = pooling.linear(features, weights["head.weight"], weights["head.bias"])
    out = out.reshape(batch, horizon, n, network["n_outputs"]) + level[:, None, :, None]
    if not network["highway"]:
        return out
    last = _last(rows, ends, network, network["highway"]).transpose(0, 2, 1)
    straight = pooling.linear(
        np.ascontiguousarray(last).reshape(batch * n, -1), weights["highway.weight"], weights["highway.bias"]
    )
    return out + straight.reshape(batch, n, horizon).transpose(0, 2, 1)[..., None]


def _last(rows: np.ndarray, ends: np.ndarray, network: Mapping[str, Any], steps: int) -> np.ndarray:
    """Return the last values before the horizon: shape (batch, steps, n_targets)."""
    where = ends[:, None] - network["horizon"] + np.arange(-steps, 0)
    return rows[where][..., : network["n_targets"]]


def _leveled(network: Mapping[str, Any], windows: Ragged, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose values are counted from their window's level, and the levels (batch, n_targets)."""
    n, steps = network["n_targets"], network["level"]
    if not steps:
        return windows.values, np.zeros((len(ends), n), np.float32)
    # accumulate adds one by one; sum would choose its order by shape
    level = np.add.accumulate(_last(windows.values, ends, network, steps), axis=1)[:, -1] / np.float32(steps)
    each = np.repeat(level, windows.lengths, axis=0)
    rows = windows.values.copy()
    rows[:, :n] -= each
    for lag in range(network["n_lags"]):
        rows[:, (2 + lag) * n : (3 + lag) * n] -= each
    return rows, level
