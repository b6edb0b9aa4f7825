import re

import numpy as np
import pytest

import recurra
from recurra.errors import DataError, UsageError


def message(call, kind=DataError):
    with pytest.raises(kind) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_text_a_line_with_labels(tmp_path):
    texts, labels = tmp_path / "texts.txt", tmp_path / "labels.txt"
    texts.write_bytes("\ufeffWell done.\r\nBad, really bad\r\n".encode())
    labels.write_text("good\nbad\n")
    data = recurra.load(texts)
    assert (data.kind, data.X, data.y) == ("text", ["Well done.", "Bad, really bad"], None)
    assert recurra.load(texts, labels=labels).y.tolist() == ["good", "bad"]


def test_more_labels_than_texts(tmp_path):
    texts, labels = tmp_path / "texts.txt", tmp_path / "labels.txt"
    texts.write_text("one text\n")
    labels.write_text("a\nb\n")
    assert message(lambda: recurra.load(texts, labels=labels)) == (
        f"{labels}: must hold one label for each line of {texts}; it has 2 labels for 1 text. "
        "Remove the labels of no text, or check that both files are of the same data."
    )
    texts.write_text("one text\nand\nmore\n")
    assert "Add those that are missing, or check" in message(lambda: recurra.load(texts, labels=labels))


