import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import ShapeError
from recurra.ragged import Ragged


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_sequences_come_back_as_they_went_in(lengths):
    sequences = [np.random.default_rng(n).normal(size=(n, 3)) for n in lengths]
    ragged = Ragged.from_list(sequences)
    assert len(ragged) == len(lengths)
    assert ragged.total_steps == sum(lengths)
    for index, (sequence, found) in enumerate(zip(sequences, ragged, strict=True)):
        np.testing.assert_array_equal(found, sequence)
        np.testing.assert_array_equal(ragged[index], sequence)
    np.testing.assert_array_equal(ragged[-1], sequences[-1])


def test_torch_values_and_lengths_are_taken():
    ragged = Ragged(torch.arange(6.0).reshape(3, 2), torch.tensor([1, 2]))
    assert torch.equal(ragged[1], torch.tensor([[2.0, 3.0], [4.0, 5.0]]))


def test_lengths_must_sum_to_the_rows():
    with pytest.raises(ShapeError, match="they sum to 4, values has shape \\(3, 2\\)"):
        Ragged(np.zeros((3, 2)), [1, 3])


def test_negative_length_is_refused():
    with pytest.raises(ShapeError, match="lengths must be at least 0; got -1"):
        Ragged(np.zeros((3, 2)), [4, -1])


def test_index_beyond_the_end_stops_iteration_by_hand():
    with pytest.raises(IndexError):
        Ragged(np.zeros((3, 2)), [1, 2])[2]
