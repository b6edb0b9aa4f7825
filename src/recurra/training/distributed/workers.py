"""The processes that train one network together (torch.distributed, gloo), and what they say to each other.

All run the same program on the same data (`torchrun`, or `recurra train --workers`). The first one leads: it alone
writes, shows and calls callbacks. A collective call below is made by all of them, the same number of times, whatever
their shards are, so that none waits for what never comes.
"""

import atexit
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from recurra.errors import UsageError
from recurra.training.distributed.shards import check_workers

T = TypeVar("T")
# What torchrun tells each process that it starts.
VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# A worker may wait so long for the others, of which the first may be paused; one that has ended is noticed at once.
SECONDS_TO_WAIT = 7 * 86_400


class WorkerLostError(KeyboardInterrupt):
    """Another worker is gone: this one ends as after Ctrl-C, with what is whole kept to go on from."""


class Workers:
    """The processes of one training; one alone where there are no others.

    Parameters
    ----------
    rank : int
        Of this one, from 0.
    count : int
        How many there are.

    Attributes
    ----------
    leads : bool
        Whether this process writes, shows and calls callbacks.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count, self.leads = rank, count, rank == 0

    def shared(self, value: T) -> T:
        """Return what the first worker has here."""
        if self.count == 1:
            return value
        box = [value if self.leads else None]
        _call(lambda: dist.broadcast_object_list(box, src=0, device=torch.device("cpu")))
        return box[0]  # type: ignore[return-value]

    def all(self, value: T) -> list[T]:
        """Return what each worker has here."""
        if self.count == 1:
            return [value]
        out: list[Any] = [None] * self.count
        _call(lambda: dist.all_gather_object(out, value))
        return out

    def largest(self, *numbers: int) -> list[int]:
        """Return the largest number that a worker has at each place."""
        if self.count == 1:
            return list(numbers)
        box = torch.tensor(numbers)
        _call(lambda: dist.all_reduce(box, op=dist.ReduceOp.MAX))
        return [int(number) for number in box]

    def rows(self, own: torch.Tensor, size: int) -> list[torch.Tensor]:
        """Return the numbers of each worker.

        Parameters
        ----------
        own : Tensor of shape (n,)
            n differs between workers.
        size : int
            At least the largest n, the same on all.

        Returns
        -------
        list of Tensor of shape (size,)
            Filled up with zeros.
        """
        if self.count == 1:
            return [own]
        sent = torch.zeros(size, dtype=own.dtype)
        sent[: len(own)] = own
        got = list(torch.empty(self.count, size, dtype=own.dtype))
        _call(lambda: dist.all_gather(got, sent))
        return got

    def pieces(self, own: torch.Tensor, counts: Sequence[int]) -> list[torch.Tensor]:
        """Return this worker's piece of the vectors of all.

        Parameters
        ----------
        own : Tensor of shape (vectors, count, piece)
            Vectors of this worker, cut into one piece for each worker.
        counts : sequence of int
            How many vectors each worker has.

        Returns
        -------
        list of Tensor of shape (piece,)
            Of the vectors of the first worker, then of the second, and so on.
        """
        if self.count == 1:
            return list(own[:, 0])
        piece = own.shape[2]
        sent = own.transpose(0, 1).contiguous().view(-1)
        got = torch.empty(sum(counts) * piece, dtype=own.dtype)
        sizes = [count * piece for count in counts]
        _call(lambda: dist.all_to_all_single(got, sent, sizes, [len(own) * piece] * self.count))
        return list(got.view(-1, piece))

    def joined(self, piece: torch.Tensor) -> torch.Tensor:
        """Return the pieces of all workers, of the same shape (piece,), one after the other."""
        if self.count == 1:
            return piece
        out = torch.empty(self.count * len(piece), dtype=piece.dtype)
        _call(lambda: dist.all_gather(list(out.view(self.count, -1)), piece.contiguous()))
        return out

    def check_same(self, fingerprint: str, network: torch.nn.Module) -> None:
        """Raise UsageError unless all workers train the same network on the same data."""
        if self.count == 1:
            return
        digest = hashlib.sha256(fingerprint.encode())
        for tensor in network.state_dict().values():
            digest.update(tensor.detach().cpu().numpy().tobytes())
        own = digest.hexdigest()
        different = [rank for rank, other in enumerate(self.all(own)) if other != own]
        if different:
            raise UsageError(
                f"train: worker {self.rank} and worker {different[0]} have different data, options or weights. Every worker "
                "must run the same program, with the same versions, on the same data."
            )


def started_by_torchrun() -> bool:
    """Whether this process is one of several that torchrun started, or that joined others by themselves."""
    return all(name in os.environ for name in VARIABLES) or (dist.is_available() and dist.is_initialized())


def join(shards: int) -> Workers:
    """Return the workers that this process trains with, itself included.

    Without torchrun, or where training is not cut into shards, a process is alone.

    Raises
    ------
    UsageError
        If there are more workers than shards.
    """
    if shards == 1 or not started_by_torchrun():
        return Workers()
    if not dist.is_initialized():
        with _ended_at_once():
            dist.init_process_group("gloo", timeout=timedelta(seconds=SECONDS_TO_WAIT))
        atexit.register(_leave)
    check_workers(dist.get_world_size(), shards)
    return Workers(dist.get_rank(), dist.get_world_size())


@contextmanager
def _ended_at_once() -> Iterator[None]:
    """Let SIGTERM end this process inside, without a word.

    Nothing has been trained yet, and one that waits for a worker that was killed meanwhile never comes back to Python.
    """
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # it ends the process already, or is ignored
        return
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def _call(collective: Callable[[], Any]) -> None:
    """Make a collective call; WorkerLostError if another worker is gone."""
    try:
        collective()
    except RuntimeError as error:
        # gloo has one kind of error for everything that can happen to a connection
        raise WorkerLostError("another worker is gone") from error


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside, for a training that is cut into shards.

    torch's gradients of convolutions and of attention add up in another order on two threads than on one, and how many
    there are differs between machines. Processes are what makes a sharded training fast.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
