"""The page in a real Chromium: every point is clicked through."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import recurra
from studio.conftest import QUICK, READ, Served

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
if BROWSER is None:
    pytest.skip("no Chromium is here: apt-get install chromium", allow_module_level=True)
SECONDS = 150_000  # milliseconds of patience, on a busy machine


sync_api.expect.set_options(timeout=SECONDS)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture(scope="module")
def served(trained_folder):
    rng = np.random.default_rng(0)
    np.save(trained_folder / "long.npy", rng.normal(size=(300_000, 2)).cumsum(axis=0).astype(np.float32))
    one = Served(trained_folder)
    yield one
    one.shown.close()


@pytest.fixture
def page(browser):
    """A page that fails the test at an error of its scripts or a breach of its policy."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(SECONDS)
    one = context.new_page()
    wrong = []
    one.on("pageerror", lambda error: wrong.append(str(error)))
    one.on(
        "console",
        lambda message: (
            message.type == "error"
            and "Failed to load resource" not in message.text
            and wrong.append(message.text)
        ),
    )
    yield one
    context.close()
    assert not wrong


def opened(page, served, rest=""):
    page.goto(served.url + rest)
    page.wait_for_selector("body[data-ready]")
    return page


def test_runs_are_sorted_filtered_noted_and_put_side_by_side(page, served):
    opened(page, served)
    names = page.locator("tbody th")
    assert set(names.all_inner_texts()) == {"runs/gru", "runs/lstm"}
    page.get_by_role("button", name="Run", exact=True).click()
    assert names.all_inner_texts() == ["runs/gru", "runs/lstm"]
    page.get_by_role("button", name="Run ↑").click()
    assert names.all_inner_texts() == ["runs/lstm", "runs/gru"]
    page.get_by_label("Filter").fill("cell=gru")
    assert names.all_inner_texts() == ["runs/gru"]
    page.get_by_role("button", name="Notes of runs/gru").click()
    page.locator("textarea").fill("<b>fine</b>")
    page.locator("textarea").blur()
    page.get_by_text("Saved.").wait_for()
    assert (served.folder / "runs" / "gru" / "notes.txt").read_text() == "<b>fine</b>"
    page.get_by_label("Filter").fill("")
    for name in ("gru", "lstm"):
        page.get_by_label(f"Choose runs/{name}").check()
    page.get_by_role("button", name="Side by side (2)").click()
    page.get_by_role("heading", name="Curves").wait_for()
    page.get_by_text("is not more than noise").or_(page.get_by_text("is more than noise")).wait_for()
    assert page.get_by_role("row", name=re.compile("^cell lstm gru|^cell gru lstm")).count() == 1
    page.get_by_role("combobox", name="Figure").select_option("train_loss")


def test_inside_a_run(page, served):
    opened(page, served, "#page=inside&run=runs%2Fgru&run=runs%2Flstm")
    page.get_by_role("heading", name="What it would have said").nth(1).wait_for()
    before = page.locator("main p strong").first.inner_text()
    shares = page.locator("main p.muted", has_text=" %").first
    was = shares.inner_text()
    page.get_by_role("button", name="Explain").first.click()
    page.get_by_text("Blue speaks for").wait_for()
    page.get_by_role("button", name="Show gates and states").first.click()
    page.get_by_text("reset gate r").wait_for()
    page.get_by_label("Add").first.fill("6")
    page.get_by_label("Steps wide").first.fill("12")
    page.get_by_label("Around step").first.fill("29")  # near the end: the network forgets
    page.get_by_role("button", name="Change the signal").first.click()
    sync_api.expect(shares).not_to_have_text(was)
    page.get_by_role("button", name="As it was").first.click()
    sync_api.expect(shares).to_have_text(was)
    signal = page.get_by_role("img", name="Signal of").first
    signal.scroll_into_view_if_needed()
    box = signal.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 10)
    page.mouse.up()
    sync_api.expect(shares).not_to_have_text(was)
    page.get_by_text("What the network is made of").click()
    picture = page.get_by_alt_text("The whole network of runs/gru")
    picture.scroll_into_view_if_needed()
    page.wait_for_function("node => node.complete && node.naturalWidth > 100", arg=picture.element_handle())
    assert before


def test_a_recording_is_labelled_with_mouse_and_keyboard(page, served):
    opened(page, served, "#page=label")
    page.get_by_role("button", name="long.npy").click()
    canvas = page.get_by_role("img", name="Recording long.npy")
    page.wait_for_selector("canvas[data-drawn]")
    page.get_by_label("Label", exact=True).fill("walk")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 60)
    page.mouse.up()
    page.get_by_role("button", name="Label what is marked").click()
    page.get_by_text("1 stretch, not saved yet").wait_for()
    canvas.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_label("Label", exact=True).fill("rest")
    canvas.focus()
    page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    assert rows.count() >= 2
    count = rows.count()
    page.get_by_role("button", name="Undo").click()
    assert rows.count() < count
    page.get_by_role("button", name="Redo").click()
    assert rows.count() == count
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved in labels.csv").wait_for()
    lines = (served.folder / "labels.csv").read_text().splitlines()
    assert lines[0] == "file,start,end,label"
    assert {line.rpartition(",")[2] for line in lines[1:]} == {"walk", "rest"}
    (served.folder / "labels.csv").unlink()


