"""Every word that says how data are read, on every kind of data: it acts, or it is refused in one sentence."""

import re
import shutil
import zipfile

import numpy as np
import pytest
from scipy.io import savemat, wavfile

import recurra
from recurra.errors import DataError, ShapeError, UsageError
from recurra.readers.tables.table_options import UnusedWordError
from recurra.runs.data.options import DATA_OPTIONS

# What each word is given as, where a kind says nothing else.
VALUES = {
    "id": "alt",
    "time": "t",
    "label": "cls",
    "group": "who",
    "target": "z",
    "known": ["z"],
    "static": ["who"],
    "kind": "series",
    "text": "cls",
    "source": "cls",
    "channels": ["x"],
    "labels": "labels.txt",
    "layout": "long",
    "label_per": "step",
    "sort": True,
    "time_unit": "h",
    "sample_rate_hz": 50.0,
    "encoding": "ascii",
    "delimiter": ";",
    "decimal": ",",
    "thousands": "'",
    "header": "first",
    "time_format": "day first",
    "time_zone": "UTC",
    "resample": "h",
    "split_number": 1,
    "resample_hz": 25.0,
    "channels_first": True,
    "on_disk": "temporary",  # of many tables, see tests/readers/large
}
FILE = {"encoding", "delimiter", "decimal", "thousands", "header"}
IN_FOLDER = {"time", "static", "channels", "sort", "time_unit", "sample_rate_hz"} | FILE
OF_DATES = {"time_format", "time_zone", "resample"}
# What these do is shown beside their readers (test_exports, test_numerals, test_dates); here, that they are taken.
TAKEN = {"thousands", "header"} | OF_DATES
LONG = {"id", "time", "static", "label", "group", "target", "kind", "text", "source", "channels", "layout", "label_per",
        "sort", "time_unit", "sample_rate_hz"}  # fmt: skip


def steps(i, n=6, turned=False):
    """Rows of one sequence: t, x, y, z, cls, who."""
    rng = np.random.default_rng(i)
    rows = [
        f"{20 * k},{rng.normal():.3f},{rng.normal():.3f},{k + i}.5,{'ab'[i % 2]},p{i % 3}é" for k in range(n)
    ]
    return rows[::-1] if turned else rows


def long_csv(place, turned=False):
    rows = [f"r{i},{'s' if i < 2 else 'q'},{row}" for i in range(4) for row in steps(i, turned=turned)]
    (place / "long.csv").write_text("rec,alt,t,x,y,z,cls,who\n" + "\n".join(rows) + "\n")
    (place / "labels.txt").write_text("a\nb\n")
    return place / "long.csv"


def wide_csv(place):
    rows = [f"u{i},{i},{i + 1},{i * 2}.5,{i + 3},{'ab'[i % 2]},p{i % 3}é" for i in range(6)]
    (place / "wide.csv").write_text("alt,t,x,y,z,cls,who\n" + "\n".join(rows) + "\n")
    return place / "wide.csv"


def texts_csv(place):
    rows = [f"n{i},some words {i} é,other {i},{i}.5,{i},{i},p{i % 3}" for i in range(6)]
    (place / "texts.csv").write_text("alt,text,cls,z,t,x,who\n" + "\n".join(rows) + "\n")
    (place / "labels.txt").write_text("a\nb\n")
    return place / "texts.csv"


def pairs_csv(place):
    rows = [f"n{i},{i},words {i} é,{i}.5,{'ab'[i % 2]},{i},{i},p{i % 3}" for i in range(6)]
    (place / "pairs.csv").write_text("alt,left,cls,z,text,t,x,who\n" + "\n".join(rows) + "\n")
    return place / "pairs.csv"


def series_csv(place, turned=False):
    rows = [f"{'sq'[i]},{row}" for i in range(2) for row in steps(i, 30, turned=turned)]
    (place / "series.csv").write_text("alt,t,x,y,z,cls,who\n" + "\n".join(rows) + "\n")
    return place / "series.csv"


