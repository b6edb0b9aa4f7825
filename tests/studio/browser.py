"""What the tests in a browser share: a Chromium, a page that fails at an error of its scripts, and how a page must look."""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
if BROWSER is None:
    pytest.skip("no Chromium is here: apt-get install chromium", allow_module_level=True)
SECONDS = 150_000  # milliseconds of patience, on a busy machine
WIDTHS = (400, 700, 1000, 1600, 2000)
expect = sync_api.expect
expect.set_options(timeout=SECONDS)

FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
OVER_THE_EDGE = """() => [
    ...document.querySelectorAll("main :is(caption span, .heat figcaption)"),
    ...[...document.querySelectorAll("main :is(button, input, select, h2, h3, p, textarea, figcaption)")]
      .filter((node) => !node.closest(".hold, .heat, .frames, .tall, details"))]
  .filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1);
  })
  .map((node) => node.outerHTML.slice(0, 120))"""


def opened(page, served, rest=""):
    """Open a page of a studio."""
    page.goto("about:blank")
    page.goto(served.url + rest)
    page.wait_for_selector("body[data-ready]")
    return page


def check_looks(page, name):
    """Check that nothing reaches over the edge at any width, and that axe finds nothing serious, light and dark.

    With STUDIO_PICTURES=FOLDER every page is drawn into the folder.
    """
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(FRAMES)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVER_THE_EDGE) == []
        for scheme in ("light", "dark") if "STUDIO_PICTURES" in os.environ else ():
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(300)
            path = f"{os.environ['STUDIO_PICTURES']}/{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True)
    page.set_viewport_size({"width": 1200, "height": 900})
    axe = pytest.importorskip("axe_core_python", reason="axe_core_python is not installed")
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text() + "; undefined")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate("axe.run()")["violations"]
        bad = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in bad] == []
    page.emulate_media(color_scheme="light")
