"""The recurrent layers against torch.nn, in every form of input, and what they say to wrong arguments."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

import oracles
import recurra.nn
from recurra.errors import RecurraError, ShapeError, UsageError
from recurra.nn.layers.layouts import Steps, from_padded, to_padded
from recurra.ragged import Ragged
from strategies import RecurrentCase, recurrent_case

# torch's own layer says so when it runs without gradients in float32
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

LAYERS = ["RNN", "LSTM", "GRU"]
EVERY = recurrent_case(
    dtypes=(np.float32, np.float64),
    max_layers=3,
    directions=(False, True),
    max_size=7,
    max_length=7,
    max_batch=6,
)
# Wider than the common table for gradients in float32: tanh' = 1 - h^2 loses its digits for |h| near 1, and
# torch rounds h differently by a bit there (1.8e-5 was seen); float64 keeps the common, narrow one.
GRADIENT_TOLERANCE = {**oracles.TOLERANCE, np.dtype(np.float32): {"rtol": 1e-4, "atol": 1e-4}}
PAST_THE_END = 2  # padding after the longest sequence


def layer_of(case: RecurrentCase, *, batch_first: bool = False) -> torch.nn.RNNBase:
    """Return our layer of a case, its weights loaded from torch's layer."""
    theirs = oracles.torch_layer(case)
    options = {"nonlinearity": theirs.nonlinearity} if isinstance(theirs, torch.nn.RNN) else {}
    if case.proj_size:
        options["proj_size"] = case.proj_size
    ours = getattr(recurra.nn, type(theirs).__name__)(
        theirs.input_size,
        theirs.hidden_size,
        num_layers=theirs.num_layers,
        bias=theirs.bias,
        bidirectional=theirs.bidirectional,
        batch_first=batch_first,
        dtype=theirs.weight_ih_l0.dtype,
        **options,
    )
    ours.load_state_dict(theirs.state_dict())
    return ours


def states_of(case: RecurrentCase):
    h_0 = torch.from_numpy(case.h_0).requires_grad_()
    return h_0 if case.c_0 is None else (h_0, torch.from_numpy(case.c_0).requires_grad_())


def padded(rows: torch.Tensor, steps: Steps, batch_first: bool) -> torch.Tensor:
    """Return rows with NaN past each sequence's end."""
    time = int(steps.lengths.max(initial=0)) + PAST_THE_END
    ones = to_padded(torch.ones_like(rows), steps, time=time, batch_first=batch_first)
    return to_padded(rows, steps, time=time, batch_first=batch_first).masked_fill(ones == 0, torch.nan)


def enter(case: RecurrentCase, form: str):
    """Return input (a leaf tensor inside), its leaf, lengths, and how rows are laid out and read back."""
    rows = torch.from_numpy(case.x)
    steps = Steps(case.lengths, rows.device)
    if form == "ragged":
        return (
            Ragged(rows.requires_grad_(), case.lengths),
            rows,
            None,
            lambda r: r,
            lambda o: o.values if isinstance(o, Ragged) else o,
        )
    if form == "packed":
        leaf = rows.requires_grad_()
        packed = pack_sequence(list(leaf.split(case.lengths.tolist())), enforce_sorted=False)

        def read(output):
            data, lengths = pad_packed_sequence(output, batch_first=True)
            return torch.cat([d[:n] for d, n in zip(data, lengths, strict=True)])

        def lay(cotangent):
            return pack_sequence(list(cotangent.split(case.lengths.tolist())), enforce_sorted=False).data

        return packed, leaf, None, lay, lambda o: read(o) if isinstance(o, PackedSequence) else o
    first = form == "batch_first"
    leaf = padded(rows, steps, first).requires_grad_()
    return (
        leaf,
        leaf,
        case.lengths,
        lambda r: padded(r, steps, first),
        lambda o: from_padded(o, steps, batch_first=first),
    )


