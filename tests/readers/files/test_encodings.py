"""Which encoding a message names: one in which the bytes are the text they were written as."""

import time

import pytest

import recurra
from recurra.errors import DataError
from recurra.readers.files.encodings import decode

TEXTS = {
    "latin-1": "Größe, Ärger, señor, façade, déjà vu",
    "cp1252": "Preis 20 € – „dringend“ … Größe",
    "cp932": "これは日本語の文章です。テストのために書きました。",
    "euc_jp": "ひらがなとカタカナと漢字の文章です。",
    "utf-8": "naïve – „Größe“ これは",
}


def advice(data, told):
    with pytest.raises(DataError) as caught:
        decode(data, who="a.txt", encoding=told)
    return str(caught.value)


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "utf-8"])
@pytest.mark.parametrize("beside", ["", "id;text;label\r\n17;a;b\r\n"])
def test_the_encoding_named_reads_the_text(name, beside):
    data = (beside + TEXTS[name]).encode(name)
    assert f"Pass encoding='{name}', or save it as UTF-8." in advice(data, "utf-8")
    assert decode(data, who="a.txt", encoding=name) == (beside + TEXTS[name]).replace("\r\n", "\n")


def test_quotation_marks_of_windows_are_no_latin_1():
    """Latin-1 takes every byte: the marks became control characters without a word."""
    data = TEXTS["cp1252"].encode("cp1252")
    assert advice(data, "latin-1") == (
        "a.txt: is not latin-1 text: byte 9 is 0x80, a control character there. Pass encoding='cp1252'."
    )
    assert decode(TEXTS["latin-1"].encode("latin-1"), who="a.txt", encoding="latin-1") == TEXTS["latin-1"]
    assert "Pass encoding='utf-8'" in advice(TEXTS["utf-8"].encode(), "latin-1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gb18030", "这是第一个句子，用来测试。"),
        ("cp1251", "Это предложение"),
        ("cp949", "이것은 문장입니다"),
    ],
)
def test_other_scripts_are_not_taken_for_western(name, text):
    told = advice(text.encode(name), "utf-8")
    assert "Most of its letters are of no Western language. Pass the encoding= of the program" in told
    assert f"'{name}'" in told


def test_an_export_of_windows_by_the_words_of_the_message(tmp_path):
    path = tmp_path / "tickets.csv"
    rows = "".join(f'"Der Motor ist laut\r\n– „sehr“ {i}";{"ab"[i % 2]}\r\n' for i in range(8))
    path.write_bytes(("text;label\r\n" + rows).encode("cp1252"))
    with pytest.raises(DataError, match="Pass encoding='cp1252'"):
        recurra.load(path)
    assert recurra.load(path, encoding="cp1252").X[1] == "Der Motor ist laut\n– „sehr“ 1"


def test_what_a_large_file_is_written_in_is_found_in_one_look_at_its_bytes():
    data = ("näme;1.5;2.25;3\n" * 1_000_000).encode("latin-1")
    began = time.process_time()
    assert decode(data, who="a.txt", encoding="latin-1").startswith("näme")
    assert time.process_time() - began < 2  # byte by byte it was 4 to 20
