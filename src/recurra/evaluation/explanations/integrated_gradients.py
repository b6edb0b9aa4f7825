"""Explanations by gradients along the way from nothing to the input, with what they miss stated."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from recurra.checks import check_number
from recurra.errors import ShapeError
from recurra.evaluation.explanations.explanation import Explanation
from recurra.evaluation.explanations.gradients import evaluation_mode, kind_of_weights, outputs_at
from recurra.plain_arrays import as_sequence

# Where no number is given the way is cut into so many pieces with so many points each. A piece over which the output
# changes otherwise than its slopes say is halved, until the pieces' errors together are this share of the output's change
# at most (or of the output itself, where the change is next to nothing), or until there are so many points.
PIECES, POINTS_OF_A_PIECE, MOST_POINTS, SMALL, SMALL_OF_OUTPUT = 4, 8, 2048, 0.01, 1e-5
# A piece of the way that is shorter holds too few numbers of 32 bits to look into.
SHORTEST = 2.0**-20
# Steps in one batch of points: bounds the memory, far above what fills the machine.
STEPS_AT_ONCE = 20_000
WHO = "integrated_gradients"


def integrated_gradients(
    network: torch.nn.Module,
    sequence: Any,
    *,
    target: int = 0,
    step: int | None = None,
    points: int | None = None,
    baseline: Any = None,
    label: Any = None,
    channel_names: Sequence[str] | None = None,
    sample_rate_hz: float | None = None,
    name: str = "",
) -> Explanation:
    r"""Add up the slopes of the output on the straight way from a baseline to the input.

    .. math:: a_{tc} = (x_{tc} - x'_{tc}) \int_0^1 \frac{\partial f(x' + \alpha (x - x'))}{\partial x_{tc}} d\alpha

    The values add up to :math:`f(x) - f(x')` [1]_, but for the error of the integral, which is taken by
    Gauss-Legendre quadrature and stated as ``error``. A network may change its answer within a thousandth of the way,
    where evenly placed points see no slope: what the output does between the ends of a piece tells of it, and the piece
    is halved. A rise and fall inside one piece that leaves the output as it was stays unseen.

    Parameters
    ----------
    network : Module
        Takes a `Ragged` of torch values of shape (total_steps, channels) and returns outputs of shape (batch,
        outputs), or (total_steps, outputs) with one output per step.
    sequence : ndarray of shape (time, channels)
        What the network receives: after scaling and other features.
    target : int, default=0
        Which output to explain: the class, or the number of the target.
    step : int, optional
        With one output per step: the step whose output is explained; the sum over all steps if omitted.
    points : int, optional
        Places on the way at which slopes are taken, in 1..1000, placed once. If omitted 32, and more where the output
        changes otherwise than the slopes say, up to 2048, until the error is at most a hundredth of the output's change.
    baseline : ndarray of shape (time, channels) or (channels,), optional
        x'; zeros if omitted, after scaling the mean of every channel.
    label : Any, optional
        What to call the target; its number if omitted.

    Returns
    -------
    Explanation
        ``error`` is the sum of the values minus f(x) - f(x').

    Raises
    ------
    ShapeError
        If the network has no such output, or the baseline another shape.

    References
    ----------
    .. [1] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017,
       arXiv:1703.01365.
    """
    who = WHO
    check_number(who, "target", target, integer=True, low=0)
    if points is not None:
        check_number(who, "points", points, integer=True, low=1, high=1000)
    given = as_sequence(sequence, index=0, who=who)
    start = as_baseline(who, baseline, given)
    kind = kind_of_weights(network)
    here, nothing = (torch.as_tensor(np.array(values)).to(**kind) for values in (given, start))
    with evaluation_mode(network):
        with torch.no_grad():
            ends = outputs_at(who, network, torch.stack([here, nothing]), target=target, step=step).double()
        way = _Way(network, nothing, here, target, step)
        if points is None:
            slope, many = way.refined_slope(float(ends[1]), float(ends[0]))
        else:
            slope, many = way.mean_slope(0.0, 1.0, points), points
        values = ((here - nothing).double() * slope).cpu().numpy()
    change = float(ends[0] - ends[1])
    error = float(values.sum()) - change
    return Explanation(
        values=values,
        input=given,
        method=who,
        target=target if label is None else label,
        output=float(ends[0]),
        error=error,
        channel_names=channel_names,
        sample_rate_hz=sample_rate_hz,
        name=name,
        details={"points": many, "change": change} | ({} if step is None else {"step": step}),
    )


@dataclass(frozen=True, eq=False)
class _Piece:
    """A stretch of the way: its ends, the output at both, the integral of the slopes, and what that misses."""

    ends: tuple[float, float]
    outputs: tuple[float, float]
    slope: torch.Tensor
    error: float

    @property
    def middle(self) -> float:
        return (self.ends[0] + self.ends[1]) / 2


@dataclass(frozen=True)
class _Way:
    """The straight way from a baseline to an input."""

    network: torch.nn.Module
    nothing: torch.Tensor
    here: torch.Tensor
    target: int
    step: int | None

    def refined_slope(self, first: float, last: float) -> tuple[torch.Tensor, int]:
        """Return the mean slope, with more points where the output jumps, and how many points.

        ``first`` and ``last`` are the output at both ends.
        """
        small = max(SMALL * abs(last - first), SMALL_OF_OUTPUT * max(abs(first), abs(last)))
        cuts = np.linspace(0, 1, PIECES + 1).tolist()
        outputs = [first, *self.outputs(cuts[1:-1]), last]
        pieces = self.pieces(list(pairwise(cuts)), list(pairwise(outputs)))
        many = len(pieces) * POINTS_OF_A_PIECE
        while sum(abs(piece.error) for piece in pieces) > small:
            room = (MOST_POINTS - many) // (2 * POINTS_OF_A_PIECE)
            by_error = sorted(pieces, key=lambda piece: -abs(piece.error))
            wrong = [piece for piece in by_error if abs(piece.error) > small / len(pieces)]
            wrong = [piece for piece in wrong if piece.ends[1] - piece.ends[0] > SHORTEST][:room]
            if not wrong:
                break
            middles = self.outputs([piece.middle for piece in wrong])
            ends, outputs_at_ends = [], []
            for piece, output in zip(wrong, middles, strict=True):
                ends += [(piece.ends[0], piece.middle), (piece.middle, piece.ends[1])]
                outputs_at_ends += [(piece.outputs[0], output), (output, piece.outputs[1])]
            halves = self.pieces(ends, outputs_at_ends)
            pieces = [piece for piece in pieces if piece not in wrong] + halves
            many += len(halves) * POINTS_OF_A_PIECE
        return torch.stack([piece.slope for piece in pieces]).sum(dim=0), many

    def pieces(
        self, ends: Sequence[tuple[float, float]], outputs: Sequence[tuple[float, float]]
    ) -> list[_Piece]:
        """Return the pieces of the way with these ends and these outputs at them."""
        found = []
        for own, at_ends in zip(ends, outputs, strict=True):
            slope = (own[1] - own[0]) * self.mean_slope(*own, POINTS_OF_A_PIECE)
            said = float(((self.here - self.nothing).double() * slope).sum())
            found.append(_Piece(own, at_ends, slope, said - (at_ends[1] - at_ends[0])))
        return found

    def mean_slope(self, start: float, end: float, points: int) -> torch.Tensor:
        """Return the mean of the slopes between two places, by Gauss-Legendre quadrature with so many points."""
        places, weights = np.polynomial.legendre.leggauss(points)
        slope = torch.zeros_like(self.here, dtype=torch.float64)
        shares = start + (end - start) * (places + 1) / 2
        at_once = max(1, STEPS_AT_ONCE // len(self.here))
        for first in range(0, points, at_once):
            way = self.inputs(shares[first : first + at_once]).requires_grad_(True)
            found = _slopes(self.network, way, target=self.target, step=self.step)
            part = torch.as_tensor(weights[first : first + at_once] / 2).to(found.device)
            slope += (part[:, None, None] * found.double()).sum(dim=0)
        return slope

    def outputs(self, shares: Sequence[float]) -> list[float]:
        """Return the output at places on the way."""
        found: list[float] = []
        at_once = max(1, STEPS_AT_ONCE // len(self.here))
        with torch.no_grad():
            for first in range(0, len(shares), at_once):
                rows = self.inputs(np.asarray(shares[first : first + at_once]))
                own = outputs_at(WHO, self.network, rows, target=self.target, step=self.step)
                found += own.double().tolist()
        return found

    def inputs(self, shares: np.ndarray) -> torch.Tensor:
        """Return what the network receives at places on the way."""
        return self.nothing + torch.as_tensor(shares).to(self.here)[:, None, None] * (
            self.here - self.nothing
        )


def _slopes(network: torch.nn.Module, way: torch.Tensor, *, target: int, step: int | None) -> torch.Tensor:
    with torch.enable_grad():
        outputs = outputs_at(WHO, network, way, target=target, step=step)
        if not outputs.requires_grad:
            raise ShapeError(f"{WHO}: the network's output does not depend on its input, so it has no slope.")
        (slopes,) = torch.autograd.grad(outputs.sum(), way)
    return slopes


def as_baseline(who: str, baseline: Any, given: np.ndarray) -> np.ndarray:
    """Return a baseline of the shape of the input; ShapeError if it cannot be one."""
    if baseline is None:
        return np.zeros_like(given)
    array = np.asarray(baseline, given.dtype)
    if array.shape not in (given.shape, given.shape[1:]):
        raise ShapeError(
            f"{who}: baseline must have the shape of the input, {given.shape}, or of one step, {given.shape[1:]}; "
            f"got {array.shape}."
        )
    return np.broadcast_to(array, given.shape)
