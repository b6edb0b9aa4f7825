import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.features.rows.alignment import Alignment

alignments = st.integers(1, 40).flatmap(lambda w: st.builds(Alignment, st.just(w), st.integers(1, w)))


@settings(deadline=None)
@given(own=alignments, more=st.integers(0, 200))
def test_every_step_has_the_row_whose_middle_is_nearest(own, more):
    steps = own.window + more
    rows = own.rows(steps)
    middles = np.arange(rows) * own.hop + (own.window - 1) / 2
    assert middles[-1] + own.window / 2 <= steps  # windows lie inside
    assert middles[-1] + own.hop + (own.window - 1) / 2 >= steps - 0.5 - 0.5  # and no more would fit
    distance = np.abs(np.arange(steps)[:, None] - middles)
    found = own.row_of(steps, rows)
    assert (distance[np.arange(steps), found] == distance.min(axis=1)).all()
    assert (own.middles(rows) < steps).all()


@settings(deadline=None)
@given(own=alignments, more=st.integers(0, 200))
def test_what_is_answered_early_is_what_the_whole_says(own, more):
    steps = own.window + more
    rows = own.rows(steps)
    final = own.row_of(steps, rows)
    for known in range(1, rows):
        answered = own.answered(known)
        assert (final[:answered] < known).all()
        assert final[answered] == known
    assert own.answered(rows) <= steps
    assert own.answered(0) == 0


@settings(deadline=None)
@given(a=alignments, b=alignments, more=st.integers(0, 100))
def test_rows_of_rows(a, b, more):
    both = a.then(b)
    steps = both.window + more
    assert b.rows(a.rows(steps)) == both.rows(steps)
