"""The page in a real Chromium: runs, a training, exports, other ways to get here; each point is clicked through."""

import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest

import recurra
from recurra.folder_lock import FolderLock
from studio.browser import check_looks, expect, opened
from studio.conftest import QUICK, READ
from studio.test_runs import many


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
    notes = served.folder / "runs" / "gru" / "notes.txt"
    assert notes.read_text() == "<b>fine</b>"
    page.get_by_label("Filter").fill("")
    check_looks(page, "runs")
    notes.write_text("by hand")  # while the page has read what stood there before
    page.get_by_role("button", name="Notes of runs/gru").click()
    page.locator("textarea").fill("mine")
    page.locator("textarea").blur()
    page.get_by_text("is not what this page has read").wait_for()
    assert page.locator("textarea").input_value() == "mine"
    assert notes.read_text() == "by hand"
    notes.unlink()


def test_the_keyboard_alone_puts_runs_side_by_side(page, served):
    opened(page, served)
    reached = [tabbed(page) for _ in range(5)]
    for wanted in ("Skip to the content", "Runs", "Begin", "Label", "search"):
        assert wanted in reached
    for name in ("gru", "lstm"):
        tab_to(page, f"Choose runs/{name}", back=name == "lstm")
        page.keyboard.press("Space")
    tab_to(page, "Side by side (2)", back=True)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Curves").wait_for()
    page.get_by_text(re.compile("is (not )?more than noise")).wait_for()
    assert page.get_by_role("row", name=re.compile("^cell lstm gru|^cell gru lstm")).count() == 1
    page.get_by_role("combobox", name="Figure").select_option("train_loss")
    check_looks(page, "compare")


FOCUSED = """() => {
  const node = document.activeElement;
  return (node.innerText || node.getAttribute("aria-label") || node.type || "").trim();
}"""


def tabbed(page, back=False):
    """Go to the next control, and return what it is called."""
    page.keyboard.press("Shift+Tab" if back else "Tab")
    return page.evaluate(FOCUSED)


def tab_to(page, name, back=False):
    reached = [tabbed(page, back)]
    while reached[-1] != name:
        assert len(reached) < 60, reached
        reached.append(tabbed(page, back))


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1234, 1234.5, 1235], ["1,234", "1,234.5", "1,235"]),
        ([0.69315, 0.6932, 0.69325], ["0.69315", "0.6932", "0.69325"]),
        ([0, 0.5, 1], ["0", "0.5", "1"]), ([1e-5, 1e-4, 1e-3], ["1.00e-5", "1.00e-4", "0.001"]), ([0.002], ["0.002"]),
        ([-20, 0, 20], ["-20", "0", "20"]), ([2e6, 2.00001e6], ["2.00000e+6", "2.00001e+6"]), ([], []),
    ],
)  # fmt: skip
def test_ticks_are_told_apart(page, served, values, names):
    opened(page, served)
    told = "async (values) => (await import(new URL('./static/dom.js', location.href))).tickNames(values)"
    assert page.evaluate(told, values) == names


def test_numbers_that_differ_by_rounding_alone_have_ticks(page, served):
    opened(page, served, "")
    ticks = "async () => (await import(new URL('./static/plot.js', location.href))).ticks(0.01, 0.010000000000000002, 4)"
    assert len(page.evaluate(ticks)) <= 1


@pytest.fixture
def ended(served):
    """Stop what was begun, where a test failed before it did."""
    yield
    with contextlib.suppress(OSError):
        (served.folder / "runs" / "begun" / "control.txt").write_text("stop\n")


