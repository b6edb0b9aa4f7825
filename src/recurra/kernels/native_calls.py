"""Calls of the native kernels with numpy arrays; shapes have been checked by the caller.

Layouts of what is saved belong to the instruction set in use (hidden units padded to whole vectors, gates of
one vector of units side by side); `NativeSaved` hands them out in torch's order.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from recurra.kernels.cell import CELLS, EXTRAS, VARIANTS
from recurra.kernels.dispatch import current, native_module

# The order in which the extension takes the gradients of one direction.
WANTED = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "hidden")


def runs_native(dtype: Any) -> bool:
    """Return whether the native kernels take arrays of this dtype now."""
    return current() == "native" and np.dtype(dtype) in (np.float32, np.float64)


def thread_count() -> int:
    """Return how many threads a call may use: torch's where torch is loaded, else OMP_NUM_THREADS or the cores."""
    # its own count, which may have been set; a torch that is only half imported has no such function yet
    of_torch = getattr(sys.modules.get("torch"), "get_num_threads", None)
    return _without_torch() if of_torch is None else int(of_torch())


@functools.cache
def _without_torch() -> int:
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def contiguous(array: Any, dtype: Any) -> Any:
    """Return an array as the extension reads it, None as None."""
    return None if array is None else np.ascontiguousarray(array, dtype)


def pack(cell: str, weights: Mapping[str, Any], *, dtype: Any, back: bool) -> Any:
    """Return the weights of one layer and direction laid out for the kernels.

    Parameters
    ----------
    cell : str
        One of `recurra.kernels.cell.CELLS`.
    weights : mapping of str to array
        ``weight_ih``, ``weight_hh`` and, where there are such, ``bias_ih``, ``bias_hh``, ``weight_hr``.
    dtype : numpy.float32 or numpy.float64
    back : bool
        Lay out what the backward pass needs as well.
    """
    variant = VARIANTS.get(cell)
    words = WANTED[:5] if variant is None else (*WANTED[:5], *EXTRAS)
    arrays = {word: contiguous(weights.get(word), dtype) for word in words}
    hidden_size, output_size = (
        arrays["weight_ih"].shape[0] // CELLS[cell].blocks,
        arrays["weight_hh"].shape[1],
    )
    (packed,) = native_module().pack(
        cell=CELLS[cell].code,
        is_double=np.dtype(dtype) == np.float64,
        input_size=arrays["weight_ih"].shape[1],
        hidden_size=hidden_size,
        output_size=output_size,
        directions=[list(arrays.values())],
        back=back,
        threads=1,
        variant=None if variant is None else variant.numbers(),
    )
    return packed


def linear(weight: np.ndarray, bias: np.ndarray | None, dtype: Any) -> Any:
    """Return a linear head of shape (outputs, features) laid out for the kernels."""
    arrays = (contiguous(weight, dtype), contiguous(bias, dtype))
    return native_module().Linear(np.dtype(dtype) == np.float64, *arrays, *weight.shape)


@dataclasses.dataclass(frozen=True)
class NativeSaved:
    """What the native backward pass needs, and what a look inside shows.

    The arrays ``x`` and ``output`` are those of the forward pass; they must not change before backward.
    """

    cell: str
    x: np.ndarray
    lengths: np.ndarray
    weights: dict[str, Any]
    output: np.ndarray
    states: dict[str, Any]
    reverse: bool
    packed: Any
    memory: Any

    @property
    def gates(self) -> np.ndarray:
        """Gates after activation in torch's order, shape (total_steps, gates * hidden_size).

        Of a cell with layer normalization the kernels save what was normalized instead: see `DirectionInside.gates`.
        """
        return self._saved_gates()[:, : CELLS[self.cell].blocks * self._hidden_size]

    @property
    def q(self) -> np.ndarray:
        """GRU: recurrent part of the candidate before the reset gate, shape (total_steps, hidden_size)."""
        return self._saved_gates()[:, CELLS[self.cell].blocks * self._hidden_size :]

    @property
    def c(self) -> np.ndarray:
        """LSTM: cell state after each step, shape (total_steps, hidden_size)."""
        result = np.empty((len(self.x), self._hidden_size), self.x.dtype)
        self._memory().copy_cells(0, result)
        return result

    @property
    def h(self) -> np.ndarray:
        """State after each step, shape (total_steps, output_size)."""
        return self.output

    @property
    def h_prev(self) -> np.ndarray:
        """State before each step, shape (total_steps, output_size)."""
        return self._before(self.output, self.states.get("h_0"))

    @property
    def c_prev(self) -> np.ndarray:
        """LSTM: cell state before each step, shape (total_steps, hidden_size)."""
        return self._before(self.c, self.states.get("c_0"))

    @property
    def _hidden_size(self) -> int:
        return int(self.weights["weight_ih"].shape[0]) // CELLS[self.cell].blocks

    def _memory(self) -> Any:
        return self._again() if self.memory.spent else self.memory

    def _saved_gates(self) -> np.ndarray:
        memory = self._memory()
        result = np.empty((len(self.x), memory.width * self._hidden_size), self.x.dtype)
        memory.copy_gates(0, result)
        return result

    def _before(self, after: np.ndarray, initial: np.ndarray | None) -> np.ndarray:
        result = np.zeros_like(after)
        end = np.cumsum(self.lengths)
        for b, (first, last) in enumerate(zip(end - self.lengths, end, strict=True)):
            if first == last:
                continue
            if self.reverse:
                result[first : last - 1] = after[first + 1 : last]
            else:
                result[first + 1 : last] = after[first : last - 1]
            if initial is not None:
                result[last - 1 if self.reverse else first] = initial[b]
        return result

    def _again(self) -> Any:
        """Run the forward pass once more: a backward pass has overwritten the gates with their gradients."""
        again = forward(
            self.cell,
            self.x,
            lengths=self.lengths,
            directions=[self.weights],
            states=[self.states],
            reverse=self.reverse,
            save=True,
        )
        return again[-1].memory


