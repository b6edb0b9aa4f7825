"""Every verb on a run folder and on a model file of every estimator: an answer, or one sentence; never a traceback."""

import io
import json
import signal
import sys
import threading
import urllib.error
import urllib.request
import webbrowser

import pytest

from cli.nine import KINDS, model_alone
from recurra.options import ESTIMATORS

pytest.importorskip("PIL.Image")
pytest.importorskip("av")
pytest.importorskip("tokenizers")
pytest.importorskip("onnx")
# A warning of ours is a line on standard error, as for users.
pytestmark = pytest.mark.filterwarnings("default::recurra.errors.RecurraWarning")

SUBJECTS = ("run", "model")
# A verb, and how it is called: S is the run or model, D its data, F the flags they are read with, T those of texts.
VERBS = {
    "look": "look S",
    "train": "train S -o O",
    "tune": "tune S -o O",
    "resume": "resume S -q",
    "eval": "eval S",
    "eval on data": "eval S D F",
    "predict": "predict S D F",
    "predict as json": "predict S D F --format jsonl --proba",
    "predict segments": "predict S D F --segments",
    "predict to a file": "predict S D F -o O.csv",
    "predict -": "predict S - F",
    "stream": "stream S D T",
    "stream -": "stream S",
    "stream --proba": "stream S D T --proba",
    "generate": "generate S --prompt the --length 5 --seed 0",
    "explain": "explain S",
    "explain on data": "explain S D F --index 1",
    "explain a word cloud": "explain S D F --wordcloud O.svg",
    "export": "export S -o O.onnx --data D F",
    "import": "import S -o O.recurra",
    "compare": "compare S O",
    "compare on data": "compare S O --data D F",
}
EVERYTHING = tuple(KINDS)
SIGNALS = ("classifier", "regressor", "numbers per step", "labeler")

# Verb -> kinds that are answered, on a run folder and on a model file. All others are refused in a sentence.
ANSWERED = {
    "look": ((), ()),
    "train": ((), ()),
    "tune": ((), ()),
    "resume": ((), ()),
    "eval": (EVERYTHING, ()),
    "eval on data": (EVERYTHING, EVERYTHING),
    "predict": ([k for k in KINDS if k not in ("novel", "known ahead")],) * 2,
    "predict as json": (["classifier", "labeler", "words", "texts", "clips"],) * 2,
    "predict segments": (["labeler", "words", "anomalies"],) * 2,
    "predict to a file": ([k for k in KINDS if k not in ("novel", "known ahead")],) * 2,
    "predict -": ([k for k in KINDS if k not in ("novel", "known ahead", "clips")],) * 2,
    "stream": ([k for k in KINDS if k not in ("novel", "known ahead", "series", "anomalies", "clips")],) * 2,
    "stream -": ([k for k in KINDS if k not in ("novel", "known ahead", "series", "anomalies", "clips")],)
    * 2,
    "stream --proba": (["classifier", "labeler", "words", "texts"],) * 2,
    "generate": (["novel"],) * 2,
    "explain": ([*SIGNALS, "texts", "scores", "clips", "pairs"], ()),
    "explain on data": ([*SIGNALS, "texts", "scores", "clips", "pairs"],) * 2,
    "explain a word cloud": (["texts", "scores"],) * 2,
    "export": ([k for k in KINDS if k != "anomalies"],) * 2,
    "import": ((), ()),  # it is recurra's own already
    # what is normal, and how a novel goes on, is judged as one figure each, of which no test is made
    "compare": ([k for k in KINDS if k not in ("anomalies", "novel")], ()),
    "compare on data": ([k for k in KINDS if k not in ("anomalies", "novel")],) * 2,
}


@pytest.fixture(scope="session")
def subject(nine, tmp_path_factory):
    """Return a function that gives the run folder of a kind, or a model file of it."""
    root = tmp_path_factory.mktemp("models")
    made = {}

    def get(kind, form):
        if form == "run":
            return nine(kind)
        if kind not in made:
            made[kind] = model_alone(nine(kind), root / f"{kind}.recurra")
        return made[kind]

    return get


def test_every_estimator_is_there():
    assert {kind.estimator for kind in KINDS.values()} == set(ESTIMATORS)


def words_of(pattern, subject, other, data, flags, out):
    texts = (
        flags if "--text" in flags or "--source" in flags else []
    )  # lines of numbers are read by their names
    values = {
        "T": texts,
        "S": [subject],
        "D": [data],
        "F": flags,
        "O": [other],
        "O.onnx": [f"{out}.onnx"],
        "O.csv": [f"{out}.csv"],
        "O.recurra": [f"{out}.recurra"],
        "O.svg": [f"{out}.svg"],
    }
    return [str(word) for part in pattern.split() for word in values.get(part, [part])]


@pytest.mark.parametrize("form", SUBJECTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_an_answer_or_a_sentence(cli, nine, subject, tmp_path, monkeypatch, verb, kind, form):
    own = subject(kind, form)
    other = (
        nine(kind, "other") if form == "run" else model_alone(nine(kind, "other"), tmp_path / "other.recurra")
    )
    data = nine.folder / KINDS[kind].data
    if verb == "train":
        other = tmp_path / "new"
    given = data.read_bytes() if data.is_file() else b""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    # A run knows how its data are read; a model file does not know what the columns are called.
    flags = list(KINDS[kind].flags) if form == "model" else []
    if verb.startswith("explain") and "--target" in flags:  # what is explained is said with --for
        at = flags.index("--target")
        flags = flags[:at] + flags[at + 2 :]
    monkeypatch.chdir(tmp_path)
    done = cli(*words_of(VERBS[verb], own, other, data, flags, tmp_path / "out"))
    lines = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    answered = kind in ANSWERED[verb][form == "model"]
    if answered:
        assert (done.code, lines) == (0, []), done.err
        assert done.out.strip()
        if "--format jsonl" in VERBS[verb] or verb.startswith("stream"):
            assert all(json.loads(line) for line in done.out.splitlines())
    else:
        assert done.code in (1, 2, 3)
        (line,) = lines
        assert len(line) < 500
        assert line.endswith((".", "?", ")")) or "recurra " in line  # or a command to use
        assert "Traceback" not in done.err


@pytest.mark.parametrize("form", SUBJECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_studio_shows_a_run_and_refuses_a_model_file(cli, subject, monkeypatch, kind, form):
    pytest.importorskip("uvicorn")
    shown, said = [], []

    def browse(url):
        try:
            for address in ("", "api/run?run=."):
                with urllib.request.urlopen(url + address, timeout=150) as answer:
                    shown.append(answer.read())
            urllib.request.urlopen(f"{url}api/cases?run=.", timeout=150)
        except urllib.error.HTTPError as error:  # the data lie elsewhere
            said.append(json.loads(error.read())["error"])
        finally:  # as Ctrl-C does
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setattr(webbrowser, "open", browse)
    monkeypatch.setenv("DISPLAY", ":0")
    own = subject(kind, form)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = cli("studio", own)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "Traceback" not in done.err
    if form == "model":
        assert done.code == 3
        assert done.err.splitlines()[-1].endswith(
            "Give a run folder, or the folder that holds the run folders."
        )
        return
    assert done.code == 0
    assert done.out.startswith("http://127.0.0.1:")
    assert b"recurra studio" in shown[0]
    assert json.loads(shown[1])["config"]["estimator"] == KINDS[kind].estimator
    assert all("outside of" in sentence for sentence in said)