def test_a_training_is_begun_watched_paused_and_stopped(page, served):
    opened(page, served, "#page=begin")
    page.get_by_role("button", name="gestures.csv").click()
    page.get_by_label("Options, one a line").fill(
        "id = recording\nlabel = gesture\nmax_epochs = 100000\npatience = 100000\nrandom_state = 0"
    )
    page.get_by_label("Run folder").fill("runs/begun")
    page.get_by_text(
        "recurra train gestures.csv -o runs/begun --id recording --label gesture --max-epochs 100000"
    ).first.wait_for()
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("heading", name="Curves").wait_for()
    page.get_by_text("of 100,000").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.locator("span.state.paused").wait_for()
    page.get_by_role("button", name="Go on").click()
    page.locator("span.state.training").wait_for()
    page.get_by_role("button", name="Stop and keep the best").click()
    page.get_by_role("heading", name="Result").wait_for()
    assert (served.folder / "runs" / "begun" / "model.recurra").is_file()
    with page.expect_download() as download:
        page.get_by_role("link", name="Model file").click()
    assert download.value.suggested_filename == "begun.recurra"
    shutil.rmtree(served.folder / "runs" / "begun")


FOCUSED = """() => {
  const node = document.activeElement;
  return (node.innerText || node.getAttribute("aria-label") || node.type || "").trim();
}"""
OVER_THE_EDGE = """() => [...document.querySelectorAll("main :is(button, input, select, h2, h3, p, textarea)")]
  .filter((node) => !node.closest(".hold, .heat, .frames, .tall, details"))
  .filter((node) => {
    const box = node.getBoundingClientRect();
    return box.width && (box.right > innerWidth + 1 || box.left < -1);
  })
  .map((node) => node.outerHTML.slice(0, 120))"""
PAGES = {
    "runs": "", "run": "#run=runs%2Fgru", "compare": "#page=compare&run=runs%2Fgru&run=runs%2Flstm",
    "inside": "#page=inside&run=runs%2Fgru", "label": "#page=label&file=long.npy", "begin": "#page=begin",
    "files": "#page=label",
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_nothing_serious_for_people_who_use_other_ways_to_read(page, served, name):
    axe = pytest.importorskip("axe_core_python", reason="axe_core_python is not installed")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text()
    opened(page, served, PAGES[name])
    settled(page, name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate(script + "; undefined")
        found = page.evaluate("axe.run()")["violations"]
        bad = [
            (one["id"], one["nodes"][0]["html"][:200])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert bad == []


def settled(page, name):
    if name == "compare":
        page.get_by_text("more than noise").wait_for()
    if name == "inside":
        page.get_by_role("heading", name="What it would have said").wait_for()
    if name == "label":
        page.wait_for_selector("canvas[data-drawn]")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_cut_or_reaches_over_the_edge(page, served, name):
    opened(page, served, PAGES[name])
    settled(page, name)
    for width in (400, 700, 1000, 1600, 2000):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVER_THE_EDGE) == []
        for scheme in ("light", "dark") if "STUDIO_PICTURES" in os.environ else ():
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(300)
            page.screenshot(
                path=f"{os.environ['STUDIO_PICTURES']}/{name}-{width}-{scheme}.png", full_page=True
            )


def test_the_keyboard_alone_reaches_everything(page, served):
    opened(page, served)
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
    for wanted in ("Skip to the content", "Runs", "Begin", "Label", "search", "runs/gru", "Choose runs/gru"):
        assert wanted in seen


def test_a_name_with_html_in_it_is_text(page, serve, tmp_path):
    from studio.test_guard import EVIL, write_run

    write_run(tmp_path / EVIL.replace("/", "_"), task=EVIL, estimator=EVIL, params={EVIL: EVIL})
    write_run(tmp_path / "b", params={EVIL: "x"})
    one = serve(tmp_path)
    opened(page, one)
    assert page.locator("tbody th", has_text="onerror").count() == 1
    page.locator("tbody th a", has_text="onerror").click()
    page.get_by_role("heading", name="Curves").wait_for()
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.slow
def test_a_training_of_half_a_minute_ends_with_the_weights_of_the_same_steps(page, served, tmp_path):
    words = {**READ, **QUICK, "max_epochs": 3000, "patience": None, "hidden_size": 24}
    process = subprocess.Popen(
        [sys.executable, "-m", "recurra", "train", "gestures.csv", "-o", "runs/watched", "--id", "recording",
         "--label", "gesture",
         "--batch-size", "64", "--max-epochs", "3000", "--patience", "none", "--hidden-size", "24",
         "--validation-fraction", "0", "--seed", "0", "-q"],
        cwd=served.folder,
    )  # fmt: skip
    while not (served.folder / "runs" / "watched" / "history.jsonl").exists():
        time.sleep(0.2)
    opened(page, served, "#run=runs%2Fwatched")
    page.get_by_role("heading", name="Loss").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.locator("span.state.paused").wait_for()
    page.get_by_role("button", name="Go on").click()
    page.locator("span.state.training").wait_for()
    page.get_by_label("Last epoch").fill("4000")
    page.get_by_role("button", name="Set the last epoch").click()
    page.get_by_text("of 4,000").wait_for()
    time.sleep(20)
    page.get_by_role("button", name="Stop and keep the best").click()
    page.get_by_role("heading", name="Result").wait_for()
    assert process.wait(60) == 0
    watched = recurra.load_model(served.folder / "runs" / "watched" / "model.recurra")
    history = (served.folder / "runs" / "watched" / "history.jsonl").read_text().splitlines()
    words |= {"max_epochs": len(history), "validation_fraction": 0.0, "batch_size": 64}
    plain = recurra.train(served.folder / "gestures.csv", out=tmp_path / "plain", seed=0, **words).estimator
    for name, array in watched.model_.weights.items():
        assert np.array_equal(array, plain.model_.weights[name]), name
    shutil.rmtree(served.folder / "runs" / "watched")
