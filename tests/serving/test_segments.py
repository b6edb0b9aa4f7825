import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import UsageError
from recurra.evaluation.metrics.segment_f1 import segment_f1
from recurra.features.rows.alignment import Alignment
from recurra.serving.segments import labels_of, segments_of
from signal_files import message

CLASSES = np.array(["a", "b", "c"])


def made(codes, least=0.0, **words):
    return segments_of(np.array(codes), steps=len(codes), classes=CLASSES, min_duration_s=least, **words)


def test_steps_become_stretches():
    found = made([0, 0, 1, 1, 1, 0], rate_hz=2.0)
    assert [(s.start, s.end, s.label) for s in found] == [(0, 2, "a"), (2, 5, "b"), (5, 6, "a")]
    assert [(s.start_s, s.end_s) for s in found] == [(0, 1), (1, 2.5), (2.5, 3)]
    assert made([0])[0].end_s is None


def test_short_ones_join_their_longer_neighbour():
    assert [(s.start, s.end, s.label) for s in made([0, 0, 0, 1, 2, 2], least=2)] == [
        (0, 4, "a"),
        (4, 6, "c"),
    ]
    assert [(s.start, s.end, s.label) for s in made([0, 0, 0, 1, 0, 0], least=2)] == [(0, 6, "a")]
    assert [(s.start, s.end, s.label) for s in made([0, 1, 2], least=9)] == [(0, 3, "c")] or len(
        made([0, 1, 2], 9)
    ) == 1


@settings(deadline=None)
@given(codes=st.lists(st.integers(0, 2), min_size=1, max_size=60), least=st.integers(0, 10))
def test_they_cover_the_sequence_and_none_is_short(codes, least):
    found = made(codes, least=float(least))
    assert (found[0].start, found[-1].end) == (0, len(codes))
    assert all(a.end == b.start and a.label != b.label for a, b in itertools.pairwise(found))
    assert len(found) == 1 or all(s.end - s.start >= least for s in found)
    if least <= 1:
        np.testing.assert_array_equal(labels_of(found), CLASSES[codes])


@settings(deadline=None)
@given(
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=30),
    window=st.integers(1, 9),
    hop=st.integers(1, 9),
    more=st.integers(0, 8),
)
def test_rows_cover_the_steps_they_stand_for(codes, window, hop, more):
    own = Alignment(max(window, hop), hop)
    steps = own.window + (len(codes) - 1) * hop + min(more, hop - 1)
    found = segments_of(np.array(codes), steps=steps, alignment=own, classes=CLASSES)
    np.testing.assert_array_equal(labels_of(found), CLASSES[np.array(codes)[own.row_of(steps, len(codes))]])


def test_nothing_to_join():
    assert message(lambda: labels_of([]), UsageError) == "labels_of: needs at least one segment; got none."
    with pytest.raises(UsageError, match="min_duration_s must be a number of at least 0; got -1"):
        made([0], least=-1)


def test_f1_counts_stretches_not_steps():
    true = [np.array(list("aaaabbbbaaaa"))]
    assert segment_f1(true, true) == 1
    assert (
        segment_f1(true, [np.array(list("aaaaaaaaaaaa"))]) == 0
    )  # one of four would be a hit only with half of it
    # Two of three true segments are met; of four predicted ones two are hits.
    assert segment_f1(true, [np.array(list("aaaabbbbacca"))]) == pytest.approx(2 * 2 / (3 + 5))
    # A boundary that is off by one step costs nothing.
    assert segment_f1(true, [np.array(list("aaabbbbbaaaa"))]) == 1
