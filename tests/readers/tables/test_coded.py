"""A column kept as codes says what a column of its cells says."""

import numpy as np

from recurra.readers.arrow.coded import Coded, factorize

WORDS = ["walk", "rest", "walk", None, "run", "rest"]


def test_cells_one_by_one_and_all_together():
    column = Coded(np.array([0, 1, 0, 2, 3, 1], np.int32), ["walk", "rest", None, "run"])
    assert len(column) == len(WORDS)
    assert column.cells().tolist() == WORDS
    assert [column[row] for row in range(-1, len(WORDS))] == [WORDS[-1], *WORDS]


def test_codes_of_values_that_meet_are_those_of_the_cells():
    column = Coded(np.array([0, 1, 0, 2, 1], np.int32), ["1", "1.0", "2"])
    codes, values = column.factorize([1.0, 1.0, 2.0])
    wanted = factorize([1.0, 1.0, 1.0, 2.0, 1.0])
    assert codes.tolist() == wanted[0].tolist()
    assert values == wanted[1]
