"""The Python of the pages runs as it stands: every block of a page in order, with the names of the blocks before it.

The files that a page reads are there as a reader has them. Trainings are cut to one epoch, which no line of a page sees.
`docs/guide/odd.md`, whose blocks end in errors, has a test of its own.
"""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import recurra
from recurra.fitting import train_member

ROOT = Path(recurra.__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.+?)^```", re.M | re.S)
# Pages that an image network makes slow.
SLOW = ("docs/guide/video.md",)
ELSEWHERE = ("docs/guide/odd.md",)

rng = np.random.default_rng(0)


def recordings(folder):
    for label in ("rest", "walk"):
        (folder / "recordings" / label).mkdir(parents=True)
        for number in range(6):
            rows = rng.normal(loc=label == "walk", size=(40, 2)).round(3).tolist()
            text = "ax,ay\n" + "".join(f"{a},{b}\n" for a, b in rows)
            (folder / "recordings" / label / f"{number}.csv").write_text(text)


def parquet(folder):
    pd = pytest.importorskip("pandas")
    (folder / "recordings").mkdir(exist_ok=True)
    for number in range(4):
        ids = [f"r{number}{part}" for part in "abc" for _ in range(20)]
        labels = ["rest" if name[-1] == "a" else "walk" for name in ids]
        table = pd.DataFrame(
            {"id": ids, "label": labels, "ax": rng.normal(size=60), "ay": rng.normal(size=60)}
        )
        table.to_parquet(folder / "recordings" / f"{number}.parquet")


def reports(folder):
    begins = {"Leak": "oil leaks at the", "Power": "no power in the"}
    parts = ["pump", "valve", "motor", "press", "saw", "drill", "belt", "crane"]
    rows = "".join(f"{begin} {part},{label}\n" for part in parts for label, begin in begins.items())
    (folder / "reports.csv").write_text("Description,Category\n" + rows)


def novel(folder):
    paragraph = "The rain fell on the town.\nNobody was there, number {} said.\n"
    (folder / "novel.txt").write_text("\n".join(paragraph.format(number) for number in range(40)))
    (folder / "chapter.txt").write_text(paragraph.format("forty") * 10)


def night(folder):
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.EdfSignal(rng.normal(size=3000).clip(-2, 2), 100, physical_range=(-2, 2)) for _ in range(2)
    ]
    stages = [edfio.EdfAnnotation(at, 5, stage) for at, stage in ((0, "awake"), (5, "asleep"), (20, "awake"))]
    edfio.Edf(signals, annotations=stages).write(folder / "night.edf")


def clips(folder):
    av = pytest.importorskip("av")
    image = pytest.importorskip("PIL.Image")
    for label, level in (("dark", 40), ("bright", 250)):
        for clip in range(3):
            place = folder / "clips" / label / str(clip)
            place.mkdir(parents=True)
            for t in range(4):
                pixels = rng.integers(0, level, (32, 48, 3), dtype=np.uint8)
                image.fromarray(pixels).save(place / f"{t}.png")
    with av.open(str(folder / "new.mp4"), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 64, 48
        for _ in range(6):
            frame = av.VideoFrame.from_ndarray(
                rng.integers(0, 99, (48, 64, 3), dtype=np.uint8), format="rgb24"
            )
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def gestures(folder):
    pytest.importorskip("h5py")
    network = Path(__file__).parent / "data" / "keras" / "lstm.keras"
    (folder / "gestures.keras").write_bytes(network.read_bytes())


FILES = {
    "gestures.keras": gestures,
    'recordings/"': recordings,
    "recordings/*.parquet": parquet,
    "reports.csv": reports,
    "novel.txt": novel,
    "night.edf": night,
    "clips/": clips,
}


def pages():
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))
    written = [
        page for page in ["README.md", *found] if BLOCK.search((ROOT / page).read_text(encoding="utf-8"))
    ]
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page in SLOW else [])
        for page in written
        if page not in ELSEWHERE
    ]


@pytest.fixture
def one_epoch(monkeypatch):
    whole = train_member.training_config
    monkeypatch.setattr(
        train_member, "training_config", lambda options, seed: replace(whole(options, seed), max_epochs=1)
    )


@pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the pages are not beside the installed package")
@pytest.mark.parametrize("page", pages() if (ROOT / "docs").exists() else [])
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch, one_epoch):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    for name, write in FILES.items():
        if any(f'"{name}' in block[1] for block in blocks):
            write(tmp_path)
    names = {"__name__": "page"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", recurra.errors.RecurraWarning)
        for block in blocks:
            # Empty lines before the code give an error the line of the page.
            lines_before = text.count("\n", 0, block.start(1))
            try:
                exec(compile("\n" * lines_before + block[1], page, "exec"), names)
            except (
                recurra.errors.MissingDataError,
                recurra.errors.MissingExtraError,
                ModuleNotFoundError,
            ) as error:
                pytest.skip(f"{page}: {error}")
