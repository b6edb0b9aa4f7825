"""What captions say, of both forms, by the name of the file and by what is in it."""

import pytest

import recurra
from recurra.readers.files.subtitles import captions

SAID = ["Nobody was there.", "Who is it? Not I!", "1984 --> a book"]
SRT = """1
00:00:01,000 --> 00:00:02,500
Nobody was there.

2
00:00:03,000 --> 00:00:04,000 X1:40 X2:600 Y1:20 Y2:50
<i>Who is it?</i>
{\\an8}Not I!

3
00:01:00,000 --> 00:01:01,000
1984 --> a book

4
00:01:02,000 --> 00:01:03,000

"""
VTT = """WEBVTT - a film

STYLE
::cue { color: red }

NOTE nobody reads this

NOTE
nor a caption that is left out:
00:00.000 --> 00:00.500
Was anybody there?

00:01.000 --> 00:02.500 align:start
Nobody was there.

second
00:00:03.000 --> 00:00:04.000
<v Anna>Who is it?</v>
Not I!

01:00:00.000 --> 01:00:01.000
1984 --> a book
"""


@pytest.mark.parametrize(
    ("name", "text"), [("film.srt", SRT), ("film.vtt", VTT), ("film.txt", SRT), ("film.SRT", SRT)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_caption_is_a_text(tmp_path, name, text, end):
    place = tmp_path / name
    place.write_bytes(text.replace("\n", end).encode("utf-8-sig"))
    found = recurra.load(place)
    assert (found.kind, found.X) == ("text", SAID)
    assert found.names[1] == "caption 2"
    assert found.notes == (f"{place}: read as subtitles, one text a caption, without numbers and times.",)


@pytest.mark.parametrize(
    "text", ["1\n2\n3\n", "a\nb\n\nc", "WEBVTT", "1\n\n00:00:01,000 --> 00:00:02,000\nx"]
)
def test_what_is_no_subtitles(text):
    assert captions(text) is None


def test_subtitles_without_a_word(tmp_path):
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n\n")
    with pytest.raises(recurra.errors.DataError, match=r"holds subtitles without a word\. Give a file whose"):
        recurra.load(tmp_path / "a.srt")


def test_paragraphs_that_were_asked_for_keep_their_numbers(tmp_path):
    (tmp_path / "a.srt").write_text(SRT)
    assert recurra.load(tmp_path / "a.srt", layout="paragraphs").X[0].startswith("1\n00:00:01,000 --> ")