def run(case: RecurrentCase, form: str, cotangents: dict[str, np.ndarray]):
    """Return our values and gradients, as `oracles.torch_gradients` does."""
    layer = layer_of(case, batch_first=form == "batch_first")
    given_input, leaf, lengths, lay, read = enter(case, form)
    hx = states_of(case)
    output, states = layer(given_input, hx, **({} if lengths is None else {"lengths": lengths}))
    states = states if isinstance(states, tuple) else (states,)
    hx = hx if isinstance(hx, tuple) else (hx,)
    values = {"output": read(output), **dict(zip(("h_n", "c_n"), states, strict=False))}
    tensor = {PackedSequence: "data", Ragged: "values"}.get(type(output))
    tensor = output if tensor is None else getattr(output, tensor)
    # Cotangents past the end are NaN as well: nothing there may count.
    outward = [
        lay(torch.from_numpy(cotangents["output"])),
        *(torch.from_numpy(cotangents[n]) for n in ("h_n", "c_n")[: len(states)]),
    ]
    named = {"x": leaf, **dict(zip(("h_0", "c_0"), hx, strict=False)), **dict(layer.named_parameters())}
    grads = torch.autograd.grad((tensor, *states), list(named.values()), outward, allow_unused=True)
    found = {
        name: torch.zeros_like(v) if g is None else g
        for (name, v), g in zip(named.items(), grads, strict=True)
    }
    if lengths is not None:
        steps = Steps(case.lengths, leaf.device)
        for name, whole in (("output", tensor), ("gradient", found["x"])):
            rows = read(whole)
            again = to_padded(
                rows,
                steps,
                time=int(case.lengths.max(initial=0)) + PAST_THE_END,
                batch_first=form == "batch_first",
            )
            assert torch.equal(again, whole), f"{name} is not zero past the end"
        found["x"] = read(found["x"])
    return {n: v.detach().numpy() for n, v in values.items()}, {n: g.numpy() for n, g in found.items()}


@pytest.mark.parametrize("form", ["time_major", "batch_first", "packed", "ragged"])
@settings(max_examples=80, deadline=None)
@given(case=EVERY)
def test_value_and_every_gradient_agree_with_torch(form, case):
    if form == "packed":  # torch packs no empty sequence
        keep = case.lengths > 0
        assume(keep.any())
        c_0 = None if case.c_0 is None else case.c_0[:, keep]
        case = dataclasses.replace(case, lengths=case.lengths[keep], h_0=case.h_0[:, keep], c_0=c_0)
    rng = np.random.default_rng(len(case.x))
    expected = oracles.torch_forward(case)
    cotangents = {n: (rng.standard_normal(v.shape) / 4).astype(case.x.dtype) for n, v in expected.items()}
    expected, expected_grads = oracles.torch_gradients(case, cotangents)
    values, grads = run(case, form, cotangents)
    for found, wanted, table in (
        (values, expected, oracles.TOLERANCE),
        (grads, expected_grads, GRADIENT_TOLERANCE),
    ):
        assert set(found) == set(wanted)
        for name in wanted:
            assert found[name].dtype == case.x.dtype, name
            np.testing.assert_allclose(found[name], wanted[name], err_msg=name, **table[case.x.dtype])


