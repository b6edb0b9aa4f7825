r"""Linear-chain conditional random field with numpy: likeliest labels, probability of each; see `recurra.nn.heads.crf`.

With scores e of each step and label, transitions A, and scores of the first and last label,

.. math:: \beta_T = end,\quad \beta_t(i) = \log\sum_j \exp(A_{ij} + e_{t+1}(j) + \beta_{t+1}(j)),\quad
          p(y_t = j \mid y_{t-1} = i, x) \propto \exp(A_{ij} + e_t(j) + \beta_t(j)),

so that the field is a Markov chain whose steps are these conditional probabilities [1]_. Everything follows from them: the
likelihood is their product, the likeliest labels are the likeliest path, and the probability of a label is that of the
chain. Each sequence is computed by itself, in double, so that nothing depends on its neighbours.

References
----------
.. [1] Lafferty, McCallum and Pereira, "Conditional Random Fields", 2001.
"""

from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def shapes(labels: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight, named as in a network's state dict."""
    return {"crf.transitions": (labels, labels), "crf.begin": (labels,), "crf.end": (labels,)}


def conditionals(scores: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the logarithm of the probability of each label given the one before.

    Parameters
    ----------
    scores : ndarray of shape (time, labels)
        Of one sequence.
    weights : mapping of str to ndarray
        Those of `shapes`; a transition goes from its row to its column.

    Returns
    -------
    ndarray of shape (time, labels, labels), float64
        From its row to its column; of the first step every row is the same.
    """
    steps = len(scores)
    e = scores.astype(np.float64)
    transitions = weights["crf.transitions"].astype(np.float64)
    after = weights["crf.end"].astype(np.float64)
    out = np.empty((steps, *transitions.shape))
    for t in range(steps - 1, -1, -1):
        before = (
            transitions if t else np.broadcast_to(weights["crf.begin"].astype(np.float64), transitions.shape)
        )
        joint = before + (e[t] + after)
        total = _log_sum(joint)
        out[t] = joint - total[:, None]
        after = total
    return out


def best_path(scores: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the likeliest labels of one sequence (Viterbi): int64 array of shape (time,)."""
    chain = conditionals(scores, weights)
    best = chain[0, 0]
    came_from = np.zeros(scores.shape, dtype=np.int64)
    for t in range(1, len(scores)):
        paths = best[:, None] + chain[t]
        came_from[t] = paths.argmax(axis=0)
        best = paths.max(axis=0)
    labels = np.empty(len(scores), dtype=np.int64)
    labels[-1] = best.argmax()
    for t in range(len(scores) - 1, 0, -1):
        labels[t - 1] = came_from[t, labels[t]]
    return labels


def marginals(scores: np.ndarray, weights: Weights) -> np.ndarray:
    """Return the probability of each label at each step of one sequence: float32 array of shape (time, labels)."""
    chain = np.exp(conditionals(scores, weights))
    out = np.empty(scores.shape)
    out[0] = chain[0, 0]
    for t in range(1, len(scores)):
        out[t] = (out[t - 1][:, None] * chain[t]).sum(axis=0)
    return (out / out.sum(axis=1, keepdims=True)).astype(np.float32)


def _log_sum(joint: np.ndarray) -> np.ndarray:
    highest = joint.max(axis=1)
    found: np.ndarray = highest + np.log(np.exp(joint - highest[:, None]).sum(axis=1))
    return found