def _starts(lengths: np.ndarray, width: int) -> np.ndarray:
    return (np.cumsum(lengths) - lengths) * width


def forward(
    cell: str,
    x: np.ndarray,
    *,
    lengths: np.ndarray,
    directions: Sequence[Mapping[str, Any]],
    states: Sequence[Mapping[str, Any]],
    reverse: bool = False,
    save: bool = False,
    packed: Sequence[Any] | None = None,
    threads: int | None = None,
    mode: int = 0,
) -> tuple[Any, ...]:
    """Run a layer in one or both directions over flat ragged rows.

    Parameters
    ----------
    cell : str
        One of `recurra.kernels.cell.CELLS`.
    x : array of shape (total_steps, input_size)
    lengths : int64 array of shape (batch,)
    directions : one or two mappings
        Weights by their kernel names; the second runs backward.
    states : as many mappings
        ``h_0`` and ``c_0`` of shape (batch, .), each optional.
    reverse : bool
        With one direction: run backward.
    save : bool
        Keep what the backward pass needs; with one direction only.
    packed : sequence, optional
        The weights already packed.
    threads : int, optional
    mode : int
        0 lets the kernels choose, 1 deals out sequences to threads, 2 hidden units; no result depends on it.

    Returns
    -------
    output : array of shape (total_steps, directions * output_size)
    h_n : array of shape (directions, batch, output_size)
    c_n : array of shape (directions, batch, hidden_size)
        For the LSTM only.
    saved : NativeSaved or None
    """
    dtype, batch, count = x.dtype, len(lengths), len(directions)
    weights = [{name: contiguous(w, dtype) for name, w in d.items() if w is not None} for d in directions]
    packed = packed or [pack(cell, w, dtype=dtype, back=save) for w in weights]
    hidden_size, output_size = (
        weights[0]["weight_ih"].shape[0] // CELLS[cell].blocks,
        weights[0]["weight_hh"].shape[1],
    )
    x = np.ascontiguousarray(x)
    initial = {name: _joined([s.get(name) for s in states], dtype) for name in ("h_0", "c_0")}
    output = np.empty((len(x), count * output_size), dtype)
    h_n = np.empty((count, batch, output_size), dtype)
    c_n = np.empty((count, batch, hidden_size), dtype) if "c" in CELLS[cell].states else None
    memory = native_module().Saved(packed[0], len(x), count) if save else None
    native_module().forward(
        weights=packed,
        size=batch,
        lengths=lengths,
        x=x,
        x_start=_starts(lengths, x.shape[1]),
        x_step=x.shape[1],
        out=output,
        out_start=_starts(lengths, output.shape[1]),
        out_step=output.shape[1],
        h_0=initial["h_0"],
        c_0=initial["c_0"],
        reverse=reverse,
        h_n=h_n,
        c_n=c_n,
        saved=memory,
        threads=threads or thread_count(),
        mode=mode,
    )
    saved = None
    if save:
        kept = {name: state[0] for name, state in initial.items() if state is not None}
        saved = NativeSaved(cell, x, lengths, weights[0], output, kept, reverse, packed[0], memory)
    return (output, h_n, saved) if c_n is None else (output, h_n, c_n, saved)


def _joined(states: Sequence[Any], dtype: Any) -> Any:
    """Return the states of all directions as one array (directions, batch, .), or None if none is given."""
    given = [s for s in states if s is not None]
    if not given:
        return None
    return np.stack([np.zeros_like(given[0], dtype) if s is None else np.asarray(s, dtype) for s in states])


def backward(
    grad_output: np.ndarray | None,
    *,
    grad_h_n: np.ndarray | None,
    grad_c_n: np.ndarray | None = None,
    saved: NativeSaved,
    threads: int | None = None,
    mode: int = 0,
) -> dict[str, np.ndarray]:
    """Return every gradient of a layer in one direction, and ``hidden``; see the cell's own function."""
    dtype, batch, x = saved.x.dtype, len(saved.lengths), saved.x
    memory = saved._again() if saved.memory.spent else saved.memory
    hidden_size, output_size = saved._hidden_size, saved.output.shape[1]
    result: dict[str, Any] = {"x": np.empty_like(x), "h_0": np.empty((batch, output_size), dtype)}
    if "c" in CELLS[saved.cell].states:
        result["c_0"] = np.empty((batch, hidden_size), dtype)
    shapes = dict.fromkeys(("bias_ih", "bias_hh"), (CELLS[saved.cell].blocks * hidden_size,))
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"):
        if name in saved.weights or name in shapes:
            result[name] = np.empty(shapes.get(name) or saved.weights[name].shape, dtype)
    result["hidden"] = np.empty(saved.output.shape, dtype)
    states = {name: saved.states.get(name) for name in ("h_0", "c_0")}
    native_module().backward(
        weights=[saved.packed],
        size=batch,
        lengths=saved.lengths,
        x=x,
        x_start=_starts(saved.lengths, x.shape[1]),
        x_step=x.shape[1],
        out=saved.output,
        out_start=_starts(saved.lengths, output_size),
        out_step=output_size,
        h_0=states["h_0"],
        c_0=states["c_0"],
        reverse=saved.reverse,
        saved=memory,
        given=[contiguous(g, dtype) for g in (grad_output, grad_h_n, grad_c_n)],
        wanted=[
            *(result.get(name) for name in ("x", "h_0", "c_0", *WANTED)),
            *((None,) * len(EXTRAS) if saved.cell in VARIANTS else ()),
        ],
        threads=threads or thread_count(),
        mode=mode,
    )
    return result
