"""The network's answer from its configuration and weights, through the kernels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from recurra.kernels.cell import CELLS, VARIANTS
from recurra.kernels.fronts.front import apply_front, front_shapes, recurrent_input_size
from recurra.kernels.heads import crf
from recurra.kernels.heads import pooling as heads
from recurra.kernels.networks.stack import stack_forward
from recurra.ragged import Ragged

# Steps run at once: bounds the memory of a prediction, far above what fills the machine.
STEPS_AT_ONCE = 200_000


def expected_shapes(network: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight that a network configuration needs."""
    hidden, gates = network["hidden_size"], CELLS[network["cell"]].blocks
    suffixes = ["", "_reverse"] if network["bidirectional"] else [""]
    shapes: dict[str, tuple[int, ...]] = front_shapes(network)
    for layer in range(network["num_layers"]):
        input_size = recurrent_input_size(network) if layer == 0 else hidden * len(suffixes)
        for suffix in suffixes:
            name = f"l{layer}{suffix}"
            shapes[f"recurrent.weight_ih_{name}"] = (gates * hidden, input_size)
            shapes[f"recurrent.weight_hh_{name}"] = (gates * hidden, hidden)
            shapes[f"recurrent.bias_ih_{name}"] = (gates * hidden,)
            shapes[f"recurrent.bias_hh_{name}"] = (gates * hidden,)
            if network["cell"] in VARIANTS:
                extras = VARIANTS[network["cell"]].extras(hidden)
                shapes |= {f"recurrent.{word}_{name}": (size,) for word, size in extras.items()}
    features = hidden * len(suffixes)
    poolings = () if network["pooling"] == "none" else heads.split_pooling(network["pooling"])
    if "attention" in poolings:
        shapes |= {
            "pooling.weight": (features, features),
            "pooling.bias": (features,),
            "pooling.context": (features,),
        }
    width = features * max(len(poolings), 1)
    shapes |= {"head.weight": (network["output_size"], width), "head.bias": (network["output_size"],)}
    return shapes | (crf.shapes(network["output_size"]) if network.get("crf") else {})


def network_outputs(
    network: Mapping[str, Any], weights: Mapping[str, np.ndarray], inputs: Ragged
) -> np.ndarray:
    """Return what the network answers before softmax, conditional random field or target scaling.

    Parameters
    ----------
    network : mapping
        `recurra.nn.networks.sequence_network.NetworkConfig` as a dictionary.
    weights : mapping of str to ndarray
        The network's state dict as float32 arrays.
    inputs : Ragged with values of shape (total_steps, input_size), float32
        Sequences of at least one step.

    Returns
    -------
    ndarray of shape (batch, output_size), or (total_steps, output_size) with pooling "none"
    """
    inputs = apply_front(network, weights, inputs)
    states, last = stack_forward(
        inputs.values,
        lengths=inputs.lengths,
        cell=network["cell"],
        weights=weights,
        prefix="recurrent.",
        num_layers=network["num_layers"],
        bidirectional=network["bidirectional"],
    )
    return heads.linear(
        _pool(network, weights, inputs, states, last), weights["head.weight"], weights["head.bias"]
    )


def _pool(
    network: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    inputs: Ragged,
    states: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:
    if network["pooling"] == "none":
        return states
    parts = []
    for pooling in heads.split_pooling(network["pooling"]):
        if pooling == "last":
            directions = 2 if network["bidirectional"] else 1
            parts.append(np.concatenate(list(last[-directions:]), axis=1))
        elif pooling == "attention":
            names = ("weight", "bias", "context")
            attention = {name: weights[f"pooling.{name}"] for name in names}
            parts.append(heads.pool_attention(states, lengths=inputs.lengths, **attention))
        else:
            pool = heads.pool_mean if pooling == "mean" else heads.pool_max
            parts.append(pool(states, lengths=inputs.lengths))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def portions(sequences: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield the sequences in order, in portions of about `STEPS_AT_ONCE` steps."""
    portion: list[np.ndarray] = []
    steps = 0
    for sequence in sequences:
        if portion and steps + len(sequence) > STEPS_AT_ONCE:
            yield portion
            portion, steps = [], 0
        portion.append(sequence)
        steps += len(sequence)
    if portion:
        yield portion
