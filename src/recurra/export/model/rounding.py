"""Weights of eight bits: every row of a matrix as whole numbers from -127 to 127 and one factor; activations stay float.

References
----------
.. [1] B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
   2018, arXiv:1712.05877; here of weights alone, with a factor for each row.
"""

from dataclasses import replace

import numpy as np

from recurra.errors import UsageError
from recurra.serving.models.fitted_model import FittedModel

CELLS = ("lstm", "gru")
_MOST = 127


def rounded(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers and factors whose products are nearest to a matrix.

    Parameters
    ----------
    weight : float32 array of shape (outputs, inputs)

    Returns
    -------
    int8 array of shape (outputs, inputs)
    float32 array of shape (outputs,)
        Factor of each row; 1 for a row of zeros.
    """
    factors = (np.abs(weight).max(axis=1) / np.float32(_MOST)).astype(np.float32)
    factors = np.where(factors > 0, factors, np.float32(1))
    whole = np.rint(weight / factors[:, None]).clip(-_MOST, _MOST).astype(np.int8)
    return whole, factors


def is_rounded(name: str) -> bool:
    """Whether a weight is one that is rounded: the matrices of the recurrence and of the head, not biases or tables."""
    own = name.rpartition("recurrent.")
    return (bool(own[1]) and own[2].startswith("weight_")) or name.endswith("head.weight")


def in_int8(model: FittedModel) -> FittedModel:
    """Return a model whose recurrence and head compute with weights of eight bits.

    Raises
    ------
    UsageError
        If its cell is none whose loss of accuracy has been measured.
    """
    network = model.manifest["network"]
    if network is None or network["cell"] not in CELLS:
        cell = "an own network" if network is None else repr(network["cell"])
        raise UsageError(
            f"int8: weights of eight bits are for cell='lstm' and cell='gru', where their loss was measured; got {cell}. "
            "Train with one of these, or leave int8 out."
        )
    weights = {}
    for name, array in model.weights.items():
        if is_rounded(name):
            whole, factors = rounded(array)
            array = whole.astype(np.float32) * factors[:, None]
        weights[name] = array
    return replace(model, weights=weights)
