"""What the page of an evaluation is called."""

from pathlib import Path

import pytest

from recurra.runs.evaluate import page_name


@pytest.mark.parametrize(
    ("data", "name", "source", "page"),
    [
        (None, None, "", "eval-test"),
        ("data/new.csv", None, "", "eval-new"),
        (Path("data/new.csv"), "march 2026/b", "", "eval-march-2026-b"),
        ([1], None, "sensors.csv", "eval-sensors"),
        ([1], None, "", "eval-data"),
        ("x.csv", "///", "", "eval-data"),
    ],
)
def test_the_page_is_named_after_the_data(data, name, source, page):
    assert page_name(data, name, source=source) == page
