"""Other processes that do the same as this one, beside it: each takes what none has taken yet."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from recurra.runs.workers.team import AGENT

# Set for those that `replicated` starts: they start none themselves.
REPLICA = "RECURRA_REPLICA"


def is_replica() -> bool:
    """Whether another process started this one to help it."""
    return REPLICA in os.environ


@contextlib.contextmanager
def replicated(arguments: Sequence[str], workers: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Let more processes run the same command while the block does; those left over at its end are ended.

    Parameters
    ----------
    arguments : sequence of str
        Of ``recurra``.
    workers : int
        How many there are in all, this one included.
    """
    if workers == 1 or is_replica():
        yield []
        return
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"OMP_NUM_THREADS": threads, **os.environ, REPLICA: "1", AGENT: str(os.getpid())}
    command = [sys.executable, "-m", "recurra", *arguments]
    nowhere = subprocess.DEVNULL
    replicas = [
        subprocess.Popen(command, env=environment, stdout=nowhere, stderr=nowhere) for _ in range(workers - 1)
    ]
    try:
        yield replicas
    finally:
        for replica in replicas:
            replica.terminate()
        for replica in replicas:
            replica.wait()
