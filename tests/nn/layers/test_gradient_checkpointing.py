"""Training in segments: the same values to the last bit, the same gradients, a fraction of the memory."""

import numpy as np
import pytest
import torch

import oracles
import recurra.nn
from recurra.errors import UsageError
from recurra.nn.layers import gradient_checkpointing
from recurra.nn.layers.gradient_checkpointing import segments

pytestmark = oracles.needs_native


def test_segments_cover_every_step_once_in_both_directions():
    lengths = np.array([0, 1, 5, 10, 17])
    for reverse in (False, True):
        seen = [[] for _ in lengths]
        for segment in segments(lengths, reverse=reverse):
            for b, (first, count) in enumerate(zip(segment.first, segment.lengths, strict=True)):
                steps = list(range(first, first + count))
                seen[b].extend(reversed(steps) if reverse else steps)
        for b, length in enumerate(lengths):
            assert seen[b] == (list(range(length))[::-1] if reverse else list(range(length)))


@pytest.mark.parametrize("form", ["padded", "batch_first", "ragged"])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_values_and_gradients_are_those_of_full_memory(name, form):
    torch.manual_seed(0)
    layer = getattr(recurra.nn, name)(
        3, 7, num_layers=2, bidirectional=True, batch_first=form == "batch_first", dtype=torch.float64
    )
    lengths = [11, 0, 23, 4]
    rows = sum(lengths) if form == "ragged" else 4
    shape = {"padded": (23, 4, 3), "batch_first": (4, 23, 3), "ragged": (rows, 3)}[form]
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    h = torch.randn(4, 4, 7, dtype=torch.float64, requires_grad=True)
    c = torch.randn(4, 4, 7, dtype=torch.float64, requires_grad=True)
    states = [h, c] if name == "LSTM" else [h]
    results = []
    for memory in ("full", "sqrt"):
        layer.memory = memory
        hx = tuple(states) if name == "LSTM" else h
        if form == "ragged":
            output, final = layer(recurra.Ragged(x, lengths), hx)
            output = output.values
        else:
            output, final = layer(x, hx, lengths=lengths)
        final = final if name == "LSTM" else (final,)
        loss = (output**2).sum() + sum((f**3).sum() for f in final)
        grads = torch.autograd.grad(loss, [x, *states, *layer.parameters()])
        results.append(((output, *final), grads))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        assert torch.equal(a, b)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_unknown_word_is_refused():
    layer = recurra.nn.GRU(1, 1)
    layer.memory = "squrt"
    with pytest.raises(
        UsageError, match=r"GRU: memory must be one of 'full', 'sqrt', 'auto'; got 'squrt'\. Did you"
    ):
        layer(torch.zeros(1, 1, 1))


def test_what_is_kept_is_a_tenth():
    layer = recurra.nn.LSTM(4, 16)
    layer.memory = "sqrt"
    x = torch.randn(2500, 2, 4)
    output, _ = layer(x)
    kept = output.grad_fn.kept.segmented[0].states
    numbers = sum(h.numel() + c.numel() for h, c in kept)
    # states between segments, and the gates of the one segment that is computed again at a time
    segment = 50 * 2 * 5 * 16
    assert numbers + segment < 0.1 * 2500 * 2 * 5 * 16


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("more", [{}, {"bidirectional": True, "num_layers": 2}, {"dtype": torch.float64}])
def test_auto_keeps_every_step_up_to_a_limit(name, more, monkeypatch):
    torch.manual_seed(0)
    layer = getattr(recurra.nn, name)(3, 16, **more)
    lengths = [200, 90, 0, 160]
    x = torch.randn(sum(lengths), 3, dtype=layer.weight_ih_l0.dtype)
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[name]
    directions = 2 if layer.bidirectional else 1
    exactly = sum(lengths) * (gates + 1) * 16 * directions * x.element_size()

    def gradients(memory, limit):
        monkeypatch.setattr(gradient_checkpointing, "FULL_BYTES", limit)
        layer.memory = memory
        output, _ = layer(recurra.Ragged(x, lengths))
        return torch.autograd.grad((output.values**2).sum(), list(layer.parameters()))

    full, sqrt = gradients("full", 0), gradients("sqrt", exactly)
    for limit, expected in ((exactly, full), (exactly - 1, sqrt)):
        found = gradients("auto", limit)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    # the two differ in their last bits, or nothing was compared
    assert not all(torch.equal(a, b) for a, b in zip(full, sqrt, strict=True))
