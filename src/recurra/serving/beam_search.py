"""How answers are found: the best symbol at each step (greedy), or the best of many beginnings (beam search).

The state is kept and every step takes in one symbol; a sequence that has its answer leaves the batch, and where all
have theirs, the search ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recurra.features.texts.symbols import END
from recurra.serving.decoder import Decoder

# Sequences searched together: enough to fill the machine, few enough to stay in its caches.
AT_ONCE = 256

# Of a batch, the share still without an answer below which it is made smaller.
SPARSE = 0.75


@dataclass(frozen=True)
class Found:
    """One answer.

    Parameters
    ----------
    symbols : tuple of int
        Without the end symbol.
    log_probability : float
        In nats, of the symbols and, unless it is cut, the end.
    cut : bool
        Whether it had to stop at the greatest length.
    """

    symbols: tuple[int, ...]
    log_probability: float
    cut: bool

    def score(self, length_penalty: float) -> float:
        """Return what answers are ranked by: the log-probability over length to this power, the end counted."""
        return self.log_probability / (len(self.symbols) + 1) ** length_penalty


def search(
    decoder: Decoder,
    sources: Sequence[np.ndarray],
    *,
    beam_size: int,
    length_penalty: float,
    max_length: int,
) -> list[list[Found]]:
    """Return up to ``beam_size`` answers for each source, the best first.

    Parameters
    ----------
    decoder : Decoder
    sources : sequence of int64 arrays
        Symbols of each source, at least one.
    beam_size : int
        Beginnings of each answer kept at every step; 1 is greedy.
    length_penalty : float
        See `Found.score`.
    max_length : int
        Most symbols of an answer.
    """
    out: list[list[Found]] = [[] for _ in sources]
    # Longest first, so that a portion's memory has few empty rows.
    order = sorted(range(len(sources)), key=lambda i: -len(sources[i]))
    size = max(1, AT_ONCE // beam_size)
    for first in range(0, len(order), size):
        portion = order[first : first + size]
        these = [sources[i] for i in portion]
        if beam_size == 1:
            found = [[answer] for answer in greedy(decoder, these, max_length=max_length)]
        else:
            found = beam(
                decoder, these, beam_size=beam_size, length_penalty=length_penalty, max_length=max_length
            )
        for index, answers in zip(portion, found, strict=True):
            out[index] = answers
    return out


def greedy(decoder: Decoder, sources: Sequence[np.ndarray], *, max_length: int) -> list[Found]:
    """Return for each source the answer that takes the most probable symbol at every step."""
    n = len(sources)
    state, last = decoder.read(sources), decoder.begin(n)
    written = np.zeros((n, max_length + 1), dtype=np.int64)
    length, total = np.zeros(n, dtype=np.int64), np.zeros(n)
    there = np.arange(n)  # the source of each row
    live = np.ones(n, dtype=bool)  # rows without an answer
    for step in range(max_length + 1):
        scores, state, _ = decoder.write(last, state)
        last = scores.argmax(axis=1)
        best = scores[np.arange(len(last)), last]
        # The best score is the greatest: log p = -log sum exp(score - best).
        logs = -np.log(np.exp(scores - best[:, None]).sum(axis=1))
        rows = there[live]
        if step == max_length:  # what does not end now is cut, and this symbol no part of it
            logs[last != END] = 0
        total[rows] += logs[live]
        written[rows, step] = last[live]
        length[rows] = step
        live &= last != END
        alive = int(live.sum())
        if not alive:
            break
        if alive <= SPARSE * len(live):
            kept = np.flatnonzero(live)
            state, last, there, live = state.keep(kept, kept), last[kept], there[kept], live[kept]
    unfinished = set(there[live].tolist())
    return [
        Found(tuple(written[i, : length[i]].tolist()), float(total[i]), i in unfinished) for i in range(n)
    ]


@dataclass
class _Beam:
    """The beginnings of answers to all sources of a batch, as rows sequence after sequence."""

    there: np.ndarray  # source of each sequence, shape (n,)
    total: np.ndarray  # log-probability of each beginning, shape (n, k)
    written: np.ndarray  # their symbols, shape (n, k, max_length + 1)


def beam(
    decoder: Decoder,
    sources: Sequence[np.ndarray],
    *,
    beam_size: int,
    length_penalty: float,
    max_length: int,
) -> list[list[Found]]:
    """Return for each source the best answers among those that follow the ``beam_size`` best beginnings.

    A sequence is done when it has as many answers as beginnings are kept.
    """
    n, k = len(sources), beam_size
    state = decoder.read(sources)
    state = state.follow(np.repeat(np.arange(n), k))
    now = _Beam(np.arange(n), np.full((n, k), -np.inf), np.zeros((n, k, max_length + 1), dtype=np.int64))
    now.total[:, 0] = 0  # all beginnings are the same: one is enough
    last = decoder.begin(n * k)
    found: list[list[Found]] = [[] for _ in sources]
    for step in range(max_length + 1):
        scores, state, _ = decoder.write(last, state)
        parents, symbols, totals = _candidates(scores, now.total)
        ended = (symbols == END) & np.isfinite(totals)
        # An answer counts only where it is among the best k, as if there were no beginnings below.
        for row, place in zip(*np.nonzero(ended[:, :k]), strict=True):
            source, parent = int(now.there[row]), parents[row, place]
            if len(found[source]) < k:
                words = tuple(now.written[row, parent, :step].tolist())
                found[source].append(Found(words, float(totals[row, place]), cut=False))
        if step == max_length:
            _cut(now, found, parents, ended[:, :k])
            break
        chosen = np.argsort(ended, axis=1, kind="stable")[:, :k]  # the first k that go on
        parents, symbols, totals = (np.take_along_axis(a, chosen, 1) for a in (parents, symbols, totals))
        now.written = np.take_along_axis(now.written, parents[:, :, None], axis=1)
        now.written[:, :, step] = symbols
        now.total = totals
        kept = np.flatnonzero([len(found[source]) < k for source in now.there.tolist()])
        if not len(kept):
            break
        rows = (np.arange(len(now.there))[:, None] * k + parents)[kept].reshape(-1)
        state = state.keep(kept, rows) if len(kept) < len(now.there) else state.follow(rows)
        last = symbols[kept].reshape(-1)
        now = _Beam(now.there[kept], now.total[kept], now.written[kept])
    return [sorted(answers, key=lambda a: (a.cut, -a.score(length_penalty))) for answers in found]


def _candidates(scores: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return beginning, next symbol and log-probability of the best 2 k continuations, each of shape (n, 2 k)."""
    n, k = total.shape
    symbols = scores.shape[1]
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    everything = (logs.reshape(n, k, symbols) + total[:, :, None]).reshape(n, -1)
    many = min(2 * k, everything.shape[1])
    best = np.argpartition(-everything, many - 1, axis=1)[:, :many]
    best.sort(axis=1)  # equal ones in the order of their number
    values = np.take_along_axis(everything, best, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    best = np.take_along_axis(best, order, 1)
    return best // symbols, best % symbols, np.take_along_axis(values, order, 1)


def _cut(now: _Beam, found: list[list[Found]], parents: np.ndarray, ended: np.ndarray) -> None:
    """Add the beginnings that have not ended at the greatest length, so that every source has an answer."""
    k = now.total.shape[1]
    for row, source in enumerate(now.there.tolist()):
        whole = set(parents[row, :k][ended[row]].tolist())
        for beginning in np.argsort(-now.total[row], kind="stable").tolist():
            total = float(now.total[row, beginning])
            if beginning not in whole and len(found[source]) < k and np.isfinite(total):
                symbols = tuple(now.written[row, beginning, :-1].tolist())
                found[source].append(Found(symbols, total, cut=True))
