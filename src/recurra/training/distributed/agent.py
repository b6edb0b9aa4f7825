"""torchrun's agent: starts workers on this machine, and returns which of them was lost."""

import logging
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

# What the agent listens to.
SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
]
# A worker that is asked to end has so long to bring its batch to an end and to write a checkpoint.
SECONDS_TO_END = 25
# The loopback interface: on one machine workers need no name that a network knows.
LOOPBACK = ("lo", "lo0")


@dataclass(frozen=True)
class Outcome:
    """What became of workers.

    Parameters
    ----------
    code : int
        Exit code of the first that failed; 0 if none did.
    lost : str
        Which worker was killed, and by what; empty where none was.
    interrupted : bool
        Whether an end was asked for.
    """

    code: int = 0
    lost: str = ""
    interrupted: bool = False


def launch(command: Sequence[str], workers: int, *, environment: Mapping[str, str]) -> Outcome:
    """Run a command in so many processes that know of each other, and wait for their end.

    The agent ends all of them as soon as one has failed, and starts none anew.

    Parameters
    ----------
    command : sequence of str
        A program and its arguments.
    workers : int
        At least 1.
    environment : mapping
        Variables they get beside those of this process.
    """
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=workers,
        run_id=uuid.uuid4().hex,
        role="worker",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        local_addr="localhost",
        shutdown_timeout=SECONDS_TO_END,
    )
    threads = max(1, (os.cpu_count() or 1) // workers)
    loopback = [name for _, name in _interfaces() if name in LOOPBACK]
    interface = {"GLOO_SOCKET_IFNAME": loopback[0]} if loopback else {}
    variables = {"OMP_NUM_THREADS": str(threads), **interface, **os.environ, **environment}
    with _environment(variables), _quiet_agent(), _own_signals():
        try:
            elastic_launch(config, command[0])(*command[1:])
        except ChildFailedError as error:
            return _of_failures(error)
        except SignalException:
            return Outcome(interrupted=True)
    return Outcome()


def _of_failures(error: ChildFailedError) -> Outcome:
    """Say what the first failure was; one killed from outside explains the others, which the agent asked to end."""
    asked = -signal.SIGTERM
    rank, first = min(
        error.failures.items(), key=lambda item: (item[1].exitcode >= 0, item[1].exitcode == asked)
    )
    if first.exitcode >= 0:
        _, first = error.get_first_failure()
        return Outcome(code=first.exitcode)
    name = signal.Signals(-first.exitcode).name
    return Outcome(code=first.exitcode, lost=f"worker {rank} was ended by {name}")


def _interfaces() -> list[tuple[int, str]]:
    try:
        return socket.if_nameindex()
    except (AttributeError, OSError):
        return []


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Put back the handlers of signals, which the agent leaves behind."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)


@contextmanager
def _quiet_agent() -> Iterator[None]:
    """Leave it to the caller to say what became of the workers."""
    logger = logging.getLogger("torch.distributed.elastic")
    children = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith(logger.name)
    ]
    before = [(each, each.level) for each in (logger, *children)]
    try:
        for each, _ in before:
            each.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for each, level in before:
            each.setLevel(level)
