"""Sentences with a label for each word: three forms on disk become the same records."""

import pytest

import recurra
from recurra.errors import DataError, UsageError

WORDS = [["the", "dog", "barks"], ["he", "ran"], ["dogs"]]
TAGS = [["DET", "NOUN", "VERB"], ["PRON", "VERB"], ["NOUN"]]


def columns(parted, blank="\n"):
    pairs = zip(WORDS, TAGS, strict=True)
    return blank.join("".join(f"{w}{parted}{t}\n" for w, t in zip(*pair, strict=True)) for pair in pairs)


def universal():
    sentences = []
    for words, tags in zip(WORDS, TAGS, strict=True):
        rows = [
            f"{i}\t{w}\t{w}\t{t}\tX\t_\t0\troot\t_\t_"
            for i, (w, t) in enumerate(zip(words, tags, strict=True), 1)
        ]
        sentences.append(
            "\n".join(["# text = " + " ".join(words), "1-2\tthed\t_\t_\t_\t_\t_\t_\t_\t_", *rows])
        )
    return "\n\n".join(sentences) + "\n"


def as_json(word, label):
    import json

    return "".join(json.dumps({word: w, label: t}) + "\n" for w, t in zip(WORDS, TAGS, strict=True))


def lines(form):
    return "".join(form(w, t) + "\n" for w, t in zip(WORDS, TAGS, strict=True))


