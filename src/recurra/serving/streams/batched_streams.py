"""`Streams`: thousands of named sequences, stepped together as one batch."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.checks import counted, did_you_mean
from recurra.errors import DataError, ShapeError, StoreError, UsageError
from recurra.features.rows.streaming import check_state
from recurra.features.static import one_row
from recurra.serving.streams import stream_state
from recurra.serving.streams.answer import Answer
from recurra.serving.streams.batch_answers import Answers
from recurra.serving.streams.ensemble import RunningMembers, running
from recurra.serving.streams.latency import Latency
from recurra.serving.streams.stateful_network import RunningNetwork, check_network_state
from recurra.serving.streams.stream import (
    all_finite,
    as_rows,
    at_steps,
    check_causal,
    code_of,
    plain_rows,
    static_wanted,
    too_large,
)

if TYPE_CHECKING:
    from recurra.serving.models.fitted_model import FittedModel


class Streams:
    """Named streams of one model, each with its own state; those that have a row go on together.

    A name is new when it first comes and starts from nothing. Each stream's answers are those of a `Stream` of its
    own, in any company and any order of arrival.

    Parameters
    ----------
    model : fitted estimator or model from ``load_model``
        Of one direction.

    Attributes
    ----------
    latency : Latency
        How long the calls took, of whatever number of rows.

    Raises
    ------
    UsageError
        If the network is bidirectional or the user's own.
    """

    def __init__(self, model: Any) -> None:
        self._model: FittedModel = getattr(model, "model_", model)
        if not hasattr(self._model, "features"):
            raise UsageError(f"Streams: needs a fitted model; got {type(model).__name__}. Call fit first.")
        check_causal(self._model)
        self.latency = Latency()
        self._begin()

    def _begin(self) -> None:
        self._features = self._model.features.stream()
        self._work = self._network(1)
        self._loaded = np.empty(0, np.int64)  # slots whose state is in the working network, not in the store
        self._store = {name: array.copy() for name, array in self._work.arrays().items()}
        self._fresh = self._work.state()
        self._steps = np.zeros(1, np.int64)
        self._rows = np.zeros(1, np.int64)
        self._static = np.zeros((1, self._model.static_size), np.float32)
        self._slots: dict[str, int] = {}
        self._free = [0]
        self._last: tuple[list[str], np.ndarray] = ([], np.empty(0, np.int64))

    def _network(self, batch: int) -> RunningNetwork | RunningMembers:
        return running(self._model, batch)

    @property
    def names(self) -> list[str]:
        """Names of the streams, in order of their first row."""
        return list(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def begin(self, name: str, *, static: Any = None) -> None:
        """Begin a sequence in a stream, new or not, before its first row; only static inputs make this necessary.

        Parameters
        ----------
        name : str
        static : sequence or dictionary, optional
            The static inputs of the sequence.

        Raises
        ------
        DataError, UsageError
            If they are not those the network was trained with; nothing is changed then.
        """
        code = code_of(self._model, self._model.static_rows("Streams", one_row(static), 1))
        if name in self._slots:
            self.reset(name)
        slot = int(self._places([name], begun=True)[0])
        if code is not None:
            self._static[slot] = code

    # ----------------------------------------------------------------- rows

    def step(self, rows: Mapping[str, Any] | Any, names: Sequence[str] | None = None) -> Answers:
        """Take in one row of each of some streams.

        Parameters
        ----------
        rows : mapping of str to array-like of shape (channels,), or array of shape (n, channels) with ``names``
            In any order. A name that comes several times in ``names`` gets its rows in that order.
        names : sequence of str, optional
            Whose rows they are.

        Returns
        -------
        Answers
            One after each row, in the order given.

        Raises
        ------
        ShapeError, DataError
            If a row cannot be used; all streams are then as they were before.
        """
        start = time.perf_counter()
        if names is None:
            if not isinstance(rows, Mapping):
                raise UsageError(
                    f"Streams.step: needs a dictionary of name to row, or rows and names; got {type(rows).__name__}."
                )
            names, rows = (
                list(rows),
                _stacked({name: plain_rows(row, self._model) for name, row in rows.items()}),
            )
        values = self._check(plain_rows(rows, self._model), names)
        answers = self._take_rounds(values, list(names)) if len(names) else self._empty()
        self.latency.record(time.perf_counter() - start)
        return answers

    def push(self, name: str, chunk: Any) -> Answer:
        """Take in rows (time, channels) of one stream; see `Stream.push`."""
        start = time.perf_counter()
        slot = self._places([name])
        values = as_rows(self._model, plain_rows(chunk, self._model, in_time=True), int(self._steps[slot[0]]))
        answer = self._push(int(slot[0]), values)
        self.latency.record(time.perf_counter() - start)
        return answer

    def _check(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        if len(values) != len(names):
            raise ShapeError(
                f"Streams.step: needs one name per row; got {counted(len(values), 'row')}, {counted(len(names), 'name')}."
            )
        if not len(values):
            return values
        if values.ndim == 1 and self._model.features.n_channels == 1:
            values = values[:, None]
        try:
            return as_rows(self._model, values, 0)
        except DataError as error:
            index = next((i for i, row in enumerate(values) if not _usable(self._model, row)), 0)
            raise DataError(f"Streams.step: the row of {names[index]!r} cannot be used: {error}") from None

    def _take_rounds(self, values: np.ndarray, names: list[str]) -> Answers:
        if len(names) == len(set(names)):
            outputs, ready, steps = self._take(values, self._places(names))
            return Answers(self._model, names, outputs, ready, steps)
        # A name's k-th row belongs to round k.
        seen: dict[str, int] = {}
        rounds = np.empty(len(names), np.int64)
        for index, name in enumerate(names):
            rounds[index] = seen.get(name, 0)
            seen[name] = int(rounds[index]) + 1
        found: list[Any] = [None, None, None]
        for turn in range(int(rounds.max()) + 1):
            chosen = np.flatnonzero(rounds == turn)
            parts = self._take(values[chosen], self._places([names[i] for i in chosen]))
            for k, part in enumerate(parts):
                if found[k] is None:
                    found[k] = np.zeros((len(names), *part.shape[1:]), part.dtype)
                found[k][chosen] = part
        return Answers(self._model, names, *found)

    def _take(self, values: np.ndarray, slots: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take in one row of each slot; return outputs, which of them there are, and steps so far."""
        before = [self._features.state(s) for s in slots.tolist()] if self._features.remembers else None
        if self._features.row_wise:
            inputs = [self._features.step(values, slots)]
            given = [np.arange(len(slots))]
        else:
            pushed = [self._features.push(values[i : i + 1], s) for i, s in enumerate(slots.tolist())]
            counts = np.array([len(rows) for rows in pushed])
            given = [np.flatnonzero(counts > turn) for turn in range(int(counts.max()))]
            inputs = [np.stack([pushed[i][turn] for i in those]) for turn, those in enumerate(given)]
        for rows in inputs:
            if not all_finite(rows):
                for slot, arrays in zip(slots.tolist(), before or [], strict=False):
                    self._features.set_state(arrays, slot)
                raise too_large(rows, 0)
        self._steps[slots] += 1
        if self._model.static_size:
            inputs = [
                np.concatenate([rows, self._static[slots[those]]], axis=1)
                for rows, those in zip(inputs, given, strict=True)
            ]
        outputs = np.zeros((len(slots), self._model.manifest["network"]["output_size"]), np.float32)
        ready = np.zeros(len(slots), bool)
        for rows, those in zip(inputs, given, strict=True):
            self._rows[slots[those]] += 1
            outputs[those] = self._advance(rows, slots[those])
            ready[those] = True
        if self._model.task != "labeling" and not ready.all():
            waiting = np.flatnonzero(~ready & (self._rows[slots] > 0))
            if len(waiting):
                outputs[waiting] = self._outputs(slots[waiting])
                ready[waiting] = True
        return outputs, ready, self._steps[slots]

    def _advance(self, inputs: np.ndarray, slots: np.ndarray) -> np.ndarray:
        order = self._load(slots)
        if order is not None:
            inputs = np.ascontiguousarray(inputs[order])
        states = self._work.advance(inputs)
        outputs = self._work.head(states) if self._model.task == "labeling" else self._work.outputs()
        return outputs if order is None else _unsorted(outputs, order)

    def _outputs(self, slots: np.ndarray) -> np.ndarray:
        order = self._load(slots)
        outputs = self._work.outputs()
        return outputs if order is None else _unsorted(outputs, order)

    def _push(self, slot: int, values: np.ndarray) -> Answer:
        before = self._features.state(slot)
        inputs = self._features.push(values, slot)
        if not all_finite(inputs):
            self._features.set_state(before, slot)
            raise too_large(inputs, int(self._steps[slot]))
        if self._model.static_size:
            inputs = np.concatenate([inputs, np.tile(self._static[slot], (len(inputs), 1))], axis=1)
        self._load(np.array([slot]))
        self._steps[slot] += len(values)
        self._rows[slot] += len(inputs)
        states = np.array(
            [self._work.advance(inputs[i : i + 1])[0].copy() for i in range(len(inputs))], np.float32
        )
        outputs: np.ndarray | None
        if self._model.task == "labeling":
            size = self._work.state_size
            outputs = self._work.head(states.reshape(len(inputs), size))
            outputs = at_steps(self._model, outputs, int(self._rows[slot]))
        else:
            outputs = self._work.outputs()[0] if self._rows[slot] else None
        return Answer(self._model, outputs, int(self._steps[slot]), lambda: self._counted_state(slot))

    def _empty(self) -> Answers:
        size = self._model.manifest["network"]["output_size"]
        nothing = np.zeros(0, np.int64)
        return Answers(self._model, [], np.zeros((0, size), np.float32), nothing.astype(bool), nothing)

    # ---------------------------------------------------------------- slots

    def _places(self, names: list[str], *, begun: bool = False) -> np.ndarray:
        """Return the slots of names; new ones get one, where static inputs need not be given before."""
        if names == self._last[0]:
            return self._last[1]
        new = [name for name in names if name not in self._slots]
        for name in new:
            if not isinstance(name, str):
                raise UsageError(f"Streams: a name must be a string; got {name!r}.")
        if new and self._model.static_size and not begun:
            raise static_wanted(self._model, f"begin({new[0]!r}, static=...)")
        if len(new) > len(self._free):
            self._grow(len(self._slots) + len(new))
        for name in new:
            self._slots[name] = self._free.pop()
        slots = np.array([self._slots[name] for name in names], np.int64)
        self._last = (names, slots)
        return slots

    def _grow(self, wanted: int) -> None:
        had = len(self._steps)
        room = max(wanted, 2 * had)
        self._free = [*range(room - 1, had - 1, -1), *self._free]
        self._features.grow(room)
        for name, array in self._store.items():
            more = np.repeat(self._fresh[name][None], room - had, axis=0)
            self._store[name] = np.concatenate([array, more])
        self._static = np.concatenate(
            [self._static, np.zeros((room - had, self._static.shape[1]), np.float32)]
        )
        zeros = np.zeros(room - had, np.int64)
        self._steps, self._rows = np.concatenate([self._steps, zeros]), np.concatenate([self._rows, zeros])

    def _load(self, slots: np.ndarray) -> np.ndarray | None:
        """Have the state of these slots in the working network; return their order there, None if as given."""
        order = None
        if len(slots) > 1 and not (slots[1:] > slots[:-1]).all():
            order = np.argsort(slots)
            slots = slots[order]
        if np.array_equal(slots, self._loaded):
            return order
        self._unload()
        if len(slots) != len(next(iter(self._work.arrays().values()))):
            self._work = self._network(len(slots))
        for name, array in self._work.arrays().items():
            array[...] = self._store[name][slots]
        self._loaded = slots.copy()
        return order

    def _unload(self) -> None:
        for name, array in self._work.arrays().items() if len(self._loaded) else ():
            self._store[name][self._loaded] = array
        self._loaded = np.empty(0, np.int64)

    def _slot(self, name: str) -> int:
        if name not in self._slots:
            raise UsageError(
                f"Streams: there is no stream {name!r} among {len(self)}.{did_you_mean(name, self._slots)}"
            )
        return self._slots[name]

    def reset(self, name: str | None = None) -> None:
        """Begin a new sequence in one stream, or in all."""
        self._unload()
        for slot in self._slots.values() if name is None else [self._slot(name)]:
            for key, array in self._store.items():
                array[slot] = self._fresh[key]
            self._features.reset(slot)
            self._steps[slot] = self._rows[slot] = 0

    def drop(self, name: str) -> None:
        """Forget a stream; its memory goes to the next new name."""
        self.reset(name)
        self._free.append(self._slots.pop(name))
        self._last = ([], np.empty(0, np.int64))

    # ---------------------------------------------------------------- state

    def state_of(self, name: str) -> bytes:
        """Return the state of one stream, which a `Stream` of the same model takes as well."""
        return self._counted_state(self._slot(name))[1]

    def _counted_state(self, slot: int) -> tuple[int, bytes]:
        self._unload()
        steps = int(self._steps[slot])
        own = {key: np.array(array[slot]) for key, array in self._store.items()}
        static = {"code": self._static[slot]} if self._model.static_size else {}
        arrays = stream_state.joined(features=self._features.state(slot), network=own, static=static)
        facts = {"steps": steps, "rows": int(self._rows[slot])}
        return steps, stream_state.to_bytes(self._model, "stream", facts, arrays)

    def restore(self, name: str, data: bytes) -> None:
        """Go on in one stream from the state of a stream of the same model; see `Stream.state` for the errors."""
        manifest, arrays = stream_state.from_bytes(self._model, "stream", data)
        stream_state.check_parts(arrays, "features", "network", "static")
        code = stream_state.static_code(self._model, arrays)
        found = stream_state.described(stream_state.StreamState, manifest)
        features, network = (stream_state.part(arrays, f"{part}.") for part in ("features", "network"))
        check_network_state(network, self._fresh)
        check_state(features, self._model.features.stream().state(), "stream state, features")
        self._put(name, [found.steps, found.rows], features, network)
        if code is not None:
            self._static[self._slots[name]] = code

    def _put(
        self, name: str, facts: Sequence[int], features: Mapping[str, Any], network: Mapping[str, Any]
    ) -> None:
        slot = int(self._places([name], begun=True)[0])
        self._unload()
        self._features.set_state(features, slot)
        for key, array in network.items():
            self._store[key][slot] = array
        self._steps[slot], self._rows[slot] = facts

    @property
    def state(self) -> bytes:
        """Everything all streams remember; assign it to the streams of the same model, in any process.

        Raises
        ------
        StoreError
            On assignment, if the bytes are damaged or belong to another model; the streams are then as before.
        """
        self._unload()
        slots = np.array(list(self._slots.values()), np.int64)
        each = [self._features.state(slot) for slot in slots.tolist()]
        features = {key: np.stack([state[key] for state in each]) for key in (each[0] if each else {})}
        network = {key: array[slots] for key, array in self._store.items()}
        counts = {"steps": self._steps[slots], "rows": self._rows[slots]}
        static = {"code": self._static[slots]} if self._model.static_size else {}
        arrays = stream_state.joined(features=features, network=network, counts=counts, static=static)
        return stream_state.to_bytes(self._model, "streams", {"names": self.names}, arrays)

    @state.setter
    def state(self, data: bytes) -> None:
        manifest, arrays = stream_state.from_bytes(self._model, "streams", data)
        names = list(stream_state.described(stream_state.StreamsState, manifest).names)
        if len(set(names)) < len(names):
            raise StoreError(f"{stream_state.WHO}: names must be a list of different strings.")
        stream_state.check_parts(arrays, "features", "network", "counts", "static")
        codes = [
            stream_state.static_code(self._model, {"static.code": code})
            for code in stream_state.part(arrays, "static.").get("code", np.empty(0))
        ]
        if len(codes) != (len(names) if self._model.static_size else 0):
            raise StoreError(f"{stream_state.WHO}: must hold the static inputs of every stream.")
        features, network, counts = (
            stream_state.part(arrays, f"{p}.") for p in ("features", "network", "counts")
        )
        blank = self._model.features.stream().state() if names else {}
        check_network_state(network, _repeated(self._fresh, len(names)))
        check_state(features, _repeated(blank, len(names)), "stream state, features")
        zero = {word: np.array(0, np.int64) for word in ("steps", "rows")}
        check_state(counts, _repeated(zero, len(names)), "stream state, counts")
        self._begin()
        self._places(names, begun=True)
        for name, code in zip(names, codes, strict=False):
            self._static[self._slots[name]] = code
        for index, name in enumerate(names):
            own = [{key: array[index] for key, array in part.items()} for part in (features, network)]
            self._put(name, [int(counts["steps"][index]), int(counts["rows"][index])], *own)


def _repeated(arrays: Mapping[str, np.ndarray], times: int) -> dict[str, np.ndarray]:
    return {name: np.repeat(np.asarray(array)[None], times, axis=0) for name, array in arrays.items()}


def _stacked(rows: Mapping[str, Any]) -> np.ndarray:
    values = list(rows.values())
    try:
        return np.array(values)
    except ValueError:
        sizes = {np.shape(value) for value in values}
        raise ShapeError(
            f"Streams.step: every row must have the same shape; got {sorted(map(str, sizes))[:4]}."
        ) from None


def _usable(model: "FittedModel", row: np.ndarray) -> bool:
    try:
        as_rows(model, row, 0, one=True)
    except (DataError, ShapeError):
        return False
    return True


def _unsorted(outputs: np.ndarray, order: np.ndarray) -> np.ndarray:
    result = np.empty_like(outputs)
    result[order] = outputs
    return result
