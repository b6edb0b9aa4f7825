"""Several networks whose mean answers: of probabilities where they choose a class, of numbers otherwise."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.kernels.heads import pooling
from recurra.ragged import Ragged
from recurra.serving.prediction import network_outputs
from recurra.serving.streams.stateful_network import RunningNetwork, check_network_state

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel

# A probability that no member gives is not quite zero, so that its logarithm is a number.
LEAST = 1e-30


def count_of(manifest: Mapping[str, Any]) -> int:
    """Return how many networks a model has."""
    return int(manifest.get("members", 1))


def joined(members: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the weights of all members as one mapping; those of a single one keep their names."""
    if len(members) == 1:
        return dict(members[0])
    return {f"{number}.{name}": w for number, own in enumerate(members) for name, w in own.items()}


def parted(weights: Mapping[str, np.ndarray], count: int) -> list[dict[str, np.ndarray]]:
    """Return the weights of each member; the inverse of `joined`."""
    if count == 1:
        return [dict(weights)]
    found: list[dict[str, np.ndarray]] = [{} for _ in range(count)]
    for name, array in weights.items():
        number, _, own = name.partition(".")
        found[int(number)][own] = array
    return found


def mean_of(outputs: Sequence[np.ndarray], *, probabilities: bool) -> np.ndarray:
    """Return what members answer together, in the form of one network's outputs.

    Parameters
    ----------
    outputs : sequence of ndarray of shape (rows, outputs)
        Of each member.
    probabilities : bool
        Whether softmax makes probabilities of the outputs: their mean is taken, and its logarithm returned.
    """
    if len(outputs) == 1:
        return outputs[0]
    if not probabilities:
        return np.mean([own.astype(np.float64) for own in outputs], axis=0).astype(np.float32)
    mean = np.mean([pooling.softmax(own).astype(np.float64) for own in outputs], axis=0)
    return np.log(np.maximum(mean, LEAST)).astype(np.float32)


def outputs_of(
    manifest: Mapping[str, Any], members: Sequence[Mapping[str, np.ndarray]], inputs: Ragged
) -> np.ndarray:
    """Return what the members' networks answer together; see `recurra.serving.prediction.network_outputs`."""
    outputs = [network_outputs(manifest["network"], own, inputs) for own in members]
    return mean_of(outputs, probabilities=manifest["task"] != "regression")


class RunningMembers:
    """Several causal networks as one running computation; it has the methods of `RunningNetwork`.

    Parameters
    ----------
    members : sequence of RunningNetwork
    probabilities : bool
        See `mean_of`.
    """

    def __init__(self, members: Sequence[RunningNetwork], *, probabilities: bool) -> None:
        self._members, self._probabilities = members, probabilities
        self.state_size = sum(member.state_size for member in members)

    def advance(self, x: np.ndarray) -> np.ndarray:
        """Take in one step of each sequence; return the states of all members side by side."""
        return np.concatenate([member.advance(x) for member in self._members], axis=1)

    def outputs(self) -> np.ndarray:
        """Return what the steps so far give."""
        return mean_of([member.outputs() for member in self._members], probabilities=self._probabilities)

    def head(self, states: np.ndarray) -> np.ndarray:
        """Return the outputs for states as `advance` returns them."""
        each = np.split(states, np.cumsum([member.state_size for member in self._members])[:-1], axis=1)
        found = [
            member.head(np.ascontiguousarray(own)) for member, own in zip(self._members, each, strict=True)
        ]
        return mean_of(found, probabilities=self._probabilities)

    def fused(self, scaling: Any, channels: int) -> None:
        """Return None: there is no native step of several networks."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return views of everything remembered, the first axis of each over the batch."""
        return {
            f"{number}.{name}": array
            for number, member in enumerate(self._members)
            for name, array in member.arrays().items()
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of what the first sequence remembers."""
        return joined([member.state() for member in self._members])

    def set_state(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Continue the first sequence from `state`."""
        check_network_state(arrays, self.state())
        for member, own in zip(self._members, parted(arrays, len(self._members)), strict=True):
            member.set_state(own)

    def reset(self) -> None:
        """Forget every step."""
        for member in self._members:
            member.reset()


def running(model: "FittedModel", batch: int = 1) -> RunningNetwork | RunningMembers:
    """Return the network of a model, or its members, as a running computation."""
    network = model.manifest["network"]
    members = [RunningNetwork(network, own, batch) for own in model.members]
    if len(members) == 1:
        return members[0]
    return RunningMembers(members, probabilities=model.task != "regression")
