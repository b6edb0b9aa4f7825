"""Every cell against torch.nn in double: values, every gradient, unequal lengths, non-zero states."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import oracles
import recurra.kernels
from recurra.errors import ShapeError
from recurra.kernels.cells.gru import gru_backward, gru_forward, gru_step
from recurra.kernels.cells.lstm import lstm_backward, lstm_forward, lstm_step
from recurra.kernels.cells.rnn import rnn_backward, rnn_forward, rnn_step
from strategies import RecurrentCase, make_case, recurrent_case

CELLS = ("rnn", "rnn_relu", "lstm", "gru")
TOLERANCE = oracles.TOLERANCE
# A gradient is a sum over every step: in float its last digits depend on the order of summation, torch's too.
GRADIENT_TOLERANCE = {**TOLERANCE, np.dtype(np.float32): {"rtol": 1e-4, "atol": 1e-4}}
FORWARD = {"rnn": rnn_forward, "rnn_relu": rnn_forward, "lstm": lstm_forward, "gru": gru_forward}
BACKWARD = {"rnn": rnn_backward, "rnn_relu": rnn_backward, "lstm": lstm_backward, "gru": gru_backward}


def options(cell: str) -> dict[str, str]:
    return {"nonlinearity": "relu"} if cell == "rnn_relu" else {}


def forward(case: RecurrentCase, *, reverse: bool = False, save: bool = False):
    result = FORWARD[case.cell](
        case.x,
        lengths=case.lengths,
        reverse=reverse,
        save=save,
        **case.layer(reverse),
        **case.states(int(reverse)),
        **options(case.cell),
    )
    names = ("output", "h_n", "c_n") if case.cell == "lstm" else ("output", "h_n")
    return dict(zip(names, result[:-1], strict=True)), result[-1]


@pytest.mark.parametrize("which", oracles.WHICH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_forward_agrees_with_torch(data, dtype, which):
    case = data.draw(recurrent_case(directions=(False, True), dtypes=(dtype,)))
    expected = oracles.torch_forward(case)
    for d in range(case.directions):
        with recurra.kernels.use(which):
            values, saved = forward(case, reverse=bool(d))
        size = values["output"].shape[1]
        assert saved is None
        assert values["output"].dtype == dtype
        assert_allclose(
            values["output"], expected["output"][:, d * size : (d + 1) * size], **TOLERANCE[case.x.dtype]
        )
        for state in ("h_n", "c_n"):
            if state in values:
                assert_allclose(values[state], expected[state][d], **TOLERANCE[case.x.dtype])


@pytest.mark.parametrize("which", oracles.WHICH)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_every_gradient_agrees_with_torch(data, dtype, which):
    case = data.draw(recurrent_case(directions=(True,), dtypes=(dtype,)))
    tolerance = GRADIENT_TOLERANCE[case.x.dtype]
    rng = np.random.default_rng(1)
    cotangents = {
        n: rng.standard_normal(v.shape).astype(dtype) for n, v in oracles.torch_forward(case).items()
    }
    _, expected = oracles.torch_gradients(case, cotangents)
    grad_x = 0
    for d, end in enumerate(("_l0", "_l0_reverse")):
        with recurra.kernels.use(which):
            _, saved = forward(case, reverse=bool(d), save=True)
        size = case.proj_size or case.hidden_size
        given_grads = {f"grad_{n}": cotangents[n][d] for n in ("h_n", "c_n") if n in cotangents}
        grads = BACKWARD[case.cell](
            cotangents["output"][:, d * size : (d + 1) * size], saved=saved, **given_grads
        )
        grad_x = grad_x + grads["x"]
        for state in case.states():
            assert_allclose(grads[state], expected[state][d], **tolerance, err_msg=state)
        for name in case.layer():
            assert_allclose(grads[name], expected[name + end], **tolerance, err_msg=name)
    assert_allclose(grad_x, expected["x"], **tolerance)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
def test_hidden_is_the_whole_derivative_by_each_state(cell):
    case = make_case(cell, batch_lengths=[4], input_size=2, hidden_size=3)
    values, saved = forward(case, save=True)
    grads = BACKWARD[cell](np.ones_like(values["output"]), saved=saved)
    # Run the tail alone from the state after step 1: the derivative by it is the tail's by h_0.
    tail = {"h_0": values["output"][1:2]}
    if cell == "lstm":
        tail["c_0"] = saved.c[1:2]
    *_, saved_tail = FORWARD[cell](
        case.x[2:], lengths=[2], save=True, **case.layer(), **tail, **options(cell)
    )
    tail_grads = BACKWARD[cell](np.ones((2, 3)), saved=saved_tail)
    assert_allclose(grads["hidden"][1:2], tail_grads["h_0"] + 1, rtol=1e-12)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_equal_the_whole(cell, dtype):
    case = make_case(cell, batch_lengths=[5, 5, 5], input_size=4, hidden_size=7, dtype=dtype)
    values, _ = forward(case)
    x, whole = case.x.reshape(3, 5, 4), values["output"].reshape(3, 5, 7)
    state = {name[0]: s for name, s in case.states().items()}
    for t in range(5):
        if cell == "lstm":
            state["h"], state["c"] = lstm_step(x[:, t], **state, **case.layer())
        elif cell == "gru":
            state["h"] = gru_step(x[:, t], **state, **case.layer())
        else:
            state["h"] = rnn_step(x[:, t], **state, **case.layer(), **options(cell))
        assert state["h"].dtype == dtype
        assert_allclose(state["h"], whole[:, t], rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
def test_reversed_input_of_one_direction_equals_the_other(cell):
    case = make_case(cell, batch_lengths=[3, 0, 6], input_size=2, hidden_size=5, bidirectional=True)
    backward, _ = forward(case, reverse=True)
    turned = np.concatenate([s[::-1] for s in case.sequences])
    result = FORWARD[cell](
        turned, lengths=case.lengths, **case.layer(True), **case.states(1), **options(cell)
    )
    parts = np.split(result[0], np.cumsum(case.lengths)[:-1])
    assert_allclose(np.concatenate([p[::-1] for p in parts]), backward["output"], rtol=1e-12)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("cell", CELLS)
def test_empty_sequences_keep_their_state(cell):
    case = make_case(cell, batch_lengths=[0, 0], input_size=2, hidden_size=3)
    values, saved = forward(case, save=True)
    assert values["output"].shape == (0, 3)
    assert_allclose(values["h_n"], case.h_0[0])
    assert (
        BACKWARD[cell](np.zeros((0, 3)), saved=saved)["weight_ih"].shape == case.weights["weight_ih_l0"].shape
    )


@pytest.mark.parametrize("cell", CELLS)
def test_messages_name_the_array_and_its_shape(cell):
    case = make_case(cell, batch_lengths=[2, 3], input_size=2, hidden_size=3)
    who = f"{cell.split('_')[0]}_forward"
    call = FORWARD[cell]
    with pytest.raises(ShapeError, match=rf"{who}: x must have shape \(5, 2\); got \(5, 4\)"):
        call(np.zeros((5, 4)), lengths=case.lengths, **case.layer())
    with pytest.raises(
        ShapeError, match=rf"{who}: lengths must sum to the rows of x; they sum to 9, x has 5 rows"
    ):
        call(case.x, lengths=[4, 5], **case.layer())
    with pytest.raises(ShapeError, match=rf"{who}: lengths must be at least 0; got -1"):
        call(case.x, lengths=[6, -1], **case.layer())
    with pytest.raises(ShapeError, match=rf"{who}: h_0 must have shape \(2, 3\); got \(1, 3\)"):
        call(case.x, lengths=case.lengths, **case.layer(), h_0=np.zeros((1, 3)))


def test_unknown_nonlinearity_is_refused():
    case = make_case("rnn", batch_lengths=[1], input_size=1, hidden_size=1)
    with pytest.raises(ValueError, match="nonlinearity must be one of 'tanh', 'relu'; got 'tan'"):
        rnn_forward(case.x, lengths=[1], **case.layer(), nonlinearity="tan")
