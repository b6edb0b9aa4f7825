"""Every entry of the page "When something is odd" is run, and what is printed is the sentence on the page."""

import contextlib
import io
import logging
import re
import warnings
from pathlib import Path

import pytest

import recurra
from recurra.errors import RecurraError

PAGE = Path(recurra.__file__).parents[2] / "docs" / "guide" / "odd.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the pages are not beside the installed package")
ENTRY = re.compile(
    r"^### (?P<seen>.+?)\n\n```python\n(?P<code>.+?)```\n```text\n(?P<said>.+?)\n```$", re.M | re.S
)


def entries():
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return [(found["seen"], found["code"], found["said"]) for found in ENTRY.finditer(text)]


@pytest.fixture(scope="module")
def names():
    """What the block at the head of the page defines."""
    first = re.search(r"```python\n(.+?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    made = {}
    exec(first[1], made)
    return made


@pytest.mark.parametrize(("seen", "code", "said"), entries(), ids=[seen for seen, _, _ in entries()])
def test_the_sentence_on_the_page_is_the_one_printed(seen, code, said, names, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with (
        warnings.catch_warnings(record=True) as told,
        contextlib.redirect_stdout(printed),
        caplog.at_level(logging.INFO),
    ):
        warnings.simplefilter("always")
        try:
            exec(code, dict(names))
        except RecurraError as error:
            print(error)
    heard = [printed.getvalue(), *(str(w.message) for w in told), *caplog.messages]
    assert any(said in each for each in heard), heard


def test_every_heading_has_an_entry():
    headings = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [seen for seen, _, _ in entries()] == headings
    assert len(headings) >= 12
