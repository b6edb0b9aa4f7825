"""Pooling of ragged sequences against a loop over each sequence alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.nn import AttentionPooling, to_ragged
from recurra.nn.heads.pooling import last, maximum, mean
from recurra.ragged import Ragged

LENGTHS = st.lists(st.integers(0, 9), min_size=1, max_size=9)


def attention(channels: int = 3) -> AttentionPooling:
    torch.manual_seed(0)
    module = AttentionPooling(channels).double()
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    return module


def draw(lengths: list[int], seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in lengths]


@settings(deadline=None)
@given(lengths=LENGTHS, seed=st.integers(0, 999))
def test_each_sequence_is_pooled_as_if_alone(lengths, seed):
    parts = draw(lengths, seed)
    ragged = to_ragged(parts)
    module = attention()
    zero = torch.zeros(3, dtype=torch.float64)
    for index, part in enumerate(parts):
        weights = torch.softmax(torch.tanh(part @ module.weight.T + module.bias) @ module.context, dim=0)
        for found, wanted in (
            (mean(ragged), part.mean(0) if len(part) else zero),
            (maximum(ragged), part.amax(0) if len(part) else zero),
            (module(ragged), weights @ part),
        ):
            torch.testing.assert_close(found[index], wanted)
        # not a bit of it comes from batch mates
        for pool in (mean, maximum):
            assert torch.equal(pool(ragged)[index], pool(to_ragged([part]))[0])
        rows = slice(int(ragged.offsets[index]), int(ragged.offsets[index + 1]))
        torch.testing.assert_close(module.attention(ragged)[rows], weights)


def test_last_is_the_final_state_of_each_direction_of_the_last_layer():
    h_n = torch.randn(4, 5, 3)
    assert torch.equal(last(h_n, bidirectional=False), h_n[3])
    assert torch.equal(last(h_n, bidirectional=True), torch.cat([h_n[2], h_n[3]], dim=1))


@pytest.mark.parametrize("pool", [mean, maximum, attention()])
def test_derivatives_are_right(pool):
    values = torch.cat(draw([2, 0, 3])).requires_grad_()
    parameters = tuple(pool.parameters()) if isinstance(pool, torch.nn.Module) else ()

    def compute(values, *_):
        return pool(Ragged(values, [2, 0, 3]))

    assert torch.autograd.gradcheck(compute, (values, *parameters))
    assert torch.autograd.gradgradcheck(compute, (values, *parameters))


def test_equal_maxima_share_the_gradient():
    values = torch.tensor([[1.0], [2.0], [2.0], [0.0]], requires_grad=True)
    maximum(Ragged(values, [3, 1])).sum().backward()
    assert values.grad[:, 0].tolist() == [0.0, 0.5, 0.5, 1.0]


def test_the_largest_of_negative_numbers_is_negative():
    assert maximum(Ragged(torch.tensor([[-3.0], [-2.0]]), [2])).tolist() == [[-2.0]]


def test_attention_does_not_overflow():
    module = AttentionPooling(1)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.context.fill_(1e4)
    values = torch.tensor([[-5.0], [5.0], [5.0]], requires_grad=True)
    pooled = module(Ragged(values, [3]))
    assert pooled.tolist() == [[5.0]]
    pooled.sum().backward()
    assert values.grad.isfinite().all()
