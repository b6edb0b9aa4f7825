"""`fit` inside of what the caller has switched on in torch: the same weights as without."""

import contextlib

import numpy as np
import pytest
import torch

from every_task import TASKS, fit, make


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    before = torch.get_default_device()
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(before)


SURROUNDINGS = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "double": lambda: default_dtype(torch.float64),
    "half": lambda: default_dtype(torch.float16),
    "within a device": lambda: torch.device("meta"),
    "default device": lambda: default_device("meta"),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True),
}


def weights_of(model):
    return model.weights if hasattr(model, "weights") else weights_of(model.model)


@pytest.fixture(scope="module")
def plain():
    return {}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("name", TASKS)
def test_every_estimator_learns_the_same(name, surroundings, plain):
    words = {"max_epochs": 1}
    if name not in plain:
        plain[name] = weights_of(fit(make(name, **words)).model_)
    with SURROUNDINGS[surroundings]():
        found = weights_of(fit(make(name, **words)).model_)
    assert found.keys() == plain[name].keys()
    for key, weight in found.items():
        assert weight.dtype == plain[name][key].dtype
        np.testing.assert_array_equal(weight, plain[name][key])
