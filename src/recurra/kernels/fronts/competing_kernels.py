r"""How often each kernel of a group answers most strongly, with numpy.

Every step of a sequence is won by one kernel of a group, that with the largest response, and lost by one, that with the
smallest. The responses of the steps it wins are added, those it loses counted; both are divided by the length [1]_.

References
----------
.. [1] A. Dempster, D. F. Schmidt, G. I. Webb, "Hydra: Competing Convolutional Kernels for Fast and Accurate Time Series
   Classification", Data Mining and Knowledge Discovery 37, 2023, arXiv:2203.13652.
"""

import numpy as np

from recurra.kernels.fronts.random_kernels import TAPS

# Kernels of a group.
RIVALS = 8


def contests(x: np.ndarray, *, channels: np.ndarray, dilation: int, weights: np.ndarray) -> np.ndarray:
    """Return for each kernel of each group what it wins and loses, zeros before and after the sequence.

    There is no native version: who wins where a sequence is flat hangs on the last bit of a sum, so all sums are written
    out here, product by product, in one order for every machine.

    Parameters
    ----------
    x : float32 array of shape (time, channels)
        At least one step.
    channels : int64 array of shape (groups, n)
        The channels that each group sees, summed; filled up with -1, which stands for none.
    dilation : int
        Steps from one input of a kernel to the next.
    weights : float32 array of shape (groups, 8, 9)

    Returns
    -------
    float32 array of shape (2, groups, 8)
        The mean over all steps of the positive responses where a kernel wins, and the share of steps that it loses.
    """
    steps, middle = len(x), TAPS // 2
    columns = np.concatenate([x.T, np.zeros((1, steps), np.float32)])  # the last is what -1 stands for
    seen = columns[channels[:, 0]]
    for place in range(1, channels.shape[1]):
        seen += columns[channels[:, place]]
    # Of each tap the steps that it sees something at, and where it sees it. Zeros beyond the sequence add nothing.
    places = []
    for k in range(TAPS):
        moved = (k - middle) * dilation
        if abs(moved) < steps:
            places.append(
                (k, slice(max(0, -moved), steps - max(0, moved)), slice(max(0, moved), steps + min(0, moved)))
            )
    winner = np.zeros(seen.shape, np.int8)
    loser = np.zeros(seen.shape, np.int8)
    product = np.empty(seen.shape, np.float32)
    for rival in range(RIVALS):
        response = np.zeros(seen.shape, np.float32)
        for k, at, of in places:
            np.multiply(weights[:, rival, k, None], seen[:, of], out=product[:, at])
            response[:, at] += product[:, at]
        if rival == 0:
            most, least = response, response.copy()
            continue
        # Of equal responses the first wins.
        np.copyto(winner, rival, where=response > most)
        np.copyto(loser, rival, where=response < least)
        np.maximum(most, response, out=most)
        np.minimum(least, response, out=least)
    positive = np.maximum(most, np.float32(0)).astype(np.float64)
    out = np.empty((2, len(weights), RIVALS), np.float32)
    for rival in range(RIVALS):
        out[0, :, rival] = np.where(winner == rival, positive, 0.0).sum(axis=1) / steps
        out[1, :, rival] = np.count_nonzero(loser == rival, axis=1) / steps
    return out
