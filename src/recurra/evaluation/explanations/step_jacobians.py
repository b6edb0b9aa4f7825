r"""How one time step carries a small change of the state on: the step Jacobians of the cells.

For the plain RNN and the GRU the state is h, for the LSTM it is (h, c). With the gates of a step at hand:

.. math::

    \text{RNN:}\quad & \partial h_t / \partial h_{t-1} = \mathrm{diag}(\phi'(a_t)) U \\
    \text{GRU:}\quad & \mathrm{diag}(z) + \mathrm{diag}((h_{t-1} - n) z (1 - z)) U_z
        + \mathrm{diag}((1 - z)(1 - n^2)) [\mathrm{diag}(r) U_n + \mathrm{diag}(q r (1 - r)) U_r] \\
    \text{LSTM:}\quad & \partial c_t / \partial c_{t-1} = \mathrm{diag}(f), \qquad
        \partial c_t / \partial h_{t-1} = \mathrm{diag}(g i (1 - i)) U_i
        + \mathrm{diag}(c_{t-1} f (1 - f)) U_f + \mathrm{diag}(i (1 - g^2)) U_g

and :math:`h_t = o \odot \tanh c_t` on top. Products of these matrices are what makes gradients vanish or explode.

References
----------
.. [1] Bengio, Simard and Frasconi, "Learning Long-Term Dependencies with Gradient Descent is Difficult", IEEE
   Transactions on Neural Networks 5(2), 1994.
.. [2] Pascanu, Mikolov and Bengio, "On the Difficulty of Training Recurrent Neural Networks", 2012,
   arXiv:1211.5063.
"""

import numpy as np

from recurra.kernels.cell import CELLS
from recurra.kernels.cells.functions import FUNCTIONS
from recurra.kernels.networks.activations import DirectionInside


def step_jacobian(inside: DirectionInside, row: int) -> np.ndarray:
    """Return the derivative of the state after a step by the state before it.

    Parameters
    ----------
    inside : DirectionInside
        A layer that was run.
    row : int
        Which step, as a flat row.

    Returns
    -------
    ndarray of shape (size, size)
        float64; ``size`` is hidden_size, for the LSTM twice that: h, then c.
    """
    return _JACOBIANS.get(inside.cell, _by_differences)(inside, row)


def _blocks(inside: DirectionInside, count: int) -> list[np.ndarray]:
    return list(np.split(inside.weights["weight_hh"].astype(np.float64), count, axis=0))


def _parts(inside: DirectionInside, row: int) -> list[np.ndarray]:
    return [values[row].astype(np.float64) for values in inside.gates().values()]


def _rnn(inside: DirectionInside, row: int) -> np.ndarray:
    h = inside.output[row].astype(np.float64)
    slope = 1 - h * h if inside.cell == "rnn" else (h > 0).astype(np.float64)
    return slope[:, None] * _blocks(inside, 1)[0]


def _gru(inside: DirectionInside, row: int) -> np.ndarray:
    r, z, n = _parts(inside, row)
    u_r, u_z, u_n = _blocks(inside, 3)
    h_prev, q = inside.saved.h_prev[row].astype(np.float64), inside.saved.q[row].astype(np.float64)
    inner = r[:, None] * u_n + (q * r * (1 - r))[:, None] * u_r
    blended = ((h_prev - n) * z * (1 - z))[:, None] * u_z
    return np.diag(z) + blended + ((1 - z) * (1 - n * n))[:, None] * inner


def _lstm(inside: DirectionInside, row: int) -> np.ndarray:
    i, f, g, o = _parts(inside, row)
    u_i, u_f, u_g, u_o = _blocks(inside, 4)
    c, c_prev = inside.saved.c[row].astype(np.float64), inside.saved.c_prev[row].astype(np.float64)
    tanh_c = np.tanh(c)
    c_by_h = (
        (g * i * (1 - i))[:, None] * u_i
        + (c_prev * f * (1 - f))[:, None] * u_f
        + (i * (1 - g * g))[:, None] * u_g
    )
    h_by_c = o * (1 - tanh_c * tanh_c)
    h_by_h = (tanh_c * o * (1 - o))[:, None] * u_o + h_by_c[:, None] * c_by_h
    return np.block([[h_by_h, np.diag(h_by_c * f)], [c_by_h, np.diag(f)]])


def _by_differences(inside: DirectionInside, row: int) -> np.ndarray:
    """Where no formula stands here: central differences in float64, within about 1e-9."""
    size, step = inside.hidden_size, 1e-5
    weights = {name: array.astype(np.float64) for name, array in inside.weights.items()}
    names = CELLS[inside.cell].states
    before = np.concatenate([getattr(inside.saved, f"{name}_prev")[row] for name in names]).astype(np.float64)
    moved = np.concatenate([before + sign * step * np.eye(len(before)) for sign in (1, -1)])
    x = np.repeat(inside.saved.x[row][None].astype(np.float64), len(moved), axis=0)
    states = tuple(np.ascontiguousarray(part) for part in np.split(moved, len(moved[0]) // size, axis=1))
    after = FUNCTIONS[inside.cell].step(x, states, weights)
    up, down = np.split(np.concatenate(after, axis=1), 2)
    return np.asarray((up - down).T / (2 * step))


_JACOBIANS = {"rnn": _rnn, "rnn_relu": _rnn, "lstm": _lstm, "gru": _gru}


def radius_and_norm(jacobian: np.ndarray) -> tuple[float, float]:
    """Return the spectral radius (largest eigenvalue in size) and the norm (largest singular value)."""
    radius = float(np.abs(np.linalg.eigvals(jacobian)).max())
    return radius, float(np.linalg.svd(jacobian, compute_uv=False)[0])
