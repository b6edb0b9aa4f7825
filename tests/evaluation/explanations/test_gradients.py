import numpy as np
import pytest
import torch

from recurra.errors import ShapeError, UsageError
from recurra.evaluation.explanations.gradients import gradient_times_input
from recurra.ragged import Ragged


class Network(torch.nn.Module):
    """A recurrent network with dropout; ``per_step`` decides between one output and one per step."""

    def __init__(self, *, per_step=False, dtype=torch.float64):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.recurrent = torch.nn.GRU(3, 5, dtype=dtype)
        self.drop = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(5, 4, dtype=dtype)
        self.per_step = per_step
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.empty_like(parameter).normal_(0, 0.5, generator=generator))

    def forward(self, ragged):
        hidden = self.head(self.drop(self.recurrent(ragged.values)[0]))
        return hidden if self.per_step else hidden[-1:]


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [3.0, 0.5], [0.0, 1.0]]))

    def forward(self, ragged):
        return (ragged.values @ self.weight).sum(dim=0, keepdim=True) + 7.0


SEQUENCE = np.random.default_rng(0).normal(size=(6, 3))


@pytest.mark.parametrize(("per_step", "step"), [(False, None), (True, None), (True, 2)])
def test_slopes_agree_with_finite_differences(per_step, step):
    network = Network(per_step=per_step).eval()

    def output(x):
        with torch.no_grad():
            column = network(Ragged(torch.as_tensor(x), [len(x)]))[:, 2]
        return float(column.sum() if step is None else column[step])

    expected = np.zeros_like(SEQUENCE)
    for place in np.ndindex(SEQUENCE.shape):
        shift = np.zeros_like(SEQUENCE)
        shift[place] = 1e-6
        expected[place] = SEQUENCE[place] * (output(SEQUENCE + shift) - output(SEQUENCE - shift)) / 2e-6
    here, nothing = output(SEQUENCE), output(np.zeros_like(SEQUENCE))
    e = gradient_times_input(network.train(), SEQUENCE, target=2, step=step)
    np.testing.assert_allclose(e.values, expected, atol=1e-8)
    assert e.output == pytest.approx(here)
    assert e.error == pytest.approx(expected.sum() - (here - nothing), abs=1e-7)


def test_a_linear_network_is_explained_completely():
    e = gradient_times_input(
        Linear(), SEQUENCE, target=1, label="fault", channel_names=["a", "b", "c"], name="rec"
    )
    np.testing.assert_allclose(e.values, SEQUENCE * [-2.0, 0.5, 1.0], rtol=1e-6)
    assert e.error == pytest.approx(0.0, abs=1e-6)
    assert (e.target, e.name, e.channel_names) == ("fault", "rec", ["a", "b", "c"])


def test_the_network_is_left_as_it_was():
    network = Network()
    network.recurrent.eval()
    weights = [p.detach().clone() for p in network.parameters()]
    state = torch.get_rng_state()
    gradient_times_input(network, SEQUENCE)
    assert (network.training, network.recurrent.training, network.drop.training) == (True, False, True)
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        assert np.abs(gradient_times_input(network, SEQUENCE).values).max() > 0
        assert not torch.is_grad_enabled()


def test_dropout_is_off_and_the_mode_comes_back_after_an_error():
    network = Network()
    first, second = (gradient_times_input(network, SEQUENCE).values for _ in range(2))
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ShapeError):
        gradient_times_input(network, SEQUENCE, target=9)
    assert network.drop.training


def test_single_precision_and_one_channel():
    network = Network(dtype=torch.float32)
    assert gradient_times_input(network, SEQUENCE.astype(np.float32)).values.shape == (6, 3)
    assert gradient_times_input(Linear(), SEQUENCE.tolist()).input.shape == (6, 3)


def test_messages():
    with pytest.raises(
        ShapeError, match=r"more than target=4\), and step must be one of them; got \(1, 4\) and step=None"
    ):
        gradient_times_input(Network(), SEQUENCE, target=4)
    with pytest.raises(
        UsageError, match=r"^gradient_times_input: target must be a whole number of at least 0; got -1\.$"
    ):
        gradient_times_input(Network(), SEQUENCE, target=-1)

    class Constant(torch.nn.Module):
        def forward(self, ragged):
            return torch.zeros(1, 2)

    with pytest.raises(ShapeError, match=r"does not depend on its input, so it has no slope\.$"):
        gradient_times_input(Constant(), SEQUENCE)
