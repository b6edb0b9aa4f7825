"""Front end, layers, pooling and head as one network that goes on step by step; what it answers after the steps so far."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.errors import StoreError
from recurra.features.rows.streaming import check_state
from recurra.kernels.dispatch import current
from recurra.kernels.fronts.front import running_front
from recurra.kernels.heads import pooling
from recurra.kernels.networks.fused_stream import fused
from recurra.kernels.networks.stack import StackStep


class RunningNetwork:
    """A causal network fed one time step of several sequences at a time.

    Parameters
    ----------
    network : mapping
        `recurra.nn.networks.sequence_network.NetworkConfig` as a dictionary; one direction only.
    weights : mapping of str to ndarray
        The network's state dict as float32 arrays.
    batch : int
        Sequences side by side.
    """

    def __init__(self, network: Mapping[str, Any], weights: Mapping[str, np.ndarray], batch: int = 1) -> None:
        self.state_size = int(network["hidden_size"])
        # The reference computes the recurrence in double (see `stack_forward`), and so must its stream.
        dtype = np.float64 if current() == "reference" else np.float32
        own = {n: w.astype(dtype, copy=False) for n, w in weights.items() if n.startswith("recurrent.")}
        self._front = running_front(network, weights, batch)
        self._stack = StackStep(
            network["cell"], own, num_layers=network["num_layers"], prefix="recurrent.", batch=batch
        )
        self._head = (weights["head.weight"], weights["head.bias"])
        # The last state alone needs no pool: the recurrence has it.
        names = () if network["pooling"] in ("none", "last") else pooling.split_pooling(network["pooling"])
        self._pools = [
            pooling.RunningPool(
                name,
                batch=batch,
                features=network["hidden_size"],
                **{
                    word: weights[f"pooling.{word}"]
                    for word in ("weight", "bias", "context")
                    if name == "attention"
                },
            )
            for name in names
        ]

    def advance(self, x: np.ndarray) -> np.ndarray:
        """Take in one step (batch, input_size) of each sequence; return the last layer's state (batch, hidden_size).

        The array is overwritten by the next step.
        """
        if self._front is not None:
            x = self._front.step(x)
        states = self._stack.step(x).astype(np.float32, copy=False)
        for pool in self._pools:
            pool.step(states)
        return states

    def outputs(self) -> np.ndarray:
        """Return what the steps so far give, before softmax or target scaling: shape (batch, output_size)."""
        if self._pools:
            return self.head(np.concatenate([pool.value() for pool in self._pools], axis=1))
        return self.head(self._stack.h[-1].astype(np.float32, copy=False))

    def head(self, states: np.ndarray) -> np.ndarray:
        """Return the outputs for states (rows, hidden_size)."""
        return pooling.linear(states, *self._head)

    def fused(self, scaling: tuple[np.ndarray, np.ndarray] | None, channels: int) -> Any:
        """Return the native step of one stream from its raw row on; None where there is none.

        Parameters
        ----------
        scaling : (center, spread), optional
            The only thing done to a row before the network reads it.
        channels : int
            Numbers of a row.
        """
        if self._front is not None or len(self._pools) > 1:
            return None
        weight, bias = self._head
        center, spread = scaling if scaling is not None else (None, None)
        return fused(
            self._stack,
            pool=self._pools[0] if self._pools else None,
            weight=weight,
            bias=bias,
            center=center,
            spread=spread,
            channels=channels,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return views of everything remembered, the first axis of each over the batch."""
        found = {"h": self._stack.h.swapaxes(0, 1)}
        if self._front is not None:
            found |= {f"front.{name}": array for name, array in self._front.arrays().items()}
        if self._stack.c is not None:
            found["c"] = self._stack.c.swapaxes(0, 1)
        for index, pool in enumerate(self._pools):
            # The first has no number, as in states written when there was only one.
            prefix = f"pool{index or ''}"
            found |= {f"{prefix}.{name}": getattr(pool, name) for name in ("count", "total", "top", "mass")}
        return found

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of what the first sequence remembers."""
        return {name: np.array(array[0]) for name, array in self.arrays().items()}

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue the first sequence from `state`.

        Raises
        ------
        StoreError
            If a name, a shape or a number makes no sense for this network.
        """
        check_network_state(arrays, self.state())
        for name, own in self.arrays().items():
            own[0] = arrays[name]

    def reset(self) -> None:
        """Forget every step."""
        self._stack.reset()
        if self._front is not None:
            self._front.reset()
        for pool in self._pools:
            pool.reset()


def check_network_state(found: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """Raise StoreError unless arrays fit a network with the state ``own``."""
    check_state(found, own, "stream state, network")
    for name in own:
        if name.startswith("pool") and name.endswith(".count") and (found[name] < 0).any():
            raise StoreError(f"stream state, network: the array {name!r} holds a negative count.")
