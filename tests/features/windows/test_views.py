"""What a detector looks at: what pandas finds, and nothing of what comes later."""

import numpy as np
import pandas as pd
import pytest

from recurra.features.windows import views
from recurra.features.windows.sample_blocks import Blocks
from recurra.features.windows.views import BEFORE, VIEWS


def wandering(steps, channels=2, seed=0):
    return np.cumsum(np.random.default_rng(seed).normal(size=(steps, channels)), axis=0)


def test_they_are_what_pandas_finds():
    values = wandering(300)
    frame = pd.DataFrame(values)
    np.testing.assert_array_equal(VIEWS["values"](values), values)
    np.testing.assert_allclose(VIEWS["differences"](values), frame.diff().fillna(0))
    mirrored = pd.DataFrame(np.concatenate([values[:BEFORE][::-1], values]))
    expected = (mirrored - mirrored.rolling(BEFORE).median().shift(1))[BEFORE:]
    np.testing.assert_allclose(VIEWS["deviations"](values), expected)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("steps", [1, 2, 24, 25, 26, 60])
def test_what_comes_later_moves_no_bit(view, steps):
    values = wandering(steps + 40)
    start = max(steps, BEFORE)  # of fewer steps the beginning has fewer to stand for what came before
    np.testing.assert_array_equal(VIEWS[view](values[:start]), VIEWS[view](values)[:start])
    assert VIEWS[view](values[:steps]).shape == (steps, 2)
    assert np.isfinite(VIEWS[view](values[:steps])).all()


def test_long_ones_are_seen_in_portions(monkeypatch):
    values = wandering(500)
    whole = VIEWS["deviations"](values)
    monkeypatch.setattr(views, "CHUNK", 64)
    np.testing.assert_array_equal(VIEWS["deviations"](values), whole)


@pytest.mark.parametrize("view", ["deviations", "differences"])
def test_blocks_are_of_what_is_seen(view):
    values = wandering(400) + np.arange(400)[:, None]
    blocks = Blocks.fit([values[:250], values[250:]], size=4, view=view)
    seen = np.concatenate([VIEWS[view](values[:250]), VIEWS[view](values[250:])])
    np.testing.assert_allclose(blocks.center, seen.mean(axis=0))
    np.testing.assert_allclose(blocks.spread, seen.std(axis=0))
    scaled = (VIEWS[view](values) - seen.mean(axis=0)) / seen.std(axis=0)
    np.testing.assert_allclose(blocks.scaled(values), scaled)
    np.testing.assert_allclose(blocks.rows(values)[:, :8].reshape(-1, 2), scaled, rtol=1e-5, atol=1e-6)
