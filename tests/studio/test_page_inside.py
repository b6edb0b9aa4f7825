"""The page in a real Chromium: what a network thought of a sequence of each kind, and recordings that are labelled."""

import re

import pytest

import recurra
from studio.browser import check_looks, expect, opened
from studio.conftest import Served


@pytest.fixture(scope="module")
def kinds(kinds_folder):
    one = Served(kinds_folder)
    yield one
    one.shown.close()


def test_two_runs_on_one_sequence_dragged_and_changed(page, served):
    opened(page, served, "#page=inside&run=runs%2Fgru&run=runs%2Flstm")
    page.get_by_role("heading", name="What it would have said").nth(1).wait_for()
    for name in ("gru", "lstm"):
        assert page.get_by_role("heading", name=f"seen by runs/{name}").count() == 1
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
    expect(shares).not_to_have_text(was)
    page.get_by_role("button", name="As it was").first.click()
    expect(shares).to_have_text(was)
    signal = page.get_by_role("img", name="Signal of").first
    signal.scroll_into_view_if_needed()
    box = signal.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 120)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 40, box["y"] + 10)
    page.mouse.up()
    expect(shares).not_to_have_text(was)
    page.get_by_text("What the network is made of").click()
    for which in ("The whole network of runs/gru", "The recurrent layers unrolled of runs/gru"):
        picture = page.get_by_alt_text(which)
        picture.scroll_into_view_if_needed()
        page.wait_for_function(
            "node => node.complete && node.naturalWidth > 100", arg=picture.element_handle()
        )
    check_looks(page, "inside")


def test_the_worst_mistake_is_chosen_and_others_by_the_list(page, served):
    opened(page, served, "#page=inside&run=runs%2Fgru")
    names = page.locator("ul.list button")
    first, last = names.first, names.last
    assert first.get_attribute("aria-current") == "true"
    last.focus()
    page.keyboard.press("Enter")
    wanted = last.locator("span").first.inner_text().removeprefix("✗ ")
    page.get_by_role("heading", name=wanted, exact=True).wait_for()
    assert (first.get_attribute("aria-current"), last.get_attribute("aria-current")) == (None, "true")


@pytest.mark.filterwarnings("ignore:predict. .* answers? did not end")  # also in the thread that serves
def test_where_a_translator_looks(page, kinds):
    opened(page, kinds, "#page=inside&run=runs%2Fpairs")
    said = page.locator("main p strong")
    said.wait_for()
    page.get_by_role("button", name="Explain").click()
    table = page.get_by_role("table", name="The stronger the colour, the more it looked")
    table.wait_for()
    source = table.locator("thead th").all_inner_texts()[1:]
    assert "".join(source) == f"(begin){page.get_by_label('Edit the text').input_value()}(end)"
    darkest = (
        table.locator("tbody tr")
        .first.locator("td")
        .evaluate_all("cells => Math.max(...cells.map((cell) => Number(cell.title)))")
    )
    assert 1 / len(source) - 0.01 <= darkest <= 1
    check_looks(page, "pairs")
    model, was = recurra.load_model(kinds.folder / "runs" / "pairs" / "model.recurra"), said.inner_text()
    texts = ["11111111", "2", "3084", "7", "55", "31", "640"]
    answers = model.predict(texts).tolist()
    place = next((k for k, answer in enumerate(answers) if f" {answer};" not in was), 0)
    page.get_by_label("Edit the text").fill(texts[place])
    with page.expect_response("**/api/what-if*"):
        page.get_by_role("button", name="Ask again").click()
    expect(said).to_contain_text(f"It says {answers[place]}")


def test_words_of_a_text_are_coloured_and_changed(page, kinds):
    opened(page, kinds, "#page=inside&run=runs%2Ftexts")
    shares = page.locator("main p.muted", has_text=" %").first
    was = shares.inner_text()
    page.get_by_role("combobox", name="Method").select_option("occlusion")
    page.get_by_role("button", name="Explain").click()
    words = page.locator(".words span")
    words.first.wait_for()
    assert " ".join(words.all_inner_texts()).replace(" ", "") in page.get_by_label(
        "Edit the text"
    ).input_value().replace(" ", "")
    tones = words.evaluate_all("nodes => nodes.map((node) => getComputedStyle(node).backgroundColor)")
    assert len(set(tones)) > 1
    page.get_by_role("button", name="Show gates and states").click()
    page.get_by_text("state h").first.wait_for()
    check_looks(page, "texts")
    page.get_by_label("Edit the text").fill("no power in the hall")
    page.get_by_role("button", name="Ask again").click()
    expect(shares).not_to_have_text(was)


