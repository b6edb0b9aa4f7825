"""Rows that are made when they are asked for are those that would have been kept."""

import numpy as np

from recurra.batches.examples import Examples
from recurra.features.prepared_rows import PreparedRows


def test_rows_are_made_anew_and_in_order():
    sequences = [np.full((n, 2), float(n)) for n in (3, 1, 4)]
    made = []

    def make(sequence, place):
        made.append(place)
        return (sequence * 2).astype(np.float32)

    rows = PreparedRows(sequences, make)
    assert rows.lengths.tolist() == [3, 1, 4]
    assert made == []
    chosen = rows.take(np.array([2, 0])).take(np.array([1]))
    np.testing.assert_array_equal(chosen[0], np.full((3, 2), 6.0))
    assert [len(own) for own in rows[1:]] == [1, 4]
    assert made == [0, 1, 2]
    examples = Examples(rows, np.zeros(3, dtype=np.int64))
    assert examples.lengths.tolist() == [3, 1, 4]
    batch = examples.take(np.array([1, 2])).batch(np.array([1, 0]))
    np.testing.assert_array_equal(batch.inputs.values[:, 0], [8.0] * 4 + [2.0])
