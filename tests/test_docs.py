"""Examples in docstrings run, public docstrings say what they must, and links between pages hold."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import recurra

SOURCE = Path(recurra.__file__).parent
ROOT = SOURCE.parent.parent

WITH_EXAMPLES = sorted(f for f in SOURCE.rglob("*.py") if re.search(r">>> (?!.*\+SKIP)", f.read_text()))


def module_of(file):
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


@pytest.mark.parametrize("file", WITH_EXAMPLES, ids=lambda f: str(f.relative_to(SOURCE)))
def test_examples_in_docstrings_run(file):
    failed, tried = doctest.testmod(module_of(file))
    assert tried > 0
    assert failed == 0


# numpydoc's checks of content; those of punctuation and of sections we do not use are left out.
CHECKS = {"GL08", "PR01", "PR02", "PR03", "PR04", "RT03"}
CALLABLES = [
    name
    for name in recurra.__all__
    if inspect.isclass(getattr(recurra, name)) or inspect.isfunction(getattr(recurra, name))
]


@pytest.mark.parametrize("name", sorted(CALLABLES))
def test_public_docstrings_name_every_parameter(name):
    thing = getattr(recurra, name)
    found = validate(f"{thing.__module__}.{thing.__qualname__}")["errors"]
    assert [error for error in found if error[0] in CHECKS] == []


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.skipif(not PAGES, reason="the pages are not beside the installed package")
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_hold(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