def test_a_training_is_begun_watched_paused_and_stopped(page, served, ended):
    opened(page, served, "#page=begin")
    page.get_by_role("button", name="gestures.csv").click()
    page.get_by_label("Options, one a line").fill(
        "id = recording\nlabel = gesture\nmax_epochs = 100000\npatience = 100000\nrandom_state = 0"
    )
    page.get_by_role("button", name="Look again").click()
    page.get_by_text("24 sequences").first.wait_for()
    page.get_by_label("Run folder").fill("runs/begun")
    page.get_by_text(
        "recurra train gestures.csv -o runs/begun --id recording --label gesture --max-epochs 100000"
    ).first.wait_for()
    page.get_by_text("recurra.train('gestures.csv', out='runs/begun', id='recording'").wait_for()
    check_looks(page, "begin")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("heading", name="Curves").wait_for()
    page.get_by_text("of 100,000").wait_for()
    page.get_by_role("button", name="Pause").click()
    page.locator("span.state.paused").wait_for()
    # The answer comes when the page has been told already what became of its request.
    late = []
    page.route("**/api/steer*", lambda route: late.append((route, route.fetch())))
    page.get_by_role("button", name="Go on").click()
    page.locator("span.state.training").wait_for()
    while not late:
        page.wait_for_timeout(20)
    with page.expect_response("**/api/steer*"):
        ((route, answer),) = late
        route.fulfill(response=answer)
    page.unroute("**/api/steer*")
    page.wait_for_timeout(100)
    assert page.locator("span.state").get_attribute("class") == "state training"
    page.get_by_label("Smoothing").fill("0.9")
    page.get_by_label("Logarithmic axis").check()
    check_looks(page, "live")
    page.get_by_role("button", name="Stop and keep the best").click()
    page.get_by_role("heading", name="Result").wait_for()
    assert (served.folder / "runs" / "begun" / "model.recurra").is_file()
    shutil.rmtree(served.folder / "runs" / "begun")


def test_a_training_that_cannot_be_begun_says_why(page, served):
    opened(page, served, "#page=begin")
    page.get_by_role("button", name="gestures.csv").click()
    page.get_by_label("Run folder").fill("runs/gru")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_text("'runs/gru' is there already").wait_for()