def frame(place):
    pandas = pytest.importorskip("pandas")
    return pandas.read_csv(long_csv(place))


def parquet(place):
    pytest.importorskip("pyarrow")
    frame(place).to_parquet(place / "long.parquet")
    return place / "long.parquet"


def lines(place):
    (place / "texts.txt").write_text("first words é\nmore words\n")
    (place / "labels.txt").write_text("a\nb\n")
    return place / "texts.txt"


def json_lines(place):
    rows = [
        f'{{"text": "words {i} é", "alt": "n{i}", "cls": "{"ab"[i % 2]}", "who": "p{i}", "z": {i}.5, "t": {i}, "x": {i}}}'
        for i in range(4)
    ]
    (place / "labels.txt").write_text("a\nb\n")
    (place / "texts.jsonl").write_text("\n".join(rows) + "\n")
    return place / "texts.jsonl"


def npy(place):
    np.save(place / "a.npy", np.random.default_rng(0).normal(size=(4, 5, 2)))
    return place / "a.npy"


def npz(place):
    np.savez(place / "a.npz", X=np.zeros((4, 5, 2)), y=np.array(["a", "b", "a", "b"]))
    return place / "a.npz"


def ts(place, name="a.ts"):
    (place / name).write_text("# é\n@classLabel true a b\n@data\n1,2,3:a\n2,3,4:b\n")
    return place / name


def ts_pair(place):
    ts(place, "W_TRAIN.ts")
    ts(place, "W_TEST.ts")
    return place


def wav(place, name="a.wav"):
    rng = np.random.default_rng(len(name))
    wavfile.write(place / name, 100, rng.integers(-9999, 9999, size=(200, 2)).astype(np.int16))
    return place / name


def mat(place):
    savemat(place / "a.mat", {"X": np.random.default_rng(0).normal(size=(20, 3)), "cls": np.arange(20) % 2})
    return place / "a.mat"