def test_frames_of_a_clip(page, kinds):
    opened(page, kinds, "#page=inside&run=runs%2Fclips")
    page.get_by_role("button", name="Explain").click()
    frames = page.locator(".frames img")
    frames.first.wait_for()
    assert frames.evaluate_all("nodes => nodes.map((node) => node.naturalWidth)") == [96, 96, 96]
    assert page.locator(".frames figcaption").first.inner_text().startswith("0: ")
    check_looks(page, "clips")


def test_labels_per_step_beside_the_true_ones(page, kinds):
    opened(page, kinds, "#page=inside&run=runs%2Flabeler")
    page.get_by_role("heading", name="What it said over time").wait_for()
    for band in ("Labels, true: ", "Labels, said: "):
        assert page.get_by_role("img", name=band).count() == 1
    check_looks(page, "labeler")


def mark(page, canvas, start, stop):
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + start, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + stop, box["y"] + 60)
    page.mouse.up()


def test_a_recording_is_labelled_with_mouse_and_keyboard(page, served):
    opened(page, served, "#page=label")
    check_looks(page, "files")
    page.get_by_role("button", name="long.npy").click()
    canvas = page.get_by_role("img", name="Recording long.npy")
    page.wait_for_selector("canvas[data-drawn]")
    page.get_by_label("Label", exact=True).fill("walk")
    mark(page, canvas, 200, 400)
    page.get_by_role("button", name="Label what is marked").click()
    page.get_by_text("1 stretch, not saved yet").wait_for()
    canvas.focus()
    for key in ("+", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
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
    check_looks(page, "label")
    (served.folder / "labels.csv").unlink()


def test_what_an_editor_saved_meanwhile_stands_beside_what_is_labelled_here(page, served):
    place = served.folder / "labels.csv"
    place.write_text("file,start,end,label\nlong.npy,0,10,old\nlong.npy,20,30,kept\n")
    opened(page, served, "#page=label&file=long.npy")
    page.wait_for_selector("canvas[data-drawn]")
    page.get_by_label("Label", exact=True).fill("mine")
    mark(page, page.get_by_role("img", name="Recording long.npy"), 300, 500)
    page.get_by_role("button", name="Label what is marked").click()
    edited = "file,start,end,label\nlong.npy,20,30,kept\nlong.npy,100,200,theirs\n"
    place.write_text(edited)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("were saved from somewhere else").wait_for()
    assert place.read_text() == edited
    shown = page.locator("tbody th").all_inner_texts()
    assert sorted(shown) == ["kept", "mine", "theirs"]  # old was taken away by the editor
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved in labels.csv").wait_for()
    assert [line.rpartition(",")[2] for line in place.read_text().splitlines()] == [
        "label", "kept", "theirs", "mine",
    ]  # fmt: skip
    place.unlink()


def test_a_labeler_proposes_the_least_certain_first(page, kinds):
    opened(page, kinds, "#page=label&file=new%2Fmonday.npy")
    page.wait_for_selector("canvas[data-drawn]")
    page.get_by_role("combobox", name="Trained labeler").select_option("runs/labeler")
    page.get_by_role("button", name="Propose for what is shown").click()
    page.get_by_text("the least certain first.").last.wait_for()
    proposed = page.get_by_role("region", name="Proposals").get_by_role("button", name=" % sure")
    sure = [int(re.search(r"(\d+) % sure", text)[1]) for text in proposed.all_inner_texts()]
    assert len(sure) > 1
    assert sure == sorted(sure)
    label, _, place = proposed.first.inner_text().partition(", ")
    page.get_by_role("button", name=re.compile(f"^Take {label}")).first.click()
    expect(proposed).to_have_count(len(sure) - 1)
    assert page.locator("tbody th").all_inner_texts() == [label]
    assert page.locator("tbody td").first.inner_text() == place.rpartition(" at ")[2]
    check_looks(page, "proposals")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved in labels.csv").wait_for()
    (kinds.folder / "new" / "labels.csv").unlink()
