"""``look``: sentences for people, one flat object for programs."""

import json
import re
import resource
import subprocess
import sys

import numpy as np
import pytest

import recurra
from recurra.errors import UsageError


def test_look_says_what_is_there_and_what_to_run_next(cli, forms):
    done = cli("look", forms / "old.csv", "--id", "recording", "--label", "gesture", "--group", "who")
    assert done.code == 0
    assert done.out.startswith("36 sequences of 6 to 13 steps")
    assert "5 groups" in done.out.splitlines()[0]
    assert "  a       12   33.3 %  ########" in done.out
    last = done.out.splitlines()[-1]
    assert last.startswith(
        f"recurra train {forms / 'old.csv'} -o runs/old --id recording --label gesture --group who"
    )


def test_the_next_command_trains(cli, forms, tmp_path, monkeypatch):
    import shlex

    monkeypatch.chdir(tmp_path)
    command = shlex.split(recurra.look(forms / "old.ts").next_command)
    assert cli(*command[1:], "--max-epochs", 1, "-q").code == 0
    assert (tmp_path / "runs" / "old" / "model.recurra").exists()


def test_data_that_cannot_be_trained_on_yet_are_not_offered_for_training(forms):
    import numpy as np

    from recurra.records import Dataset, Record

    def command(label, values=None, **kind):
        values = np.arange(4.0)[:, None] if values is None else values
        records = [Record(values[:-i] if i else values, label=label) for i in range(3)]
        return recurra.look(Dataset(records, **kind)).next_command

    assert command("a") == ""  # one class
    assert command(None) == "recurra train DATA -o runs/DATA --task anomaly"
    assert command(None, values="clip.mp4", kind="video") == ""


def test_recordings_without_labels_are_offered_to_what_learns_without(cli, tmp_path, monkeypatch):
    import shlex

    import numpy as np
    from scipy.io import wavfile

    (tmp_path / "sounds").mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(-9000, 9000, 400).astype(np.int16)
        wavfile.write(tmp_path / "sounds" / f"{number}.wav", 8000, noise)
    monkeypatch.chdir(tmp_path)
    found = recurra.look("sounds")
    assert "There are no labels." in found.problems[0]
    command = shlex.split(found.next_command)
    assert cli(*command[1:], "--max-epochs", 1, "-q").code == 0
    assert (tmp_path / "runs" / "sounds" / "model.recurra").exists()


def test_json(cli, forms):
    done = cli("look", forms / "old", "--json")
    found = json.loads(done.out)
    assert found["n_sequences"] == 36
    assert found["class_a"] == 12
    assert not any(isinstance(value, dict) for value in found.values())
    assert done.err == ""


def test_problems_speak_in_flags(cli, forms, tmp_path):
    rows = (forms / "old.csv").read_text().replace("old3,0.0000,", "old3,,", 1)
    (tmp_path / "gaps.csv").write_text(rows)
    done = cli("look", tmp_path / "gaps.csv", "--id", "recording", "--label", "gesture", "--group", "who")
    assert "missing (kept as NaN); fit with --missing mask, or fill them." in done.out
    assert "--missing mask" in done.out.splitlines()[-1]


def test_an_unknown_word():
    with pytest.raises(UsageError, match=r"look: there is no word 'labl'\. Did you mean 'label'\?"):
        recurra.look("japanese-vowels", labl="x")


