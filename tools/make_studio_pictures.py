"""Draw the pictures of docs/guide/studio.md: runs on the bundled vowels and a recording, seen in a Chromium.

python tools/make_studio_pictures.py
"""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

import recurra

IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZE = {"width": 1100, "height": 760}


def write_runs(folder: Path) -> None:
    """Train two small networks on the vowels, and write a recording with some labels."""
    for cell in ("gru", "lstm"):
        recurra.train(
            "japanese-vowels",
            out=folder / "runs" / cell,
            seed=0,
            cell=cell,
            hidden_size=24,
            max_epochs=12,
            verbose=0,
        )
    rng = np.random.default_rng(0)
    time = np.arange(1_600_000) / 500
    beat = np.sin(2 * np.pi * 1.1 * time) ** 21 + 0.2 * np.sin(time / 40)
    values = (
        beat
        + 0.05 * rng.normal(size=len(time))
        + np.where((time > 900) & (time < 1200), rng.normal(size=len(time)), 0)
    )
    (folder / "recordings").mkdir()
    np.save(folder / "recordings" / "monday.npy", values.astype(np.float32)[:, None])
    rows = ["monday.npy,450000,600000,artefact", "monday.npy,1200000,1500000,rest"]
    (folder / "recordings" / "labels.csv").write_text("file,start,end,label\n" + "\n".join(rows) + "\n")


def main() -> None:
    """Serve the runs and draw each page once it is there."""
    browser_path = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "work"
        folder.mkdir()
        write_runs(folder)
        os.chdir(folder)
        shown = recurra.studio(folder)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(300_000)

            def draw(name: str, rest: str, wait: str) -> None:
                page.goto("about:blank")
                page.goto(shown.url + rest)
                page.wait_for_selector("body[data-ready]")
                page.wait_for_selector(wait)
                if name == "inside":
                    page.get_by_role("button", name="Explain").click()
                    page.get_by_text("Blue speaks for").wait_for()
                page.wait_for_timeout(1000)
                page.screenshot(path=IMAGES / f"studio-{name}.png")

            draw("runs", "", "tbody th")
            draw("run", "#run=runs%2Fgru", "h2")
            draw("inside", "#page=inside&run=runs%2Fgru", "h3:has-text('What it would')")
            draw("label", "#page=label&file=recordings%2Fmonday.npy", "canvas[data-drawn]")
            browser.close()
        shown.close()


if __name__ == "__main__":
    main()
