"""A language model as data: how well it foretells a text, and what it writes, through the kernels."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from recurra.checks import check_number
from recurra.kernels.fronts.front import apply_front
from recurra.kernels.heads import pooling
from recurra.kernels.networks.stack import stack_forward
from recurra.ragged import Ragged
from recurra.serving.streams.stateful_network import RunningNetwork

# A long text is judged in stretches side by side; each reads this many tokens before the first it is judged on.
CONTEXT = 512
STRETCH = 4096


def nats(network: Mapping[str, Any], weights: Mapping[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """Return -log p of every token but the first, given those before it.

    Parameters
    ----------
    network, weights : mapping
        As in `recurra.serving.prediction.network_outputs`.
    ids : int64 array of shape (tokens,)
        The text. Beyond the first `STRETCH` tokens every one is foretold from at least `CONTEXT` before it.

    Returns
    -------
    float64 array of shape (tokens - 1,)
    """
    starts = list(range(0, len(ids) - 1, STRETCH))
    found = np.empty(len(ids) - 1)
    for portion in (starts[i : i + 16] for i in range(0, len(starts), 16)):
        begins = [max(0, start - CONTEXT) for start in portion]
        ends = [min(start + STRETCH, len(ids) - 1) for start in portion]
        pieces = [ids[a:b].astype(np.float32)[:, None] for a, b in zip(begins, ends, strict=True)]
        read = apply_front(network, weights, Ragged.from_list(pieces))
        states, _ = stack_forward(
            read.values,
            lengths=read.lengths,
            cell=network["cell"],
            weights=weights,
            num_layers=network["num_layers"],
            prefix="recurrent.",
        )
        for own, begin, start, end in zip(read.replace(states), begins, portion, ends, strict=True):
            outputs = pooling.linear(own[start - begin :], weights["head.weight"], weights["head.bias"])
            wide = outputs.astype(np.float64)
            top = wide.max(axis=1, keepdims=True)
            total = np.log(np.exp(wide - top).sum(axis=1)) + top[:, 0]
            found[start:end] = total - wide[np.arange(len(wide)), ids[start + 1 : end + 1]]
    return found


class Writer:
    """Draws one token after another.

    Parameters
    ----------
    network, weights : mapping
        As in `nats`.
    temperature : float
        Above 0; below 1 the likely becomes likelier. 0 always takes the most likely.
    top_k : int, optional
        Only the k most likely tokens are drawn from.
    top_p : float in (0, 1], optional
        Only the most likely tokens that together have this probability [1]_.
    rng : numpy.random.Generator
        What draws.
    banned : sequence of int
        Tokens that are never written.

    References
    ----------
    .. [1] A. Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020, arXiv:1904.09751.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        weights: Mapping[str, np.ndarray],
        *,
        rng: np.random.Generator,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        banned: tuple[int, ...] = (),
    ) -> None:
        who = "generate"
        check_number(who, "temperature", temperature, low=0)
        if top_k is not None:
            check_number(who, "top_k", top_k, integer=True, low=1)
        if top_p is not None:
            check_number(who, "top_p", top_p, low=0, high=1, low_open=True)
        self._running = RunningNetwork(network, weights)
        self._rng, self._temperature, self._top_k, self._top_p = rng, temperature, top_k, top_p
        self._banned = list(banned)

    def tokens(self, prompt: np.ndarray, length: int) -> Iterator[int]:
        """Read the prompt, at least one token, and yield what follows."""
        for number in prompt.tolist():
            self._running.advance(np.array([[number]], dtype=np.float32))
        for _ in range(length):
            number = self._draw(self._running.outputs()[0].astype(np.float64))
            yield number
            self._running.advance(np.array([[number]], dtype=np.float32))

    def _draw(self, outputs: np.ndarray) -> int:
        outputs[self._banned] = -math.inf
        if self._temperature == 0:
            return int(outputs.argmax())
        chances = np.exp((outputs - outputs.max()) / self._temperature)
        order = np.argsort(-chances, kind="stable")
        if self._top_k is not None:
            chances[order[self._top_k :]] = 0
        if self._top_p is not None:
            gathered = np.cumsum(chances[order]) / chances.sum()
            # The token that crosses the share is still taken.
            chances[order[int(np.searchsorted(gathered, self._top_p)) + 1 :]] = 0
        return int(self._rng.choice(len(chances), p=chances / chances.sum()))
