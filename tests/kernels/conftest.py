"""Runs a test once with each version of the kernels."""

import pytest

import oracles
import recurra.kernels


@pytest.fixture(params=oracles.WHICH)
def kernels(request):
    """The version of the kernels in use during the test."""
    with recurra.kernels.use(request.param):
        yield request.param