def test_an_empty_line_between_texts(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("one\n\nthree\n")
    assert message(lambda: recurra.load(path)) == (
        f"{path}: line 2 is empty. Remove it, and its label if there is one."
    )


def test_a_column_of_texts_may_say_none(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,label\nnone,a\nnull and void,b\n")
    assert recurra.load(path).X == ["none", "null and void"]
    path.write_text("text,label\nnone,a\n ,b\n")
    assert "it is empty at line 3" in message(lambda: recurra.load(path))


def test_tab_separated_text_with_names(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("text\tlabel\nfine, thanks\tgood\n")
    data = recurra.load(path)
    assert (data.X, data.y.tolist()) == (["fine, thanks"], ["good"])


def test_latin_1_by_option(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes("naïve café\n".encode("latin-1"))
    assert "Pass encoding='latin-1'" in message(lambda: recurra.load(path))
    assert recurra.load(path, encoding="latin-1").X == ["naïve café"]


def test_what_is_no_text(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b"PNG\0\1\2")
    assert "is not a text file: it holds a zero byte at position 3" in message(lambda: recurra.load(path))


def test_json_lines(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "one, two", "label": "a"}\n\n{"text": "three", "label": "b"}\n')
    data = recurra.load(path)
    assert (data.kind, data.X, data.y.tolist()) == ("text", ["one, two", "three"], ["a", "b"])
    path.write_text('{"text": "one"}\n{"text": "two"')
    assert "line 2 is not JSON: " in message(lambda: recurra.load(path))
    path.write_text('["text"]\n')
    assert "line 1 must hold a JSON object; got list" in message(lambda: recurra.load(path))
    path.write_text('{"text": "one", "label": "a"}\n{"text": 2, "label": "b"}\n')
    assert message(lambda: recurra.load(path)) == (
        f"{path}: the text column 'text' must hold text; row 1 has 2 of type int. "
        "Turn the column into text, or name another with text=."
    )


def test_a_folder_of_texts_per_class(tmp_path):
    for label, words in (("good", "very fine"), ("bad", "rather, well, poor")):
        (tmp_path / label).mkdir()
        (tmp_path / label / "one.txt").write_text(words + "\nand more\n")
    data = recurra.load(tmp_path)
    assert data.kind == "text"
    assert data.X == ["rather, well, poor\nand more", "very fine\nand more"]
    assert data.y.tolist() == ["bad", "good"]
    (tmp_path / "good" / "two.txt").write_text("a,b\n1,2\n3,4\n")
    assert "good/two.txt: holds numbers, bad/one.txt words." in message(lambda: recurra.load(tmp_path))


def test_tables_of_numbers_in_txt_stay_tables(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("x y\n1 2\n3 4\n".replace(" ", "\t"))
    assert recurra.load(path, layout="long").kind == "sequence"
    assert "labels= names a file of labels" in message(
        lambda: recurra.load(path, labels="l.txt", layout="wide"), UsageError
    )


LABELLED = [
    (f"oil leaks at gate {i}", "leak") if i % 2 else (f"no power in hall {i}", "power") for i in range(12)
]


@pytest.mark.parametrize(("label_first", "side"), [(False, "behind"), (True, "before")])
def test_a_label_beside_a_tab_is_a_label(tmp_path, label_first, side):
    file = tmp_path / "t.txt"
    file.write_text("".join(f"{b}\t{a}\n" if label_first else f"{a}\t{b}\n" for a, b in LABELLED))
    data = recurra.load(file)
    assert [text for text, _ in LABELLED] == data.X
    assert data.y.tolist() == [label for _, label in LABELLED]
    assert f"its label {side} a tab" in data.notes[0]
    assert recurra.load(file, layout="lines").X[0].count("\t") == 1


@pytest.mark.parametrize(
    "lines",
    [
        [f"a house {i}\tein Haus {i}" for i in range(12)],  # pairs: nothing stands twice
        [f"{'ab'[i % 2]}\t{'cd'[i % 2]}" for i in range(12)],  # both sides could be labels
        [f"text {i}\tx" for i in range(12)],  # one name for all says nothing
        [f"text {i}\t{'ab'[i % 2]}\tmore" for i in range(12)],
        [f"text {i}\t{'ab'[i % 2]}" for i in range(11)] + ["a line without one"],
        ["one text\ta", "another\tb"],  # too few to tell
    ],
)
def test_a_tab_that_parts_no_label_stays_in_the_text(tmp_path, lines):
    file = tmp_path / "t.txt"
    file.write_text("\n".join(lines) + "\n")
    data = recurra.load(file)
    assert lines == data.X
    assert data.y is None


NAMES = [
    ("Mancini", "it"),
    ("Rossi", "it"),
    ("Nowak", "pl"),
    ("Zając", "pl"),
    ("O'Neill", "ie"),
    ("De Luca", "it"),
]


@pytest.mark.parametrize(
    ("header", "rows", "advice"),
    [
        (
            "name,language",
            NAMES,
            "the column 'name' holds words, not numbers. Give text='name' and label='language' ",
        ),
        (
            "decimal,roman",
            [(4, "IV"), (1, "I"), (9, "IX"), (12, "XII")],
            "the column 'roman' holds words, not numbers. Give text='roman' and label='decimal' to learn the number of a "
            "word, or source='decimal' and target='roman' to learn to turn one into the other.",
        ),
        (
            "english,german",
            [("dog", "Hund"), ("cat", "Katze"), ("tree", "Baum")],
            "the columns 'english', 'german' hold words, not numbers. Give text='english' to learn from one of them, or "
            "source='english' and target='german' to learn to turn one into the other.",
        ),
    ],
)
def test_a_table_of_words_is_told_what_to_give(tmp_path, header, rows, advice):
    path = tmp_path / "words.csv"
    path.write_text(f"{header}\n" + "".join(f"{a},{b}\n" for a, b in rows))
    assert advice in message(lambda: recurra.load(path))
    first, second = header.split(",")
    assert len(recurra.load(path, text=first, label=second)) == len(rows)
    assert recurra.load(path, source=first, target=second).kind == "pairs"


def test_a_name_beside_numbers_is_still_asked_about(tmp_path):
    path = tmp_path / "steps.csv"
    path.write_text("who,a,b,c\nAnn,1,2,3\nBob,4,5,6\nEve,4,5,7\n")
    assert "column 'who' must hold numbers" in message(lambda: recurra.load(path))


def test_numbers_beside_texts_are_named(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("row,text,price\n" + "".join(f"{i},a fine day of {i},{i % 3}.5\n" for i in range(9)))
    assert f"{path}: the column 'price' holds numbers; label='price' learns them." in recurra.load(path).notes
    assert recurra.load(path, label="price").y.tolist()[:3] == [0.5, 1.5, 2.5]


def test_files_of_a_line_a_text(tmp_path):
    for name, words in {"de": "Müller Weber Koch Klein Wolf", "it": "Rossi Russo Greco Conti Costa"}.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(words.split()) + "\n", encoding="utf-8")
    whole = recurra.load(tmp_path)
    assert len(whole) == 2
    assert whole.notes == (
        f"{tmp_path}: each file is read as one text; layout='lines' reads one text a line, the name of its file as "
        "label.",
    )
    lines = recurra.load(tmp_path, layout="lines")
    assert lines.X[:2] == ["Müller", "Weber"]
    assert lines.y.tolist() == ["de"] * 5 + ["it"] * 5
    assert lines.names[0] == "de.txt, line 1"
    assert "does not apply" in message(lambda: recurra.load(tmp_path, layout="long"), UsageError)


def test_class_folders_of_a_line_a_text(tmp_path):
    for label, words in {"good": ("fine day", "very nice"), "bad": ("awful rain", "so cold")}.items():
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text("\n".join(words) + "\n")
    lines = recurra.load(tmp_path, layout="lines")
    assert (lines.X, lines.y.tolist()) == (
        ["awful rain", "so cold", "fine day", "very nice"],
        ["bad", "bad", "good", "good"],
    )


def test_long_texts_of_a_folder_are_not_asked_about(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("A paragraph of many words that goes on and on for long.\n" * 9)
    assert recurra.load(tmp_path).notes == ()


NUMBERS = [
    "{:.2f}%",
    "${:.2f}",
    "({:.2f})",
    '"{:.2f}"',
    "{:.2f} mV",
    "{:.3E}",
    "{:.2f}-",
    "'{:.2f}",
    "{:_.2f}",
]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", "~"])
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("before", ["", "Report of device 12\n", "%% made by a program\n", "Report\n\n"])
def test_a_table_of_odd_numbers_is_no_text(tmp_path, mark, number, before):
    path = tmp_path / "t.txt"
    rows = [mark.join([f"s{row // 4}", str(row % 4), number.format(1234.5 + row)]) for row in range(12)]
    rows = [row.replace("E+", "D+") for row in rows]
    path.write_text(before + "\n".join([mark.join(["id", "time", "x"]), *rows]) + "\n", encoding="utf-8")
    line, cell = 2 + before.count("\n"), rows[0].rsplit(mark)[-1]
    if mark == "~":  # is no separator
        named = before.split("\n")[0] if before.startswith("Report") else "id~time~x"
        with pytest.raises(DataError, match=f"column '{re.escape(named)}' must hold numbers; line"):
            recurra.load(path)
    elif '"' in number:
        data = recurra.load(path)
        assert data.kind == "sequence"
        assert np.concatenate(data.X)[:, 0].tolist() == [1234.5 + row for row in range(12)]
    else:
        with pytest.raises(
            DataError, match=rf"column 'x' must hold numbers; line {line} has ['\"]{re.escape(cell)}['\"]"
        ):
            recurra.load(path)


@pytest.mark.parametrize(
    "line",
    [
        "2024-01-{0:02d} 10:15:32,123 INFO started the pump number {0}",
        "In {0} cases of 10, nothing was found",
        "Room {0}; the heating is cold again, please come",
        "10:15:{0:02d} ERROR 5",
        "machine {0}\tthe belt has torn",
        "Wir haben {0},5 Liter verbraucht, bitte nachfüllen",
    ],
)
def test_lines_of_text_with_numbers_stay_texts(tmp_path, line):
    path = tmp_path / "t.txt"
    path.write_text("\n".join(line.format(row) for row in range(12)) + "\n", encoding="utf-8")
    assert recurra.load(path).kind == "text"


CAPTION = "{0}\n00:00:{0:02d},000 --> 00:00:{0:02d},900\nhello you\n"
SENTENCE = "the\tDET\ndog\tNOUN\nbarks\tVERB\n"


@pytest.mark.parametrize(
    ("name", "part", "word", "value"),
    [
        ("a.srt", CAPTION, "label_per", "step"),
        ("a.txt", CAPTION, "label_per", "step"),
        ("a.srt", CAPTION, "label_per", "sequence"),
        ("a.txt", "one line of text\nand another\n", "label_per", "step"),
        ("a.conll", SENTENCE, "layout", "long"),
        ("a.conll", SENTENCE, "layout", "wide"),
        ("a.conll", SENTENCE, "layout", "lines"),
    ],
)
def test_words_that_do_not_act_on_texts_are_refused(tmp_path, name, part, word, value):
    path = tmp_path / name
    path.write_text("\n".join(part.format(number) for number in range(1, 9)), encoding="utf-8")
    recurra.load(path)
    with pytest.raises(UsageError, match=f"{word}= does not apply"):
        recurra.load(path, **{word: value})
