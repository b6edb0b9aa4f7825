"""The Python of these pages runs as it stands: every block of a page in order, with the names of the blocks before it."""

import re
import warnings
from pathlib import Path

import matplotlib
import pytest

import recurra

ROOT = Path(recurra.__file__).parents[2]
PAGES = ["README.md", *(f"docs/guide/{name}.md" for name in ("nothing-lost", "translate", "understand"))]
BLOCK = re.compile(r"^```python\n(.+?)^```", re.M | re.S)


@pytest.mark.skipif(not (ROOT / PAGES[0]).exists(), reason="the pages are not beside the installed package")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert blocks
    names = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", recurra.errors.RecurraWarning)
        for block in blocks:
            # Empty lines before the code give an error the line of the page.
            lines_before = text.count("\n", 0, block.start(1))
            exec(compile("\n" * lines_before + block[1], page, "exec"), names)