FORMS = {
    "columns of CoNLL": ("x.conll", columns(" "), {}),
    "tabs": ("x.iob", columns("\t"), {}),
    "a text file": ("x.txt", columns(" "), {}),
    "two empty lines": ("x.txt", columns("\t", "\n\n"), {}),
    "a .tsv": ("x.tsv", columns("\t"), {}),
    "line ends of Windows": ("x.conll", columns("\t").replace("\n", "\r\n"), {}),
    "universal dependencies": ("x.conllu", universal(), {}),
    "the same as text": ("x.txt", universal(), {}),
    "a first row of names": ("x.conll", "word tag\n" + columns(" "), {"text": "word", "label": "tag"}),
    "JSON lines": ("x.jsonl", as_json("tokens", "ner_tags"), {}),
    "keys that are said": ("x.jsonl", as_json("w", "t"), {"text": "w", "label": "t"}),
    "behind a tab": ("x.txt", lines(lambda w, t: " ".join(w) + "\t" + " ".join(t)), {}),
    "at each word": ("x.txt", lines(lambda w, t: " ".join(map("/".join, zip(w, t, strict=True)))), {}),
    "at each word, a line below": (
        "x.txt",
        lines(lambda w, t: " ".join(map("_".join, zip(w, t, strict=True)))),
        {},
    ),
    "a table": (
        "x.csv",
        "text,tags\n" + lines(lambda w, t: f"{' '.join(w)},{' '.join(t)}"),
        {"label": "tags"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_sentences(tmp_path, form):
    name, content, words = FORMS[form]
    (tmp_path / name).write_bytes(content.encode())
    data = recurra.load(tmp_path / name, **words)
    assert (data.kind, data.X) == ("tokens", WORDS)
    assert [record.label.tolist() for record in data] == TAGS
    assert data.labels_per_step
    assert data.class_counts() == {"DET": 1, "NOUN": 2, "PRON": 1, "VERB": 2}
    assert data.summary()["total_steps"] == 6


def test_labels_in_a_file_beside(tmp_path):
    (tmp_path / "x.txt").write_text(lines(lambda w, t: " ".join(w)))
    (tmp_path / "x.tags").write_text(lines(lambda w, t: " ".join(t)))
    data = recurra.load(tmp_path / "x.txt", labels=tmp_path / "x.tags")
    assert (data.kind, data.X, [r.label.tolist() for r in data]) == ("tokens", WORDS, TAGS)
    assert recurra.load(tmp_path / "x.txt").kind == "text"
    whole = recurra.load(tmp_path / "x.txt", labels=tmp_path / "x.tags", label_per="sequence")
    assert (whole.kind, whole.y.tolist()) == ("text", [" ".join(t) for t in TAGS])


def test_documents_are_groups_that_no_split_cuts(tmp_path):
    document = "-DOCSTART- -X-\n\na A\nb B\n\nc C\n\n"
    (tmp_path / "x.conll").write_text(document * 6)
    data = recurra.load(tmp_path / "x.conll")
    assert data.groups.tolist() == [f"document {i}" for i in range(1, 7) for _ in range(2)]
    (tmp_path / "x.conll").write_text(document * 3)
    assert recurra.load(tmp_path / "x.conll").groups is None


@pytest.mark.parametrize(
    ("name", "content", "words", "text"),
    [
        ("x.conll", "a A\nb\n\nc C\n", {}, "line 2 has 1 column, the others have 2"),
        ("x.conll", "a A\n", {"label": "upos"},
         "has no column 'upos' (given as label); its columns are 'column_0', 'column_1'"),
        ("x.conllu", universal(), {"label": "uposs"}, "Did you mean 'upos'?"),
        ("x.conll", "# only a comment\n", {}, "holds no sentence"),
        ("x.jsonl", '{"tokens": ["a"], "tags": ["A", "B"]}\n', {},
         "line 1: 'tags' must hold a label for each of 1 word; got 2 labels"),
        ("x.jsonl", '{"tokens": ["a"]}\n{"tokens": 3}\n', {}, "line 2: 'tokens' must be a list of words; got '3'"),
        ("x.csv", "text,tags\na b,A\nc d,A B\n", {"label": "tags", "label_per": "step"},
         "must have as many labels as 'text' has words"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(tmp_path, name, content, words, text):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as caught:
        recurra.load(tmp_path / name, **words)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_that_do_nothing_for_sentences(tmp_path):
    (tmp_path / "x.conll").write_text(columns(" "))
    with pytest.raises(
        UsageError, match="time= does not apply to .*, sentences in columns; it takes text=, label="
    ):
        recurra.load(tmp_path / "x.conll", time="t")


def test_what_only_looks_like_columns(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("one text\n\nanother text\nof two lines\n")  # paragraphs, of different numbers of words
    assert recurra.load(path).kind == "text"
    path.write_text("one text here\nand one more\n\nanother text here\nhas three words\n")
    assert recurra.load(path).kind == "text"
    path.write_text("0.1 1\n0.2 1\n\n0.3 2\n0.4 2\n")
    assert recurra.load(path, header="none", delimiter=" ").kind == "sequence"
    path.write_text("a house\tein Haus\nmy dog\tmein Hund\n")
    assert recurra.load(path).kind == "text"


def test_a_novel_is_read_by_paragraphs(tmp_path):
    (tmp_path / "novel.txt").write_text("It was dark\nand stormy.\n\n  \nThe rain fell.\n")
    data = recurra.load(tmp_path / "novel.txt")
    assert (data.kind, data.X) == ("text", ["It was dark\nand stormy.", "The rain fell."])


@pytest.mark.parametrize(
    ("header", "rows", "text"),
    [
        ("review,mood", ["I loved it so,good", "It was so bad,bad"], "text='review' and label='mood'"),
        ("review,stars", ["I loved it so,5", "It was so bad,1"], "Give text='review' and label='stars' to learn from them"),
        ("n,review,label", ["1,I loved it so,x", "2,It was so bad,y"], "text='review' and label='label'"),
        ("en,de", ["I am here now {},Ich bin jetzt hier {}"] * 2, "source='en' and target='de'"),
        ("words,kind", ["雨が町に降っていましたそして誰もいませんでした,a", "雨が町に降っていましたそして皆がいました,b"],
         "text='words'"),
    ],
)  # fmt: skip
def test_a_table_of_texts_is_answered_with_the_words_to_give(tmp_path, header, rows, text):
    lines = [row.format(i, i) for i, row in enumerate(rows * 3)]
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    with pytest.raises(DataError) as caught:
        recurra.load(tmp_path / "t.csv")
    assert text in str(caught.value)


@pytest.mark.parametrize(("behind", "column"), [("_", 1), ("_ _", 1), ("B _", 1), ("7 _", 1), ("X{0} _", 2)])
def test_a_last_column_that_never_changes_holds_no_labels(tmp_path, behind, column):
    pairs = [zip(w, t, strict=True) for w, t in zip(WORDS, TAGS, strict=True)]
    rows = ["".join(f"{w} {t} {behind.format(t)}\n" for w, t in pair) for pair in pairs]
    (tmp_path / "x.conll").write_text("\n".join(rows))
    found = recurra.load(tmp_path / "x.conll")
    assert [label.tolist() for label in found.y] == (
        TAGS if column == 1 else [[f"X{tag}" for tag in own] for own in TAGS]
    )
    assert f"labels in 'column_{column}', the last in which" in found.notes[0]
    last = f"column_{1 + len(behind.split())}"
    assert set(recurra.load(tmp_path / "x.conll", label=last).class_counts()) == {"_"}


def test_labels_that_are_all_one_are_kept(tmp_path):
    (tmp_path / "x.conll").write_text(columns(" ").replace("DET", "O").replace("NOUN", "O"))
    assert set(recurra.load(tmp_path / "x.conll").class_counts()) == {"O", "PRON", "VERB"}
    (tmp_path / "y.conll").write_text("\n".join("".join(f"{w} O\n" for w in words) for words in WORDS))
    assert set(recurra.load(tmp_path / "y.conll").class_counts()) == {"O"}
