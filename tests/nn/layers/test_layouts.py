"""Padded, packed and ragged: the same rows, in each other's places."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_sequence, pad_sequence

from recurra.errors import ShapeError, UsageError
from recurra.nn import pad, to_ragged
from recurra.nn.layers.layouts import Steps, steps_of
from recurra.ragged import Ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=9)


@settings(deadline=None)
@given(lengths=LENGTHS)
def test_packed_order_is_torchs(lengths):
    kept = [n for n in lengths if n]
    steps = Steps(np.array(lengths), torch.device("cpu"))
    rows = torch.arange(float(sum(lengths)))[:, None]
    assert torch.equal(steps.unpack(steps.pack(rows)), rows)
    if kept:
        packed = pack_sequence(list(rows.split(kept)), enforce_sorted=False)
        assert steps.batch_sizes == packed.batch_sizes.tolist()
        theirs = steps_of(packed)
        assert theirs.lengths.tolist() == kept
        assert torch.equal(theirs.unpack(packed.data), rows)
        assert torch.equal(theirs.pack(rows), packed.data)
    states = (torch.arange(len(lengths))[:, None], torch.randn(len(lengths), 2))
    for state, again in zip(states, steps.unsort(steps.sort(states)), strict=True):
        assert torch.equal(state, again)
    assert (np.diff(np.array(lengths)[steps.order]) <= 0).all()


@settings(deadline=None)
@given(lengths=LENGTHS)
def test_pad_is_torchs_and_its_gradient_comes_back(lengths):
    parts = [torch.randn(n, 2, requires_grad=True) for n in lengths]
    padded, counted = pad(to_ragged(parts))
    assert torch.equal(padded, pad_sequence(parts, batch_first=True))
    assert counted.tolist() == lengths
    assert counted.dtype == torch.int64
    weights = torch.randn_like(padded)
    (padded * weights).sum().backward()
    for index, part in enumerate(parts):
        assert torch.equal(part.grad, weights[index, : len(part)])


def test_pad_does_not_hand_out_the_lengths_themselves():
    ragged = to_ragged([torch.zeros(2, 1), torch.zeros(1, 1)])
    _, lengths = pad(ragged)
    lengths += 1
    assert ragged.lengths.tolist() == [2, 1]


def test_to_ragged_names_the_sequence_that_differs():
    with pytest.raises(ShapeError) as caught:
        to_ragged([torch.zeros(2, 3), torch.zeros(2, 4)])
    assert str(caught.value) == (
        "nn.to_ragged: every sequence must have shape (time, channels=3); sequence 1 has (2, 4). "
        "Give every sequence the same channels."
    )
    with pytest.raises(ShapeError) as caught:
        to_ragged([torch.tensor(1.0)])
    assert str(caught.value) == (
        "nn.to_ragged: every sequence must have shape (time, channels=0); sequence 0 has (). "
        "Give every sequence the same channels."
    )
    with pytest.raises(ShapeError) as caught:
        to_ragged([])
    assert str(caught.value) == "nn.to_ragged: needs at least one sequence; got an empty list."


def test_pad_wants_a_torch_tensor():
    with pytest.raises(UsageError) as caught:
        pad(Ragged(np.zeros((2, 3)), [2]))
    assert str(caught.value) == (
        "nn.pad: the Ragged must hold a torch tensor; got ndarray. "
        "Convert it with ragged.replace(torch.as_tensor(ragged.values))."
    )