def one_file(path, i, turned=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("t,x,y,z,cls,who\n" + "\n".join(steps(i, turned=turned)) + "\n")


def class_folder(place, turned=False):
    for i in range(6):
        one_file(place / "data" / "ab"[i % 2] / f"{i}.csv", i, turned)
    return place / "data"


def labels_folder(place, turned=False):
    for i in range(4):
        one_file(place / "data" / f"{i}.csv", i, turned)
    rows = [f"{i}.csv,{'ab'[i % 2]},{'ba'[i % 2]},p{i % 2},{i}.5" for i in range(4)]
    (place / "data" / "labels.csv").write_text("file,label,cls,who,z\n" + "\n".join(rows) + "\n")
    return place / "data"


def plain_folder(place, turned=False):
    for i in range(4):
        one_file(place / "data" / f"{i}.csv", i, turned)
    return place / "data"


def split_folders(place, turned=False):
    for i in range(8):
        one_file(place / "data" / ("train" if i < 6 else "test") / "ab"[i % 2] / f"{i}.csv", i, turned)
    return place / "data"


def zipped(place):
    folder = class_folder(place)
    with zipfile.ZipFile(place / "data.zip", "w") as out:
        for file in sorted(folder.rglob("*.csv")):
            out.write(file, file.relative_to(folder))
    shutil.rmtree(folder)
    return place / "data.zip"


def npy_folder(place):
    for i in range(4):
        file = place / "data" / "ab"[i % 2] / f"{i}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.full((5, 2), float(i)))
    return place / "data"


def wav_folder(place):
    for i in range(4):
        (place / "data" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        wav(place / "data" / "ab"[i % 2], f"{'n' * i}.wav")
    return place / "data"


def prose_folder(place):
    for i in range(4):
        file = place / "data" / "ab"[i % 2] / f"{i}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"these are words é, number {('one', 'two', 'three', 'four')[i]}\n")
    return place / "data"


def clips(place):
    for i in range(4):
        folder = place / "data" / "ab"[i % 2] / f"clip {i}"
        folder.mkdir(parents=True)
        (folder / "0.png").write_bytes(b"frame %d" % i)
    return place / "data"


def clips_with_labels(place):
    (place / "data").mkdir()
    rows = [f"{i}.mp4,{'ab'[i % 2]},{'ba'[i % 2]},p{i}" for i in range(4)]
    for i in range(4):
        (place / "data" / f"{i}.mp4").write_bytes(b"%d" % i)
    (place / "data" / "labels.csv").write_text("file,label,cls,who\n" + "\n".join(rows) + "\n")
    return place / "data"


def clips_with_split(place):
    for i in range(4):
        file = place / "data" / "ab"[i % 2] / f"v_{i}.avi"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"%d" % i)
    (place / "ucfTrainTestlist").mkdir()
    for number, sides in ((1, ("train", "train", "test", "test")), (2, ("test", "test", "train", "train"))):
        for side in ("train", "test"):
            names = [f"{'ab'[i % 2]}/v_{i}.avi" for i in range(4) if sides[i] == side]
            (place / "ucfTrainTestlist" / f"{side}list{number:02d}.txt").write_text("\n".join(names) + "\n")
    return place / "data"


def table_of_clips(place):
    clips_with_labels(place)
    (place / "data" / "labels.csv").rename(place / "data" / "table.csv")
    return place / "data" / "table.csv"


def images(place):
    image = pytest.importorskip("PIL.Image")
    for i in range(4):
        file = place / "data" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image.fromarray(np.full((3, 4), 40 * i, np.uint8)).save(file)
    return place / "data"


def one_clip(place):
    (place / "a.mp4").write_bytes(b"clip")
    return place / "a.mp4"


# Kind -> how it is made, words it is read with, the words that act on it.
KINDS = {
    "long": (long_csv, {"id": "rec", "channels": ["x", "y"]}, LONG | FILE),
    "frame": (frame, {"id": "rec", "channels": ["x", "y"]}, LONG),
    "parquet": (parquet, {"id": "rec", "channels": ["x", "y"]}, LONG),
    "wide": (
        wide_csv,
        {"channels": ["x", "y"]},
        {
            "id",
            "time",
            "static",
            "label",
            "group",
            "target",
            "kind",
            "text",
            "source",
            "channels",
            "layout",
            "sort",
            "time_unit",
            "sample_rate_hz",
        }
        | FILE,
    ),
    "texts": (
        texts_csv,
        {},
        {"id", "label", "group", "target", "kind", "text", "source", "labels"}
        | FILE - {"decimal", "thousands"},
    ),
    "pairs": (
        pairs_csv,
        {"source": "left", "target": "cls"},
        {"id", "group", "target", "source"} | FILE - {"decimal", "thousands"},
    ),
    "series": (
        series_csv,
        {"kind": "series", "time": "t", "id": "alt", "target": "y"},
        {"id", "time", "target", "known", "static", "kind", "source", "sort", "time_unit"} | FILE | OF_DATES,
    ),
    "series, every column": (
        series_csv,
        {"kind": "series", "time": "t", "id": "alt", "channels": ["x", "y"]},
        {"id", "time", "target", "known", "static", "kind", "source", "sort", "time_unit", "channels"}
        | FILE
        | OF_DATES,
    ),
    "lines": (
        lines,
        {},
        {
            "labels",
            "label_per",
            "layout",
            "encoding",
            "delimiter",
            "id",
            "time",
            "label",
            "group",
            "target",
            "text",
            "channels",
        },
    ),
    "json lines": (
        json_lines,
        {},
        {"id", "label", "group", "target", "kind", "text", "source", "labels", "encoding"},
    ),
    "npy": (npy, {}, {"sample_rate_hz"}),
    "npz": (npz, {}, {"sample_rate_hz"}),
    "ts": (ts, {}, {"encoding"}),
    "ts pair": (ts_pair, {}, {"encoding"}),
    "wav": (wav, {}, {"channels", "label", "sample_rate_hz", "resample_hz"}),
    "mat": (mat, {}, {"label", "sample_rate_hz", "resample_hz", "channels_first"}),
    "class folder": (class_folder, {"channels": ["x", "y"]}, {"group"} | IN_FOLDER),
    "zip": (zipped, {"channels": ["x", "y"]}, {"group"} | IN_FOLDER),
    "train and test": (split_folders, {"channels": ["x", "y"]}, {"group"} | IN_FOLDER),
    "labels.csv": (labels_folder, {"channels": ["x", "y"]}, {"label", "group", "target"} | IN_FOLDER),
    "plain folder": (
        plain_folder,
        {"channels": ["x", "y"]},
        {"label", "group", "target", "kind"} | IN_FOLDER,
    ),
    "npy folder": (npy_folder, {}, {"sample_rate_hz"}),
    "wav folder": (wav_folder, {}, {"channels", "sample_rate_hz", "resample_hz"}),
    "prose folder": (prose_folder, {}, {"encoding"}),
    "clips": (clips, {}, set()),
    "clips with labels.csv": (clips_with_labels, {}, {"label", "group"}),
    "clips with a split": (clips_with_split, {}, {"split_number"}),
    "table of clips": (table_of_clips, {}, {"label", "group"}),
    "images": (images, {}, set()),
    "one clip": (one_clip, {}, set()),
    "named": (lambda place: "japanese-vowels", {}, set()),
    "arrays": (lambda place: [np.zeros((5, 2)), np.ones((4, 2))], {}, {"labels", "sample_rate_hz"}),
    "dataset": (lambda place: recurra.load([np.zeros((5, 2))]), {}, set()),
}
UNTURNED = ("frame", "parquet", "zip", "wide")  # made with rising times only
# What a word needs beside it to act, and rows in another order where it sorts.
BESIDE = {"label_per": {"label": "cls"}, "time_unit": {"time": "t"}, "sort": {"time": "t"}}
OWN = {
    ("series", "kind"): "sequence",
    ("series", "id"): "cls",
    ("series", "time"): "z",
    ("series, every column", "kind"): "sequence",
    ("series, every column", "id"): "cls",
    ("series, every column", "time"): "z",
    ("long", "layout"): "wide",
    ("frame", "layout"): "wide",
    ("parquet", "layout"): "wide",
    ("wide", "layout"): "wide",
    # A column of times is found by itself; it is a channel like the others where time="" is given.
    **{
        (kind, "time"): ""
        for kind in (
            "long",
            "frame",
            "parquet",
            "wide",
            "class folder",
            "zip",
            "train and test",
            "labels.csv",
            "plain folder",
        )
    },
    ("series, every column", "channels"): ["x", "z"],
    ("plain folder", "channels"): ["x", "z"],
    ("labels.csv", "channels"): ["x", "z"],
    ("train and test", "channels"): ["x", "z"],
    ("zip", "channels"): ["x", "z"],
    ("class folder", "channels"): ["x", "z"],
    ("wide", "channels"): ["x", "z"],
    ("texts", "text"): "cls",
    ("json lines", "text"): "cls",
    ("wav", "channels"): ["1"],
    ("wav folder", "channels"): ["1"],
    ("clips with a split", "split_number"): 2,
    ("arrays", "labels"): "labels.txt",
    ("lines", "layout"): "long",
    ("pairs", "target"): "text",
    ("pairs", "source"): "text",
}


def with_commas(place):
    """Rewrite every table as Excel does where the decimal mark is a comma."""

    def written(text):
        return re.sub(r"(\d)\.(\d)", r"\1,\2", text.replace(",", ";"))

    for file in place.rglob("*.csv"):
        file.write_text(written(file.read_text()))
    for file in place.rglob("*.zip"):
        with zipfile.ZipFile(file) as archive:
            content = {name: archive.read(name).decode() for name in archive.namelist()}
        with zipfile.ZipFile(file, "w") as out:
            for name, text in content.items():
                out.writestr(name, written(text))


def told(data):
    """Everything a data set says, so that two can be compared."""
    each = [
        (
            r.values if isinstance(r.values, str) else (r.values.shape, r.values.tobytes()),
            r.label.tolist() if hasattr(r.label, "tolist") else r.label,
            r.group, r.name, r.sample_rate_hz, r.part, r.start, r.freq,
            None if r.known is None else r.known.tobytes(), r.static,
        )
        for r in data.records
    ]  # fmt: skip
    return repr((data.kind, None if data.channel_names is None else list(data.channel_names), each))


@pytest.mark.parametrize("word", DATA_OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_acts_or_is_refused(kind, word, tmp_path):
    make, words, acts = KINDS[kind]
    if kind == "frame" and word in ("decimal", "thousands"):
        pytest.skip("they act on the columns of text alone")
    value = OWN.get((kind, word), VALUES[word])
    if word == "labels" and kind != "arrays":
        value = str(tmp_path / "labels.txt")
    turned = word == "sort" and word in acts
    source = make(tmp_path, turned) if turned and kind not in UNTURNED else make(tmp_path)
    if word not in acts:
        # Whatever it is called: nothing is read with a word that does nothing.
        with pytest.raises(UsageError) as caught:
            recurra.load(source, **{**words, word: value})
        assert isinstance(caught.value, UnusedWordError) or f"{word}=" in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    if word in TAKEN:
        try:
            recurra.load(source, **{**words, word: value})
        except UnusedWordError:
            pytest.fail(f"{word}= is refused")
        except (DataError, UsageError):
            pass  # it acted: what came of it cannot be used
        return
    base = {
        **words,
        **(BESIDE.get(word, {}) if word in ("label_per", "time_unit") and kind != "lines" else {}),
    }
    if word == "sort":  # without it time goes back, and that is refused
        base |= {"time": "t"}
        if kind not in UNTURNED:
            with pytest.raises(DataError, match="back|rise"):
                recurra.load(source, **base)
        recurra.load(source, **base, sort=True)
        return
    if word == "decimal":
        with_commas(tmp_path)
        base |= {"delimiter": ";"}
        with pytest.raises(DataError, match="must hold numbers|has words|numbers"):
            recurra.load(source, **base)
        recurra.load(source, **base, decimal=",")
        return
    before, error = told(recurra.load(source, **base)), None
    try:
        after = told(recurra.load(source, **{**base, word: value}))
    except (DataError, ShapeError, UsageError) as refusal:
        error = refusal
    if error is not None:  # it acted: others do no more, or what came of it cannot be used
        assert "\n" not in str(error)
        assert word not in getattr(error, "words", ())
        return
    assert after != before


def test_every_word_is_in_the_table():
    assert set(VALUES) == set(DATA_OPTIONS)


def test_a_group_in_the_files_of_class_folders_is_not_cut(tmp_path):
    folder = class_folder(tmp_path)
    data = recurra.load(folder, group="who", channels=["x"])
    assert data.groups.tolist() == [f"p{i % 3}é" for i in (0, 2, 4, 1, 3, 5)]
    train, test = data.split(test=0.3, random_state=0)
    assert not set(train.groups.tolist()) & set(test.groups.tolist())
    with pytest.raises(UnusedWordError) as caught:
        recurra.load(folder, group="person")
    assert str(caught.value) == (
        f"load: group= does not apply to {folder / 'a' / '0.csv'}, which has no column 'person'; it takes no words. "
        "Labels and groups of whole files stand in a labels.csv with the columns file, label and group."
    )


def test_the_command_line_says_flags(capsys, tmp_path):
    from recurra.cli.main import run

    for arguments in (
        ["train", str(clips(tmp_path / "c")), "--group", "person"],
        ["look", str(clips(tmp_path / "d")), "--group", "person"],
        [
            "train",
            str(series_csv(tmp_path)),
            "--task",
            "forecast",
            "--time",
            "t",
            "--target",
            "y",
            "--label",
            "cls",
        ],
    ):
        assert run(arguments) == 2
        said = capsys.readouterr().err
        word = "--label" if "--task" in arguments else "--group"
        assert said.startswith(f"Error: {arguments[0]}: {word} does not apply to "), said
