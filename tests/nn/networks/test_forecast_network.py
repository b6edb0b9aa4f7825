import numpy as np
import pytest
import torch

from recurra import kernels
from recurra.errors import ShapeError, UsageError
from recurra.nn.networks.forecast_network import ForecastConfig, build
from recurra.nn.networks.sequence_network import to_arrays
from recurra.ragged import Ragged
from recurra.serving.forecasting import expected_shapes, forecast_outputs

WORDS = {"n_targets": 2, "horizon": 3, "hidden_size": 5, "n_lags": 1, "n_outputs": 2}


def case(cell="lstm", seed=0, **words):
    config = ForecastConfig(cell=cell, input_size=8, **WORDS | words)
    network = build(config, seed=seed).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # also those that begin as zero
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    rng = np.random.default_rng(seed)
    lengths = [7, 9, 12]
    return network, Ragged(rng.normal(size=(sum(lengths), 8)).astype(np.float32), lengths)


def by_torch(network, windows):
    with torch.no_grad():
        return network(windows.replace(torch.from_numpy(windows.values))).numpy()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("which", ["native", "reference"])
def test_the_kernels_give_what_the_module_gives(cell, which):
    network, windows = case(cell, level=2, highway=4, num_layers=2)
    with kernels.use(which):
        found = forecast_outputs(network.config.to_dict(), to_arrays(network), windows)
    assert found.shape == (3, 3, 2, 2)
    np.testing.assert_allclose(found.reshape(3, -1), by_torch(network, windows), rtol=1e-4, atol=1e-5)


def test_what_lies_ahead_is_never_read():
    network, windows = case(level=2, highway=4)
    before = by_torch(network, windows)
    changed = windows.values.copy()
    for end in np.cumsum(windows.lengths):
        changed[end - 3 : end, :4] = np.nan
    np.testing.assert_array_equal(by_torch(network, Ragged(changed, windows.lengths)), before)
    changed[-1, 7] += 1  # what is known in advance is read
    assert not np.array_equal(by_torch(network, Ragged(changed, windows.lengths)), before)


def test_a_level_moves_with_the_series():
    network, windows = case(level=2, n_lags=1)
    raised = windows.values.copy()
    raised[:, [0, 1, 4, 5]] += 10  # values and lagged values
    low, high = by_torch(network, windows), by_torch(network, Ragged(raised, windows.lengths))
    np.testing.assert_allclose(high, low + 10, rtol=1e-4)


def test_noise_is_for_training_only():
    network, windows = case(noise=1.0)
    np.testing.assert_array_equal(by_torch(network, windows), by_torch(network, windows))
    network.train()
    assert not np.array_equal(by_torch(network, windows), by_torch(network, windows))


def test_shapes_are_those_of_the_module():
    network, _ = case("gru", highway=2, num_layers=2)
    assert expected_shapes(network.config.to_dict()) == {n: a.shape for n, a in to_arrays(network).items()}


def test_bad_windows_and_fields():
    network, windows = case(highway=6)
    with pytest.raises(ShapeError, match="a window must have at least 9 rows, its horizon among them; got 7"):
        by_torch(network, windows)
    with pytest.raises(ShapeError, match=r"windows must have shape \(total_steps, input_size=8\)"):
        by_torch(network, Ragged(windows.values[:, :7], windows.lengths))
    with pytest.raises(UsageError, match="input_size must be a whole number of at least 6; got 5"):
        ForecastConfig(cell="gru", input_size=5, **WORDS)
    with pytest.raises(UsageError, match="unknown key 'cells'"):
        ForecastConfig.from_dict({"cells": 1})
