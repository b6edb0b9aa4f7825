import numpy as np
import pytest

from recurra.readers.tables.number_formats import NotANumberError, Numerals


def read(cells, **words):
    return Numerals(**words).read(np.array(cells, dtype=object))


@pytest.mark.parametrize(
    ("cells", "words", "values"),
    [
        (["1.5", "-2e3", "+.5", " 7 ", "-inf"], {}, [1.5, -2000, 0.5, 7, -np.inf]),
        (["1,234.5", "1,234"], {}, [1234.5, 1234]),
        (["1,234,567", "1,234"], {}, [1234567, 1234]),
        (["1,234", "0.5"], {}, [1234, 0.5]),
        (["1.234,5", "1.234"], {"decimal": ","}, [1234.5, 1234]),
        (["1.234", "2,5"], {"decimal": ","}, [1234, 2.5]),
        (["1,234", "999"], {"decimal": ","}, [1.234, 999]),
        (["1.234", "5.678"], {}, [1.234, 5.678]),
        (["1.234", "1000"], {}, [1.234, 1000]),
        (["1.234", "0"], {}, [1.234, 0]),
        (["1,234", "999"], {"thousands": ","}, [1234, 999]),
        (["1.234", "999"], {"thousands": ","}, [1.234, 999]),
        (["1.234"], {"decimal": ",", "thousands": "."}, [1234]),
        (["1 234,5", "1 234"], {"decimal": ","}, [1234.5, 1234]),
        (["1\u00a0234.5", "1\u202f234", "-1\u2009234\u2009567"], {}, [1234.5, 1234, -1234567]),
        (["1'234.5", "1\u2019234", "\u22125"], {}, [1234.5, 1234, -5]),
        (["1", "-", "--", "#N/A", "n.a.", "?", "."], {}, [1, *[np.nan] * 6]),
    ],
)
def test_numbers_of_one_meaning(cells, words, values):
    np.testing.assert_array_equal(read(cells, **words)[0], values)


@pytest.mark.parametrize(
    ("cells", "words", "row", "hint"),
    [
        (
            ["1,234", "2,345"],
            {},
            0,
            "It may be 1234, or 1.234: pass thousands=',' if ',' parts thousands, decimal=','",
        ),
        (["1.234", "5"], {"decimal": ","}, 0, "It may be 1234, or 1.234: pass thousands='.'"),
        (["5", "1.234"], {}, 1, "Beside '5' it may be thousands: pass decimal=','"),
        (["1,234", "1.234"], {}, 0, "It may be 1234"),
        (["1,5"], {}, 0, "If the comma is the decimal mark, pass decimal=','."),
        (["1.234,5"], {}, 0, "If the comma is the decimal mark"),
        (["1.5"], {"decimal": ","}, 0, "If the point is the decimal mark, pass decimal='.'."),
        (["1,234.5", "1'234"], {}, 1, "Thousands are parted by ',' before and by \"'\" here."),
        (["1_000"], {}, 0, ""),
        (["1e999"], {}, 0, "It is beyond the numbers of 64 bits."),
        (["12,34.5"], {}, 0, ""),
        (["1 23"], {}, 0, ""),
        (["1 234"], {"blanks": False}, 0, "If blanks part the columns"),
        (["1+2j"], {}, 0, ""),
        (["5 %"], {}, 0, ""),
        (["0,123", "1,234"], {}, 0, "If the comma is the decimal mark"),
    ],
)
def test_what_is_no_number_or_two_is_refused(cells, words, row, hint):
    with pytest.raises(NotANumberError) as caught:
        read(cells, **words)
    assert caught.value.row == row
    assert caught.value.hint.startswith(hint)


def test_what_was_decided_is_said():
    assert read(["1.234", "2,5"], decimal=",")[1] == "'.' parts thousands, so that '1.234' is 1234"