def test_look_waits_for_nothing_that_trains_or_draws(forms):
    code = (
        "import sys; from recurra.cli.main import run; run(['look', sys.argv[1]]); "
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'pandas'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, forms / "old.ts"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Recipe:" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts there what is reserved")
def test_parquet_is_read_under_a_limit_of_data_that_its_allocator_would_use_up(tmp_path):
    """Seen to end in a segmentation fault, or out of memory, with Arrow's gigabyte taken at once."""
    import pyarrow as pa
    from pyarrow import parquet

    steps, sequences = 1000, 2000
    rng = np.random.default_rng(0)
    names = pa.DictionaryArray.from_arrays(
        np.repeat(np.arange(sequences, dtype=np.int32), steps), [f"r{i}" for i in range(sequences)]
    )
    table = {"id": names.cast(pa.string())} | {
        f"x{i}": rng.normal(size=steps * sequences).astype(np.float32) for i in range(4)
    }
    parquet.write_table(pa.table(table), tmp_path / "a.parquet")
    limit = 1250 << 20
    done = subprocess.run(
        [sys.executable, "-m", "recurra", "look", str(tmp_path / "a.parquet")],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    assert "2,000 sequences" in done.stdout or "2000 sequences" in done.stdout


WORDS = re.split(
    " ", "pump leaks oil at gate and no power was found after reset valve stuck again motor runs hot"
)
rng = np.random.default_rng(0)
N = 120


def texts(count=N):
    return [" ".join(rng.choice(WORDS, int(rng.integers(4, 12)))) for _ in range(count)]


# A column beside texts, the estimator that suits it, words of the next command, and what is said beside.
BESIDE = {
    "two classes": (
        rng.choice(["open", "closed"], N),
        "TextClassifier",
        "--label beside",
        "may hold classes",
    ),
    "yes and no": (rng.choice(["true", "false"], N), "TextClassifier", "--label beside", "may hold classes"),
    "forty names": ([f"dept {i % 40}" for i in range(N)], "TextClassifier", "--label beside", "hold classes"),
    "stars": (rng.integers(1, 6, N), "TextClassifier", "--label beside", "task='regress' learns them as"),
    "prices": (
        [f"{x:.2f}" for x in rng.normal(90, 9, N)],
        "TextRegressor",
        "--label beside",
        "holds numbers",
    ),
    "minutes": (
        rng.integers(0, 900, N),
        "TextRegressor",
        "--task regress --label beside",
        "task='classify' if",
    ),
    "tickets": (
        rng.permutation(9000)[:N],
        "TextGenerator",
        "--task generate",
        "label='beside' learns them if",
    ),
    "counted": (range(1, N + 1), "TextGenerator", "--task generate", ""),
    "keys": ([f"T-{i:04d}" for i in rng.permutation(N)], "TextGenerator", "--task generate", ""),
    "sixty names": (
        [f"D{i % 60}" for i in range(N)],
        "TextGenerator",
        "--task generate",
        "label='beside' learns",
    ),
    "free text": (
        texts(),
        "TextGenerator",
        "--task generate",
        "source='text' and target='beside' learn to turn",
    ),
    "days": ([f"2024-01-{i % 9 + 1:02d}" for i in range(N)], "TextGenerator", "--task generate", ""),
    "gaps": (rng.choice(["a", "b", ""], N), "TextGenerator", "--task generate", "'beside' must be filled"),
    "one name": (["open"] * N, "TextGenerator", "--task generate", ""),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("first", ["text", "beside"])
def test_a_column_beside_texts_is_taken_for_what_it_plainly_holds(tmp_path, name, first):
    column, task, words, told = BESIDE[name]
    rows = [
        (text, cell) if first == "text" else (cell, text) for text, cell in zip(texts(), column, strict=True)
    ]
    head = "text,beside" if first == "text" else "beside,text"
    (tmp_path / "t.csv").write_text(f"{head}\n" + "".join(f"{a},{b}\n" for a, b in rows))
    found = recurra.look(tmp_path / "t.csv")
    assert found.task == task
    assert found.next_command.endswith(words) or f"{words} --class-weight" in found.next_command
    said = " ".join([*found.remarks, *found.problems])
    assert told in said
    # Where one is chosen, the other reading is told too; and it can be asked for.
    assert ("task='generate' learns to write" in said) == (
        task != "TextGenerator" or "learns" in told or "once" in told
    )
    assert recurra.look(tmp_path / "t.csv", task="generate").task == "TextGenerator"


@pytest.mark.parametrize("name", ["two classes", "prices", "minutes"])
def test_the_next_command_on_texts_trains_what_it_says(cli, tmp_path, monkeypatch, name):
    import shlex

    column, task, _, _ = BESIDE[name]
    rows = zip(texts(), column, strict=True)
    (tmp_path / "t.csv").write_text("text,beside\n" + "".join(f"{a},{b}\n" for a, b in rows))
    monkeypatch.chdir(tmp_path)
    command = shlex.split(recurra.look("t.csv").next_command)
    assert cli(*command[1:], "--max-epochs", 1, "-q").code == 0
    assert type(recurra.load_model(tmp_path / "runs" / "t" / "model.recurra")).__name__ == task
