import pytest
import torch

from recurra.kernels.dispatch import threads
from recurra.training.threads import FEW_WEIGHTS, shared_out


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_small_network_leaves_torch_one_thread_and_the_kernels_all():
    with shared_out(torch.nn.Linear(3, 2)):
        assert (torch.get_num_threads(), threads(torch.get_num_threads())) == (1, 2)


def test_the_count_comes_back_after_an_error():
    with pytest.raises(KeyError), shared_out(torch.nn.Linear(3, 2)):
        raise KeyError
    assert (torch.get_num_threads(), threads(7)) == (2, 7)


@pytest.mark.parametrize("network", [torch.nn.Linear(1, FEW_WEIGHTS), torch.nn.Conv1d(1, 1, 3)])
def test_heavy_network_keeps_torch_its_threads(network):
    with shared_out(network):
        assert (torch.get_num_threads(), threads(5)) == (2, 5)
