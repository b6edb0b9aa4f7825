"""The choice of the kernels: words, nesting, threads and the environment variable."""

import os
import subprocess
import sys

import pytest

import recurra.kernels
from recurra.errors import UsageError


def test_use_nests_and_restores():
    before = recurra.kernels.current()
    with recurra.kernels.use("reference"):
        assert recurra.kernels.current() == "reference"
        with recurra.kernels.use("auto"):
            assert recurra.kernels.current() in ("native", "reference")
        assert recurra.kernels.current() == "reference"
    assert recurra.kernels.current() == before


def test_unknown_word_is_refused():
    with (
        pytest.raises(UsageError, match=r"which must be one of .* Did you mean 'native'"),
        recurra.kernels.use("nativ"),
    ):
        pass


def test_native_by_name_says_when_it_is_absent():
    if recurra.kernels.describe()["native"]:
        with recurra.kernels.use("native"):
            assert recurra.kernels.current() == "native"
        return
    with pytest.raises(UsageError, match="'native' was asked for, but"), recurra.kernels.use("native"):
        pass


def test_environment_variable_decides():
    code = "import recurra.kernels as k; print(k.current(), k.describe()['chosen'])"
    environment = {**os.environ, "RECURRA_KERNELS": "reference"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["reference", "reference"]
