"""A network is given data of another kind than it was trained on, or of its kind in another form."""

from itertools import permutations

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError
from recurra.runs.predict import predict

Image = pytest.importorskip("PIL.Image")
QUICK = {"hidden_size": 4, "max_epochs": 1, "random_state": 0, "verbose": 0}
READS = {
    "sequence": "sequences of numbers",
    "text": "texts",
    "tokens": "sentences",
    "pairs": "pairs of texts",
    "video": "clips",
}
THERE = {**READS, "sequence": "pictures"}  # which a network of sequences reads row by row


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data of each kind, and a model file of a network that was trained on them."""
    top = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    for label in ("dark", "bright"):
        for clip in range(4):
            frames = top / "video" / label / f"clip{clip}"
            frames.mkdir(parents=True)
            for t in range(3):
                pixels = rng.integers(0, 40 if label == "dark" else 250, (8, 10, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(frames / f"{t}.png")
        (top / "sequence" / label).mkdir(parents=True)
        for k in range(4):
            pixels = rng.integers(0, 40 if label == "dark" else 250, (6, 5), dtype=np.uint8)
            Image.fromarray(pixels).save(top / "sequence" / label / f"{k}.png")
    texts = [("a fine day", "good"), ("a sad day", "bad")] * 4
    (top / "text.txt").write_text("".join(f"{text}\n" for text, _ in texts))
    (top / "tokens.conll").write_text("the\tDET\ndog\tNOUN\n\na\tDET\ncat\tNOUN\n\n" * 4)
    (top / "pairs.csv").write_text("from,to\n" + "ab,ba\nabb,bba\n" * 4)
    recurra.TextClassifier(**QUICK).fit(*zip(*texts, strict=True)).save(top / "text.recurra")
    recurra.SequenceLabeler(**QUICK).fit(recurra.load(top / "tokens.conll")).save(top / "tokens.recurra")
    recurra.Translator(**QUICK).fit(["ab", "abb"] * 4, ["ba", "bba"] * 4).save(top / "pairs.recurra")
    recurra.SequenceClassifier(**QUICK).fit(recurra.load(top / "sequence")).save(top / "sequence.recurra")
    clips = recurra.VideoClassifier(backbone="small-cnn", image_size=8, frames=3, **QUICK)
    clips.fit(recurra.load(top / "video")).save(top / "video.recurra")
    return top


SOURCES = {"sequence": "sequence", "text": "text.txt", "tokens": "tokens.conll", "video": "video"}
# Lines of text are sentences, or sources, to a network that reads those; folders of images are clips to one for clips.
MEANT = {("tokens", "text"), ("pairs", "text"), ("video", "sequence")}


@pytest.mark.parametrize(
    ("trained", "given"),
    [pair for pair in permutations(READS, 2) if pair[1] in SOURCES and pair not in MEANT],
)
def test_data_of_another_kind_are_refused_by_what_they_are(place, trained, given):
    model, source = place / f"{trained}.recurra", place / SOURCES[given]
    with pytest.raises(DataError) as refused:
        predict(model, str(source))
    assert f"{source}: holds {THERE[given]}; the network was trained on {READS[trained]}" in str(
        refused.value
    )


@pytest.mark.parametrize("given", ["video/dark/clip0", ("video/dark/clip0",)], ids=["alone", "as typed"])
def test_a_folder_of_images_is_a_clip_to_a_network_that_reads_clips(place, given):
    source = tuple(str(place / each) for each in given) if isinstance(given, tuple) else str(place / given)
    (row,) = predict(place / "video.recurra", source)
    assert row["name"] == "clip0"


def test_folders_of_images_without_a_class_are_clips_too(place):
    rows = predict(place / "video.recurra", str(place / "video" / "dark"))
    assert [row["name"] for row in rows] == [f"clip{k}" for k in range(4)]


def test_one_image_is_read_row_by_row_by_a_model_file_too(place):
    file = place / "sequence" / "dark" / "2.png"
    (row,) = predict(place / "sequence.recurra", str(file))
    among = {each["name"]: each for each in predict(place / "sequence.recurra", str(place / "sequence"))}
    assert row == {**among["dark/2.png"], "name": "2.png"}
    assert np.array_equal(recurra.load(file)[0].values, np.asarray(Image.open(file), np.float32) / 255)


def test_a_model_file_that_translates_asks_for_the_columns_of_a_table(place):
    with pytest.raises(UsageError, match=r"pairs\.csv: .* with source=, .* with target="):
        predict(place / "pairs.recurra", str(place / "pairs.csv"))
    assert len(predict(place / "pairs.recurra", str(place / "pairs.csv"), source="from")) == 8


def test_a_table_is_no_clip(place, tmp_path):
    (tmp_path / "a.csv").write_text("who,ax\nr0,1\nr0,2\n")
    with pytest.raises(
        DataError, match=r"a\.csv: is a table; the network was trained on clips\. Give a video"
    ):
        predict(place / "video.recurra", str(tmp_path / "a.csv"))
