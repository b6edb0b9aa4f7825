"""Signal files to read, written by other packages."""

import numpy as np


def waves(steps=500, channels=2, rate=100.0, seed=0):
    """Values of shape (steps, channels) in (-1, 1)."""
    t = np.arange(steps) / rate
    noise = np.random.default_rng(seed).normal(size=(steps, channels)) * 0.05
    return 0.5 * np.sin(2 * np.pi * t[:, None] * (1 + np.arange(channels))) + noise


def message(call, kind):
    """The one sentence an error says."""
    import pytest

    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refused(call, kind):
    """Whether a call is refused, which must be in one sentence."""
    try:
        call()
    except kind as error:
        said = str(error)
    else:
        return False
    assert said
    assert "\n" not in said
    return True
