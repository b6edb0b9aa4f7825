"""`values_of` and `Filling`: Arrow's arrays become numpy's without pandas, and doubt about points."""

import numpy as np
import pyarrow as pa
import pytest

from recurra.readers.large.filling import Filling, NotPlainError, values_of


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64()])
@pytest.mark.parametrize("gaps", [False, True])
def test_values_of_slices_and_gaps(kind, gaps):
    rng = np.random.default_rng(0)
    cells = [None if gaps and rng.random() < 0.3 else int(v) for v in rng.integers(0, 100, 77)]
    array = pa.array(cells, kind)
    for first, count in ((0, 77), (5, 20), (13, 64), (76, 1)):
        part = array.slice(first, count)
        expected = part.to_numpy(zero_copy_only=False)
        np.testing.assert_array_equal(values_of(part), expected)


@pytest.mark.parametrize(
    ("cells", "open_"),
    [
        (["1.234", "56"], True),  # refused by `Numerals.read` too
        (["1.000", "5"], True),
        (["1.234", "5.678"], False),
        (["1.234", "0.5"], False),
        (["1.234", "56", "1234.5"], False),
        (["1.2345", "56"], False),
        (["1.5", "56"], True),  # which the cells rule out, not their values
        (["0.000", "56"], True),
    ],
)
def test_points_that_may_part_thousands(cells, open_):
    filling = Filling(len(cells), numbers=[0], alone=[], words=[], doubtful=True)
    filling.add(pa.record_batch({"0": pa.array([float(cell) for cell in cells])}))
    if open_:
        with pytest.raises(NotPlainError):
            filling.columns()
        told = Filling(len(cells), numbers=[0], alone=[], words=[], doubtful=True, settled={0})
        told.add(pa.record_batch({"0": pa.array([float(cell) for cell in cells])}))
        assert 0 in told.columns()
    else:
        np.testing.assert_array_equal(filling.columns()[0], [float(cell) for cell in cells])


@pytest.mark.parametrize("cells", [[1.0, np.inf], [1.0, 2.0**60], [1.0, np.nan]])
def test_values_that_are_not_plain(cells):
    filling = Filling(2, numbers=[0], alone=[], words=[], doubtful=True)
    with pytest.raises(NotPlainError):
        filling.add(pa.record_batch({"0": pa.array(cells)}))
