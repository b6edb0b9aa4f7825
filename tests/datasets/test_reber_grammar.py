import re

import numpy as np
import pytest

from recurra import datasets
from recurra.datasets import reber_grammar
from recurra.datasets.reber_grammar import allowed_next, decode, encode

# The inner grammar as a regular expression, written down from the diagram, not from our table.
INNER = re.compile(r"B(TS*X(X(T*V)P)*(S|XT*VV)|PT*V(P(X(T*V)P)*(S|XT*VV)|V))E")


def test_strings_belong_to_the_grammar_and_come_back_to_their_branch():
    for record in datasets.load("reber-grammar", "train", n=300, random_state=1):
        text = decode(record.values) + record.label[-1]
        assert text[0] == "B"
        assert text[1] in "TP"
        assert text[-2:] == text[1] + "E"
        assert INNER.fullmatch(text[2:-2]), text
        assert "".join(record.label) == text[1:]


def test_allowed_symbols_are_those_that_came():
    """What was drawn many times is exactly what is allowed."""
    rng = np.random.default_rng(0)
    seen = {}
    for _ in range(8000):
        text = reber_grammar.string(rng)
        for end in range(1, min(len(text), 8)):
            seen.setdefault(text[:end], set()).add(text[end])
    often = {prefix: after for prefix, after in seen.items() if len(prefix) <= 6}
    assert len(often) > 10
    for prefix, after in often.items():
        assert set(allowed_next(prefix)[-1]) == after, prefix


def test_the_last_but_one_depends_on_the_second():
    assert allowed_next("BTBPVVE")[-1] == "T"
    assert allowed_next("BPBPVVE")[-1] == "P"


def test_a_foreign_string_is_named():
    with pytest.raises(ValueError, match="'X' cannot come here in the embedded Reber grammar"):
        allowed_next("BX")


def test_encode_and_decode():
    assert decode(encode("BTBPVVETE")) == "BTBPVVETE"
