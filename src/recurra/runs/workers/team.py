"""Whether this process is one of several that train one network, and which; torch is imported only where it is."""

import os
import threading
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.training.distributed.workers import Workers

# Set by `launch_workers` for the workers that it starts: its own process, which they do not outlive.
AGENT = "RECURRA_AGENT"
RESUMABLE = 4  # exit code


def is_worker() -> bool:
    """Whether torchrun, or ``--workers``, started this process."""
    return all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))


def follows() -> bool:
    """Whether another worker leads: writes, shows, and speaks for all."""
    return is_worker() and os.environ["RANK"] != "0"


def is_launched() -> bool:
    """Whether ``--workers`` started this process, and says itself how all of them ended."""
    return AGENT in os.environ


def team(options: MutableMapping[str, Any]) -> "Workers | None":
    """Return the workers of this training, None for one process alone.

    Parameters
    ----------
    options : mapping
        Of the estimator; where several workers are to train and it says no number of shards, it gets the usual one.

    Raises
    ------
    UsageError
        If there are more workers than shards.
    """
    if not is_worker():
        return None
    from recurra.training.distributed.shards import USUAL_SHARDS, check_workers
    from recurra.training.distributed.workers import join

    shards = options.setdefault("shards", USUAL_SHARDS)
    check_workers(int(os.environ["WORLD_SIZE"]), shards)
    return join(shards)


def end_with_agent() -> None:
    """End this process when the one that started it is gone, however that ended."""
    agent = os.environ.get(AGENT)
    if agent is None:
        return

    def watch() -> None:
        while os.getppid() == int(agent):
            time.sleep(1)
        os._exit(RESUMABLE)  # what is whole is on disk, and nobody is left to be told

    threading.Thread(target=watch, daemon=True).start()
