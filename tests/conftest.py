"""Fixtures that several rooms need."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """Return a function that gives a path below the folder of real data, or skips with the reason."""

    def find(relative):
        root = os.environ.get("RECURRA_DATA", "")
        path = Path(root) / relative
        if not root or not path.exists():
            pytest.skip(f"real data {relative} is not there (RECURRA_DATA={root or 'unset'})")
        return path

    return find
