"""How fast the page is in a real Chromium: many runs, long recordings, long trainings, and what it costs the training."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recurra.folder_lock import FolderLock
from studio.browser import opened
from studio.conftest import Served
from studio.test_guard import write_run
from studio.test_runs import many

pytestmark = pytest.mark.slow

# Milliseconds from the beginning of the navigation until a selector is there and drawn.
WHEN = """(wanted) => new Promise((done) => {
  const look = () => {
    if (document.querySelector(wanted)) requestAnimationFrame(() => done(performance.now()));
    else setTimeout(look, 5);
  };
  look();
})"""
# Moves the pointer at every frame for so many seconds; returns pictures that were fetched and drawn, and the gaps.
PAN = """async (seconds) => {
  const node = document.querySelector("canvas.grab");
  const tell = (kind, x) => node.dispatchEvent(
    new PointerEvent(kind, { clientX: x, clientY: 300, altKey: true, pointerId: 1, bubbles: true }));
  node.setPointerCapture = () => {};
  const left = node.getBoundingClientRect().left, from = Number(node.dataset.drawn), began = performance.now();
  const gaps = [];
  let before = began, now = began;
  tell("pointerdown", left + 500);
  while (now - began < 1000 * seconds) {
    now = await new Promise(requestAnimationFrame);
    gaps.push(now - before);
    before = now;
    tell("pointermove", left + 500 + 300 * Math.sin((now - began) / 500));
  }
  tell("pointerup", left + 500);
  return { pictures: (Number(node.dataset.drawn) - from) / seconds, gaps };
}"""
GAPS = """async (seconds) => {
  const gaps = [], began = performance.now();
  let before = began, now = began;
  while (now - began < 1000 * seconds) {
    now = await new Promise(requestAnimationFrame);
    gaps.push(now - before);
    before = now;
  }
  return gaps;
}"""


def told(name, gaps):
    """Print and return the median, the 95th of 100 and the longest time between two frames, in ms."""
    found = np.percentile(gaps, [50, 95, 100])
    print(
        f"{name}: frames every {found[0]:.0f} ms, 95 of 100 within {found[1]:.0f} ms, longest {found[2]:.0f} ms"
    )
    return found


def test_a_table_of_a_thousand_runs_in_a_second(page, tmp_path, serve):
    many(tmp_path, 1000)
    one = serve(tmp_path)
    page.goto(one.url)
    first = page.evaluate(WHEN, "tbody tr") / 1000
    print(f"1,000 runs: table after {first:.2f} s")
    assert page.locator("tbody tr").count() == 200
    assert first < 1


def test_ten_million_samples_first_picture_and_panning(page, tmp_path, serve):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(10_000_000, 1)).cumsum(0).astype("f4"))
    one = serve(tmp_path)
    page.goto(one.url + "#page=label&file=a.npy")
    first = page.evaluate(WHEN, "canvas[data-drawn]") / 1000
    print(f"10 million samples: first picture after {first:.2f} s")
    rates = []
    for times in range(6):
        if times:
            page.get_by_role("button", name="Zoom in").click()
            page.wait_for_timeout(300)
        found = page.evaluate(PAN, 2)
        told(
            f"panning {10_000_000 // 2**times:,} samples, {found['pictures']:.0f} pictures a second",
            found["gaps"],
        )
        rates.append(found["pictures"])
    assert first < 1
    assert min(rates) >= 20


KEYS = ("train_loss", "valid_loss", "valid_accuracy", "learning_rate", "grad_norm_median", "grad_norm_max",
        "gradient_horizon", "gradient_length", "clipped_share", "steps_per_second", "seconds")  # fmt: skip


def test_a_live_run_of_ten_thousand_epochs_stays_smooth(page, tmp_path, serve):
    run = write_run(tmp_path / "a")
    rng = np.random.default_rng(0)

    def row(epoch):
        values = {key: float(rng.random() + 1 / epoch) for key in KEYS}
        return json.dumps({"epoch": epoch, "time": "2026-01-01T00:00:00+00:00", **values}) + "\n"

    (run / "history.jsonl").write_text("".join(row(epoch) for epoch in range(1, 10_001)))
    (run / "training.json").write_text(
        '{"state": "training", "max_epochs": 20000, "batches_per_epoch": 9, "patience": 20}'
    )
    one = serve(tmp_path)
    with FolderLock(run):
        page.goto(one.url + "#run=a")
        first = page.evaluate(WHEN, "figure canvas") / 1000
        page.wait_for_timeout(2000)
        writer = subprocess.Popen(
            [sys.executable, "-c", "import sys, time\nfor line in sys.stdin:\n"
             f"    open({str(run / 'history.jsonl')!r}, 'a').write(line); time.sleep(0.05)"],
            stdin=subprocess.PIPE, text=True,
        )  # fmt: skip
        writer.stdin.write("".join(row(10_001 + i) for i in range(120)))
        writer.stdin.close()
        gaps = page.evaluate(GAPS, 6)
        assert writer.wait(30) == 0
        page.get_by_text("10,120 of 20,000").wait_for(timeout=20_000)
        page.get_by_label("Smoothing").fill("0.9")
    print(f"10,000 epochs: curves after {first:.2f} s")
    _, most, longest = told("live", gaps)
    assert most < 50
    assert longest < 250


def test_a_run_of_a_hundred_thousand_epochs_opens(page, tmp_path, serve):
    run = write_run(tmp_path / "a")
    rng = np.random.default_rng(0)
    figures = rng.random((100_000, len(KEYS)))
    figures[54_321, KEYS.index("valid_loss")] = -1.0
    rows = ({"epoch": n} | dict(zip(KEYS, own, strict=True)) for n, own in enumerate(figures.tolist(), 1))
    (run / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one = serve(tmp_path)
    began = time.monotonic()
    opened(page, one, "#run=a")
    page.locator("figure canvas").first.wait_for()
    took = time.monotonic() - began
    print(f"100,000 epochs: curves after {took:.2f} s")
    page.get_by_text("Of 100,000 epochs").wait_for()
    assert took < 10


def test_an_open_page_slows_no_training(browser, tmp_path, trained_folder):
    """By the processor time of server and browser: of two threads that wait for each other both lose it."""
    one = Served(trained_folder)
    training = subprocess.Popen(
        [sys.executable, "-m", "recurra", "train", "gestures.csv", "-o", "runs/long", "--id", "recording", "--label",
         "gesture", "--max-epochs", "1000000", "--patience", "none", "--hidden-size", "64", "--seed", "0", "-q"],
        cwd=trained_folder,
    )  # fmt: skip
    history = trained_folder / "runs" / "long" / "history.jsonl"
    try:
        while not history.exists():
            time.sleep(0.2)
        page = browser.new_page()
        idle = share_of_a_processor(training.pid, 30)
        opened(page, one, "#run=runs%2Flong")
        page.get_by_role("heading", name="Loss").wait_for()
        time.sleep(5)
        seen = history.stat().st_size
        share = share_of_a_processor(training.pid, 90) - idle
        epochs = history.read_bytes()[seen:].count(b"\n") / 90
        print(f"{epochs:.0f} epochs a second beside an open page, which takes {share:.4f} of a processor")
        assert page.get_by_text("of 1,000,000").is_visible()
        page.close()
    finally:
        training.kill()
        training.wait()
        one.shown.close()
    assert share < 0.01


def share_of_a_processor(without, seconds):
    began, before = time.monotonic(), processor_seconds(without)
    time.sleep(seconds)
    return (processor_seconds(without) - before) / (time.monotonic() - began)


def processor_seconds(without):
    """Return the processor time of this process and all below it, but for one."""
    parents, used = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            own, _, rest = path.read_text().partition(" (")
        except OSError:
            continue
        words = rest.rpartition(") ")[2].split()
        parents[int(own)], used[int(own)] = int(words[1]), int(words[11]) + int(words[12])
    found, below = 0, [os.getpid()]
    while below:
        one = below.pop()
        if one != without:
            found += used.get(one, 0)
            below += [child for child, parent in parents.items() if parent == one]
    return found / os.sysconf("SC_CLK_TCK")