def test_everything_is_exported(page, served, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    opened(page, served, "#run=runs%2Fgru")
    page.get_by_role("heading", name="Result").wait_for()
    check_looks(page, "run")

    def downloaded(role, name):
        with page.expect_download() as download:
            page.get_by_role(role, name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    model = downloaded("link", "Model file")
    assert model.name == "gru.recurra"
    assert recurra.load_model(model).get_params()["hidden_size"] == QUICK["hidden_size"]
    onnx.checker.check_model(onnx.load(downloaded("button", "Export as ONNX")))
    with zipfile.ZipFile(downloaded("button", "Export as C")) as archive:
        assert {entry.rpartition(".")[2] for entry in archive.namelist()} >= {"c", "h"}
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Report", exact=True).click()
    popup.value.get_by_text("accuracy").first.wait_for()


def test_what_there_is_to_worry_about_and_other_parts_are_told_in_words(page, serve, tmp_path):
    many(tmp_path, 3)
    run = tmp_path / "group1" / "run1"
    lines = [
        json.dumps({"epoch": i + 1, "train_loss": 1.0, "valid_loss": 0.5 + (i > 0), "seconds": 2.0})
        for i in range(14)
    ]
    (run / "history.jsonl").write_text("\n".join(lines) + "\n")
    (run / "model.recurra").unlink()
    (run / "training.json").write_text('{"state": "training", "max_epochs": 74, "patience": null}')
    one = serve(tmp_path, read_only=True)
    with FolderLock(run):
        opened(page, one, "#run=group1%2Frun1")
        page.get_by_text("The training loss has hardly fallen").wait_for()
        page.get_by_text("not been lower for 13 epochs").wait_for()
        left = page.locator(".tile", has_text="Time left")
        expect(left).to_contain_text("2 min 0 s")
        for name in ("Stop and keep the best", "Pause", "Set the last epoch", "Save the notes"):
            expect(page.get_by_role("button", name=name)).to_be_disabled()
    opened(page, one, "#page=compare&run=group1%2Frun1&run=group2%2Frun2")
    page.get_by_text("were not judged on the same part").wait_for()
    assert not (run / "control.txt").exists()


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


@pytest.mark.skipif(os.name == "nt", reason="names are texts there")
def test_a_name_that_is_no_text_is_shown_and_opened(page, serve, tmp_path):
    from studio.test_guard import write_run

    for name in (b"caf\xe9", b"a\\b", b"\xff\xfe"):
        write_run(tmp_path / os.fsdecode(name), estimator="GRU of " + ascii(name))
    opened(page, serve(tmp_path))
    assert sorted(page.locator("tbody th").all_inner_texts()) == [r"\xff\xfe", r"a\x5cb", r"caf\xe9"]
    page.get_by_role("link", name=r"caf\xe9").click()
    page.get_by_text(r"GRU of b'caf\xe9'").wait_for()
    page.get_by_label("In notes.txt of the run").fill("fine")
    page.get_by_role("button", name="Save the notes").click()
    page.get_by_text("Saved.").wait_for()
    assert (tmp_path / os.fsdecode(b"caf\xe9") / "notes.txt").read_text() == "fine"


@contextlib.contextmanager
def forwarded(port):
    """Yield another port of this machine that leads to this one, as ssh -L has it."""
    with socket.create_server(("127.0.0.1", 0)) as place:

        def copy(source, sink):
            with contextlib.suppress(OSError):
                while content := source.recv(65536):
                    sink.sendall(content)
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

        def take():
            with contextlib.suppress(OSError):  # closed
                while True:
                    came, there = place.accept()[0], socket.create_connection(("127.0.0.1", port))
                    for pair in ((came, there), (there, came)):
                        threading.Thread(target=copy, args=pair, daemon=True).start()
                    kept.extend([came, there])

        kept = []
        threading.Thread(target=take, daemon=True).start()
        yield place.getsockname()[1]
        place.shutdown(socket.SHUT_RDWR)
        for one in kept:
            one.close()


def test_through_a_forwarded_port_everything_works(page, served):
    with forwarded(served.port) as port:
        page.goto(f"http://localhost:{port}/{served.token}/#run=runs%2Fgru")
        page.get_by_role("heading", name="Result").wait_for()
        page.get_by_label("In notes.txt of the run").fill("from afar")
        page.get_by_role("button", name="Save the notes").click()
        page.get_by_text("Saved.").wait_for()
        page.goto("about:blank")
    assert (served.folder / "runs" / "gru" / "notes.txt").read_text() == "from afar"
    (served.folder / "runs" / "gru" / "notes.txt").unlink()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_in_a_notebook_the_page_stands_below_the_cell(page, served, host):
    class Notebook(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<p>a cell</p>{served.shown._repr_html_()}".encode())

        def log_message(self, *words):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Notebook) as notebook:
        threading.Thread(target=notebook.serve_forever, daemon=True).start()
        page.goto(f"http://{host}:{notebook.server_port}/lab")
        frame = page.frame_locator("iframe[title='recurra studio']")
        frame.get_by_role("link", name="runs/gru").click()
        frame.get_by_role("heading", name="Result").wait_for()
        notebook.shutdown()


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
    page.get_by_label("Last epoch").fill("100000")
    page.get_by_role("button", name="Set the last epoch").click()
    page.get_by_text("of 100,000").wait_for()
    time.sleep(30)
    expect(page.locator("span.state.training")).to_be_visible()
    page.get_by_role("button", name="Stop and keep the best").click()
    page.get_by_role("heading", name="Result").wait_for()
    assert process.wait(60) == 0
    watched = recurra.load_model(served.folder / "runs" / "watched" / "model.recurra")
    history = (served.folder / "runs" / "watched" / "history.jsonl").read_text().splitlines()
    words |= {"max_epochs": len(history), "validation_fraction": 0.0, "batch_size": 64}
    plain = recurra.train(served.folder / "gestures.csv", out=tmp_path / "plain", seed=0, **words).estimator
    assert len(history) > 4
    for name, array in watched.model_.weights.items():
        assert np.array_equal(array, plain.model_.weights[name]), name
    shutil.rmtree(served.folder / "runs" / "watched")
