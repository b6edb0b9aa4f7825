"""How many threads torch's own operations get while a network trains; the recurrences keep all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from recurra.kernels.dispatch import use_threads

# With fewer weights, and no convolution, what torch itself computes is done sooner by one thread than two can agree to
# start: with a neighbour on one of two cores, its parallel Adam was seen to wait 150 ms for 0.15 ms of work. Its second
# thread also spins for milliseconds after each operation, on the core that the recurrences want: a translator of 1.2
# million weights trained in 9.6 s with one thread for torch and in 11.3 with two, one of 2.3 million in equal times.
FEW_WEIGHTS = 2_000_000

HEAVY = (torch.nn.modules.conv._ConvNd, torch.nn.MultiheadAttention)


@contextmanager
def shared_out(network: torch.nn.Module) -> Iterator[None]:
    """Give torch one thread inside where that is enough, and the recurrent kernels what torch had."""
    threads = torch.get_num_threads()
    weights = sum(p.numel() for p in network.parameters())
    heavy = any(isinstance(module, HEAVY) for module in network.modules())
    if threads == 1 or heavy or weights > FEW_WEIGHTS:
        yield
        return
    torch.set_num_threads(1)
    try:
        with use_threads(threads):
            yield
    finally:
        torch.set_num_threads(threads)