@pytest.mark.parametrize("form", ["time_major", "batch_first"])
@settings(max_examples=40, deadline=None)
@given(
    case=recurrent_case(max_layers=2, directions=(False, True), max_size=5, max_length=6),
    seed=st.integers(0, 99),
)
def test_what_lies_past_the_end_changes_not_a_bit(form, case, seed):
    steps = Steps(case.lengths, torch.device("cpu"))
    layer = layer_of(case, batch_first=form == "batch_first")
    x = padded(torch.from_numpy(case.x), steps, form == "batch_first")
    other = torch.where(
        x.isnan(), torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype), x
    )
    one, one_states = layer(x, lengths=case.lengths)
    two, two_states = layer(other, lengths=case.lengths)
    assert torch.equal(one, two)
    for a, b in zip(one_states, two_states, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", LAYERS)
def test_reversed_input_of_one_direction_is_the_other(name):
    torch.manual_seed(0)
    layer = getattr(recurra.nn, name)(3, 4, bidirectional=True).double()
    with torch.no_grad():
        for key, weight in layer.named_parameters():
            if key.endswith("_reverse"):
                weight.copy_(getattr(layer, key.removesuffix("_reverse")))
    lengths = [5, 0, 2, 7]
    parts = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
    straight, straight_h = layer(recurra.nn.to_ragged(parts))
    turned, turned_h = layer(recurra.nn.to_ragged([p.flip(0) for p in parts]))
    for a, b in zip(straight, turned, strict=True):
        torch.testing.assert_close(a[:, 4:], b[:, :4].flip(0))
        torch.testing.assert_close(a[:, :4], b[:, 4:].flip(0))
    for a, b in zip(straight_h, turned_h, strict=True) if name == "LSTM" else [(straight_h, turned_h)]:
        torch.testing.assert_close(a[0], b[1])
    assert not torch.equal(straight[0][:, 4:], straight[0][:, :4])


@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_derivatives_are_right(name):
    torch.manual_seed(1)
    layer = getattr(recurra.nn, name)(
        2, 2, num_layers=2, bidirectional=True, **({"proj_size": 1} if name == "LSTM" else {})
    ).double()
    lengths = [2, 0, 3]
    x = torch.randn(3, 3, 2, dtype=torch.float64, requires_grad=True)
    sizes = (1, 2) if name == "LSTM" else (2,)
    states = tuple(torch.randn(4, 3, s, dtype=torch.float64, requires_grad=True) for s in sizes)
    weights = dict(layer.named_parameters())

    def compute(x, *tensors):
        hx, given = tensors[: len(sizes)], tensors[len(sizes) :]
        call = (x, hx if name == "LSTM" else hx[0])
        output, final = torch.func.functional_call(
            layer, dict(zip(weights, given, strict=True)), call, {"lengths": lengths}
        )
        return (output, *final) if name == "LSTM" else (output, final)

    inputs = (x, *states, *weights.values())
    assert torch.autograd.gradcheck(compute, inputs)
    # in a random direction: the whole Jacobian of the gradients would take minutes
    assert torch.autograd.gradgradcheck(compute, inputs, fast_mode=True)


@pytest.mark.parametrize("name", LAYERS)
def test_unbatched_input_agrees_with_torch(name):
    torch.manual_seed(2)
    for batch_first in (False, True):
        theirs = getattr(torch.nn, name)(3, 4, num_layers=2, bidirectional=True, batch_first=batch_first)
        ours = getattr(recurra.nn, name)(3, 4, num_layers=2, bidirectional=True, batch_first=batch_first)
        ours.load_state_dict(theirs.state_dict())
        x, h = torch.randn(5, 3), torch.randn(4, 4)
        for hx in (None, (h, h + 1) if name == "LSTM" else h):
            expected, expected_states = theirs(x, hx)
            output, states = ours(x, hx)
            torch.testing.assert_close(output, expected)
            torch.testing.assert_close(states, expected_states)
        short, _ = ours(x, lengths=3)
        torch.testing.assert_close(short[:3], ours(x[:3])[0])
        assert short.shape == (5, 8)
        assert (short[3:] == 0).all()


@pytest.mark.parametrize("enforce_sorted", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_packed_sequence_comes_back_as_torch_gives_it(name, enforce_sorted):
    torch.manual_seed(3)
    theirs = getattr(torch.nn, name)(3, 4, bidirectional=True)
    ours = getattr(recurra.nn, name)(3, 4, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    lengths = [5, 4, 4, 1] if enforce_sorted else [4, 1, 5, 4]
    packed = pack_sequence([torch.randn(n, 3) for n in lengths], enforce_sorted=enforce_sorted)
    h = torch.randn(2, 4, 4)
    hx = (h, h + 1) if name == "LSTM" else h
    expected, expected_states = theirs(packed, hx)
    output, states = ours(packed, hx)
    assert isinstance(output, PackedSequence)
    for found, wanted in zip(output, expected, strict=True):
        assert (found is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(states, expected_states)


@pytest.mark.parametrize("name", LAYERS)
def test_state_dict_goes_to_torch_and_back(name):
    options = {"num_layers": 2, "bidirectional": True, **({"proj_size": 2} if name == "LSTM" else {})}
    ours, theirs = getattr(recurra.nn, name)(3, 4, **options), getattr(torch.nn, name)(3, 4, **options)
    assert isinstance(ours, getattr(torch.nn, name))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(ours(x), theirs(x))
    back = getattr(recurra.nn, name)(3, 4, **options)
    back.load_state_dict(theirs.state_dict())
    assert torch.equal(back(x)[0], ours(x)[0])


@pytest.mark.parametrize("again", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize("name", LAYERS)
def test_copies_compute_the_same(name, again):
    layer = getattr(recurra.nn, name)(3, 4, bidirectional=True)
    other = again(layer)
    x = torch.randn(5, 2, 3)
    assert torch.equal(other(x)[0], layer(x)[0])
    with torch.no_grad():
        other.weight_ih_l0.zero_()
    assert not torch.equal(other(x)[0], layer(x)[0])


@pytest.mark.parametrize("name", LAYERS)
def test_torch_does_not_compute_it(name, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("torch's own forward was called")

    monkeypatch.setattr(getattr(torch.nn, name), "forward", never)
    monkeypatch.setattr("torch.nn.modules.rnn._VF", None)
    output, _ = getattr(recurra.nn, name)(3, 4)(torch.randn(5, 2, 3))
    assert output.shape == (5, 2, 4)


@pytest.mark.parametrize(
    "lengths",
    [
        [3, 0, 2],
        (3, 0, 2),
        np.array([3, 0, 2], np.uint8),
        np.array([3, 0, 2], np.int32),
        torch.tensor([3, 0, 2]),
        torch.tensor([3, 0, 2], dtype=torch.int16),
    ],
)
def test_lengths_of_any_integer_type(lengths):
    layer = recurra.nn.GRU(3, 4)
    x, h = torch.randn(5, 3, 3), torch.randn(1, 3, 4)
    output, h_n = layer(x, h, lengths=lengths)
    torch.testing.assert_close(output[:3, :1], layer(x[:3, :1], h[:, :1])[0])
    assert (output[:, 1] == 0).all()
    assert torch.equal(h_n[:, 1], h[:, 1])


@pytest.mark.parametrize("batch_first", [False, True])
def test_output_can_be_viewed_as_torchs(batch_first):
    output, _ = recurra.nn.GRU(3, 4, batch_first=batch_first)(torch.randn(5, 2, 3))
    assert output.view(-1).shape == (40,)


def test_parametrized_weights_are_used():
    layer = recurra.nn.GRU(3, 4)
    x = torch.randn(5, 2, 3)
    before, _ = layer(x)
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    torch.testing.assert_close(layer(x)[0], before)
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.zero_()
    assert not torch.allclose(layer(x)[0], before)


def test_nothing_to_read_gives_nothing_or_the_initial_state():
    layer = recurra.nn.LSTM(3, 4)
    output, (h_n, _) = layer(torch.randn(5, 0, 3))
    assert output.shape == (5, 0, 4)
    assert h_n.shape == (1, 0, 4)
    h, c = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    output, (h_n, c_n) = layer(torch.randn(0, 2, 3), (h, c))
    assert output.shape == (0, 2, 4)
    assert torch.equal(h_n, h)
    assert torch.equal(c_n, c)


def relu_copier(dropout: float) -> recurra.nn.RNN:
    """Return two layers that hand positive input on unchanged: the output shows the dropout between them."""
    layer = recurra.nn.RNN(8, 8, num_layers=2, nonlinearity="relu", bias=False, dropout=dropout)
    with torch.no_grad():
        for number in (0, 1):
            getattr(layer, f"weight_ih_l{number}").copy_(torch.eye(8))
            getattr(layer, f"weight_hh_l{number}").zero_()
    return layer


def test_dropout_between_layers_drops_its_share_and_scales_the_rest():
    torch.manual_seed(4)
    layer, ones = relu_copier(0.3), torch.ones(100, 50, 8)
    output, _ = layer(ones)
    dropped = (output == 0).double().mean()
    # 40,000 draws: the standard error is 0.0023
    assert abs(dropped - 0.3) < 0.01
    torch.testing.assert_close(output[output != 0], torch.full_like(output[output != 0], 1 / 0.7))
    torch.manual_seed(4)
    assert torch.equal(relu_copier(0.3)(ones)[0], output)
    assert torch.equal(layer.eval()(ones)[0], ones)


def test_dropout_leaves_the_last_layer_alone():
    layer = relu_copier(1.0)
    output, h_n = layer(torch.ones(5, 2, 8))
    assert (h_n[0] == 1).all()
    assert (output == 0).all()
    torch.manual_seed(4)
    with pytest.warns(UserWarning, match="dropout option adds dropout"):
        single = recurra.nn.GRU(3, 4, dropout=0.9)
    x = torch.randn(5, 2, 3)
    assert torch.equal(single(x)[0], single.eval()(x)[0])


def packed(*lengths: int) -> PackedSequence:
    return pack_sequence([torch.zeros(n, 3) for n in lengths])


WRONG = {
    "channels": (
        ("GRU", {}, (torch.zeros(5, 2, 4),), {}),
        "GRU.forward: input must have shape (time, batch, input_size=3); got (5, 2, 4). If the "
        "batch comes first, construct the layer with batch_first=True; the features come last.",
    ),
    "channels, batch first": (
        ("GRU", {"batch_first": True}, (torch.zeros(5, 2, 4),), {}),
        "GRU.forward: input must have shape (batch, time, input_size=3); got (5, 2, 4). If the "
        "time comes first, construct the layer with batch_first=False; the features come last.",
    ),
    "dimensions": (
        ("RNN", {}, (torch.zeros(3),), {}),
        "RNN.forward: input must have shape (time, batch, input_size=3); got (3,). "
        "Put the features of a step last.",
    ),
    "ragged channels": (
        ("LSTM", {}, (Ragged(torch.zeros(5, 4), [2, 3]),), {}),
        "LSTM.forward: input must have shape (total_steps, input_size=3); got (5, 4). "
        "Put the features of a step last.",
    ),
    "ragged of three dimensions": (
        ("LSTM", {}, (Ragged(torch.zeros(5, 4, 3), [2, 3]),), {}),
        "LSTM.forward: values of the Ragged must have shape (total_steps, channels); got (5, 4, 3).",
    ),
    "ragged of numpy": (
        ("LSTM", {}, (Ragged(np.zeros((5, 3)), [2, 3]),), {}),
        "LSTM.forward: the Ragged must hold a torch tensor; got ndarray. "
        "Convert it with ragged.replace(torch.as_tensor(ragged.values)).",
    ),
    "packed channels": (
        ("LSTM", {}, (pack_sequence([torch.zeros(2, 4)]),), {}),
        "LSTM.forward: input must have shape (total_steps, input_size=3) inside the PackedSequence; "
        "got (2, 4). Put the features of a step last.",
    ),
    "type": (
        ("LSTM", {}, (np.zeros((5, 2, 3)),), {}),
        "LSTM.forward: input must be a Tensor, PackedSequence or Ragged; got ndarray. "
        "Convert an array with torch.as_tensor, a list of sequences with recurra.nn.to_ragged.",
    ),
    "dtype": (
        ("LSTM", {}, (torch.zeros(5, 2, 3, dtype=torch.float64),), {}),
        "LSTM.forward: input must have the dtype of the weights, torch.float32; got torch.float64. "
        "Convert with input.to(torch.float32) or layer.to(torch.float64).",
    ),
    "dtype of whole numbers": (
        ("LSTM", {}, (torch.zeros(5, 2, 3, dtype=torch.int64),), {}),
        "LSTM.forward: input must have the dtype of the weights, torch.float32; got torch.int64. "
        "Convert with input.to(torch.float32).",
    ),
    "state shape": (
        ("GRU", {"bidirectional": True}, (torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)), {}),
        "GRU.forward: hx must have shape (num_layers * num_directions=2, batch=2, 4); got (1, 2, 4). "
        "Leave it out to start from zeros.",
    ),
    "unbatched state shape": (
        ("GRU", {}, (torch.zeros(5, 3), torch.zeros(1, 1, 4)), {}),
        "GRU.forward: hx must have shape (num_layers * num_directions=1, 4); got (1, 1, 4). "
        "Leave it out to start from zeros.",
    ),
    "cell state shape": (
        ("LSTM", {"proj_size": 2}, (torch.zeros(5, 2, 3), (torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))), {}),
        "LSTM.forward: c_0 must have shape (num_layers * num_directions=1, batch=2, 4); got (1, 2, 2). "
        "Leave it out to start from zeros.",
    ),
    "state type": (
        ("LSTM", {}, (torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)), {}),
        "LSTM.forward: hx must be a pair of Tensors (h_0, c_0); got Tensor. "
        "Leave it out to start from zeros.",
    ),
    "state type of one": (
        ("GRU", {}, (torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4),) * 2), {}),
        "GRU.forward: hx must be a Tensor; got tuple. Leave it out to start from zeros.",
    ),
    "state dtype": (
        ("GRU", {}, (torch.zeros(5, 2, 3), torch.zeros(1, 2, 4, dtype=torch.float64)), {}),
        "GRU.forward: hx must have the dtype of the input, torch.float32; got torch.float64. "
        "Convert with hx.to(torch.float32).",
    ),
    "too long": (
        ("GRU", {}, (torch.zeros(5, 2, 3),), {"lengths": [5, 6]}),
        "GRU.forward: lengths must lie between 0 and time=5; got 6 for sequence 1. "
        "Count the valid steps of each sequence.",
    ),
    "negative": (
        ("GRU", {}, (torch.zeros(5, 2, 3),), {"lengths": [-1, 5]}),
        "GRU.forward: lengths must lie between 0 and time=5; got -1 for sequence 0. "
        "Count the valid steps of each sequence.",
    ),
    "number of lengths": (
        ("GRU", {}, (torch.zeros(5, 2, 3),), {"lengths": [5, 5, 5]}),
        "GRU.forward: lengths must have shape (batch=2,); got (3,). Give one length for each sequence.",
    ),
    "float lengths": (
        ("GRU", {}, (torch.zeros(5, 2, 3),), {"lengths": torch.tensor([1.0, 2.0])}),
        "GRU.forward: lengths must be whole numbers; got dtype float32. "
        "Convert them with lengths.astype(int).",
    ),
    "lengths twice, ragged": (
        ("GRU", {}, (Ragged(torch.zeros(5, 3), [2, 3]),), {"lengths": [2, 3]}),
        "GRU.forward: a Ragged carries its own lengths; call it without lengths=.",
    ),
    "lengths twice, packed": (
        ("GRU", {}, (packed(3, 2),), {"lengths": [2, 3]}),
        "GRU.forward: a PackedSequence carries its own lengths; call it without lengths=.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_named_in_one_sentence(case):
    (name, options, args, kwargs), message = WRONG[case]
    layer = getattr(recurra.nn, name)(3, 4, **options)
    with pytest.raises(RecurraError) as caught:
        layer(*args, **kwargs)
    assert str(caught.value) == message
    assert isinstance(
        caught.value,
        UsageError if "dtype" in case or "type" in case or "twice" in case or "numpy" in case else ShapeError,
    )
