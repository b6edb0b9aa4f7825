"""`Run`: one training as its steps: epochs, batches, validation, and what is left behind.

How a run can be stopped after any batch and go on bit for bit: the order of the data follows from (seed,
epoch), a generator is seeded before every batch from (seed, epoch, batch), and everything else that
decides the next batch is in `Run.state`.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import torch

from recurra.batches.bucketing import padding_share, plan
from recurra.batches.examples import Batch, Examples
from recurra.errors import RecurraError, StoreError, UsageError
from recurra.interrupts import Interrupt
from recurra.nn.networks.sequence_network import SequenceNetwork
from recurra.nn.random_generators import seeded_globally
from recurra.training import failures, optimizers
from recurra.training.callbacks import Callback
from recurra.training.config import TrainingConfig
from recurra.training.distributed.sharded_step import ShardedStep
from recurra.training.distributed.workers import Workers
from recurra.training.gradient_record import GradientRecord, warn_of_gradients
from recurra.training.losses import CrossEntropy, Loss
from recurra.training.schedules.curriculum import as_curriculum, up_to
from recurra.training.schedules.learning_rate import Schedule
from recurra.training.schedules.stopping import EarlyStopping
from recurra.training.state import (
    Tally,
    TrainingResult,
    TrainingState,
    check_place,
    fingerprint,
    pack,
    unpack,
)
from recurra.training.validation import outputs_in_order

Score = Callable[[np.ndarray, Examples], Mapping[str, float]]


class Run:
    """One training run: where it stands, and the steps it is made of. Built by `train`, handed to callbacks.

    Attributes
    ----------
    epoch : int
        The epoch under way, counted from 1; after an epoch's end the next one.
    batch : int
        Batches finished in it.
    batches_per_epoch : int
        The same in every epoch.
    history : list of dict
        See `TrainingResult`.
    last_loss, last_grad_norm : float
        Of the last batch; the norm is that before clipping.
    network, examples, validation, config
        As given to `train`.
    whole : bool
        False while a batch is being computed, when weights and figures may disagree.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        examples: Examples,
        *,
        config: TrainingConfig,
        loss: Loss,
        validation: Examples | None,
        score: Score | None,
        callbacks: Sequence[Callback],
        interrupt: Interrupt,
        generator: torch.Generator,
        shared_generator: bool,
        workers: Workers,
    ) -> None:
        self.network, self.examples, self.validation = network, examples, validation
        self.config, self.callbacks = config, callbacks
        self._loss, self._score, self._interrupt = loss, score, interrupt
        self._workers = workers
        # Best weights with validation, else those of the last finished epoch; at first those training began
        # with.
        self._kept = {name: tensor.detach().clone() for name, tensor in self._weights().items()}
        self.device = torch.device(config.device)
        self._generator = generator
        # an optimizer of the user's own may draw as well
        self._shared_generator = shared_generator or isinstance(config.optimizer, type)
        self.optimizer = optimizers.make_optimizer(
            config.optimizer,
            network.parameters(),
            learning_rate=config.learning_rate,
            weight_decay=config.weight_decay,
        )
        self.batches_per_epoch = examples.batches_per_epoch(config.batch_size)
        self.schedule = Schedule(
            config.lr_schedule, steps_per_epoch=self.batches_per_epoch, max_epochs=config.max_epochs
        )
        self.curriculum = None if config.curriculum is None else as_curriculum(config.curriculum)
        self._longest = int(examples.lengths.max())
        self._gradients = GradientRecord(self.batches_per_epoch, self.examples.lengths)
        self.stopping = EarlyStopping(config.patience if validation is not None else None)
        self.epoch, self.batch = 1, 0
        self.history: list[dict[str, Any]] = []
        self.last_loss = self.last_grad_norm = math.nan
        self.whole = True
        self._tally = Tally()
        self._asked_to_stop = False
        self._seconds_before = 0.0
        self._began = time.perf_counter()
        self._sharded = None
        if config.shards > 1:
            self._sharded = ShardedStep(
                network,
                examples,
                shards=config.shards,
                workers=workers,
                seeded=self._seed,
                device=self.device,
            )

    # What callbacks may ask.

    def ask_to_stop(self) -> None:
        """End training after the batch or epoch under way, as if it had been the last."""
        self._asked_to_stop = True

    def extend(self, max_epochs: int) -> None:
        """Go on to another last epoch, and with the learning rate on the course planned for that many."""
        if max_epochs != self.config.max_epochs:
            self.config = replace(self.config, max_epochs=max_epochs)
            self.schedule.max_epochs = max_epochs

    def rest(self, seconds: float) -> None:
        """Let time pass that is no part of training; Ctrl-C ends it."""
        self._interrupt.check()
        time.sleep(seconds)
        self._began += seconds

    @property
    def train_loss(self) -> float:
        """Mean loss over the batches of this epoch so far, or of the last epoch if none is finished; NaN
        before.
        """
        if self._tally.weight:
            return self._tally.loss / self._tally.weight
        return float(self.history[-1]["train_loss"]) if self.history else math.nan

    @property
    def steps_per_second(self) -> float:
        """Time steps trained on a second in this epoch, or in the last if this one has not begun; 0
        before.
        """
        if self._tally.seconds:
            return self._tally.steps / self._tally.seconds
        return float(self.history[-1]["steps_per_second"]) if self.history else 0.0

    def loss_of(self, outputs: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the loss of outputs for a batch."""
        return self._loss(outputs, self._tensor(batch.targets), self._tensor(batch.weights))

    def state(self) -> TrainingState | None:
        """Return a copy of everything that decides how training goes on; None in the middle of a batch."""
        if not self.whole:
            return None
        tree = {
            "fingerprint": self.fingerprint,
            "epoch": self.epoch,
            "batch": self.batch,
            "history": self.history,
            "seconds": self._seconds(),
            "tally": asdict(self._tally) | {"grad_norms": np.array(self._tally.grad_norms)},
            "schedule": self.schedule.state(),
            "stopping": self.stopping.state(),
            "optimizer": self.optimizer.state_dict(),
            "weights": self._weights(),
            "kept": self._kept,
        }
        return pack(tree)

    def restore(self, state: TrainingState) -> None:
        """Go on from a state; UsageError if it belongs to something else, StoreError if it makes no sense."""
        try:
            self._restore(unpack(state))
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, RecurraError):
                raise
            raise StoreError(
                f"train: start is damaged: it makes no sense ({error!r:.80}). Use another checkpoint."
            ) from error

    def _restore(self, tree: Any) -> None:
        if tree["fingerprint"] != self.fingerprint:
            raise UsageError(
                "train: start was taken with other data, batch_size, seed or optimizer; training cannot go "
                "on from it. "
                "Give what it was taken with, or train from the network's weights without start."
            )
        shapes = {name: tuple(tensor.shape) for name, tensor in self._weights().items()}
        if {name: tuple(tensor.shape) for name, tensor in tree["weights"].items()} != shapes:
            raise UsageError(
                "train: start was taken with another network: names or shapes of its weights differ."
            )
        check_place(tree, self.batches_per_epoch)
        if {name: tuple(tensor.shape) for name, tensor in tree["kept"].items()} != shapes:
            raise ValueError("the best weights have other shapes")
        self._load(tree["weights"])
        self._kept = {name: tensor.to(self.device) for name, tensor in tree["kept"].items()}
        self.optimizer.load_state_dict(tree["optimizer"])
        optimizers.check_state(self.optimizer, self.config.optimizer)
        self.schedule.restore(tree["schedule"])
        self.stopping.restore(tree["stopping"])
        self.epoch, self.batch, self.history = tree["epoch"], tree["batch"], tree["history"]
        self._seconds_before = tree["seconds"]
        self._tally = Tally(**tree["tally"] | {"grad_norms": tree["tally"]["grad_norms"].tolist()})

    # What `train` is made of.

    def to_the_end(self) -> TrainingResult:
        """Train to the end, whatever the end is, and leave good weights behind."""
        result = self._trained()
        if self._agreed()[1]:  # asked for after the last batch: whatever comes next is not what was to end
            self._end_at_once()
        return result

    def _trained(self) -> TrainingResult:
        try:
            for callback in self.callbacks:
                callback.on_train_begin(self)
            stopped = self.all_epochs()
            result = self.result(stopped, state=self.state())
            self.leave_best_weights()
            warn_of_gradients(result.history, self.network, self.config.grad_clip)
            for callback in self.callbacks:
                callback.on_train_end(self, result)
            return result
        except KeyboardInterrupt:
            for callback in self.callbacks:
                callback.on_interrupt(self)
            self.leave_best_weights()
            raise
        except Exception as error:
            self.whole = False
            self.leave_best_weights()
            if isinstance(error, failures.FailedTrainingError):
                error.result = self.result(error.reason, state=None)
            for callback in self.callbacks:
                callback.on_error(self, error)
            raise

    def all_epochs(self) -> str:
        """Train until the end and return why it is the end."""
        while True:
            asked, interrupted = self._agreed()
            if asked:
                return "callback"
            if self.stopping.exhausted:
                return "patience"
            if self.epoch > self.config.max_epochs:
                return "max_epochs"
            if interrupted:
                self._end_at_once()
            self._one_epoch()

    def _one_epoch(self) -> None:
        if self.batch == 0:
            for callback in self.callbacks:
                callback.on_epoch_begin(self)
        batches = self._plan()
        # One more than batches: the last is for validation, should a network draw random numbers there as
        # well.
        seeds = np.random.default_rng([self.config.seed, self.epoch, 1]).integers(
            2**63, size=len(batches) + 1
        )
        self.network.train()
        while self.batch < len(batches):
            asked, interrupted = self._agreed()
            if asked:
                return
            if interrupted:
                self._end_at_once()
            self._one_batch(self.examples.batch(batches[self.batch]), seed=int(seeds[self.batch]))
        self._finish_epoch(batches, seed=int(seeds[-1]))

    def _agreed(self) -> tuple[bool, bool]:
        """Return whether a callback asked for the end, and whether a worker was interrupted, the same on all workers.

        What the first worker's callbacks changed becomes that of all.
        """
        asked, pending = self._asked_to_stop, self._interrupt.pending is not None
        if self._workers.count == 1:
            return asked, pending
        epochs = self.config.max_epochs if self._workers.leads else 0
        found = self._workers.largest(int(asked), int(pending), epochs)
        self.extend(found[2])
        return bool(found[0]), bool(found[1])

    def _end_at_once(self) -> NoReturn:
        """Raise KeyboardInterrupt, as this or another worker was interrupted."""
        self._interrupt.check()
        raise KeyboardInterrupt

    @property
    def length_limit(self) -> int:
        """Longest sequence that the epoch under way trains on, in time steps."""
        return (
            self._longest if self.curriculum is None else self.curriculum.limit(self.history, self._longest)
        )

    def _plan(self) -> list[np.ndarray]:
        lengths, size, seed = self.examples.lengths, self.config.batch_size, self.config.seed
        if self.length_limit == self._longest:
            return self.examples.plan(size, seed=seed, epoch=self.epoch)
        short = up_to(lengths, self.length_limit)
        return [short[part] for part in plan(lengths[short], size, seed=seed, epoch=self.epoch)]

    def _one_batch(self, batch: Batch, *, seed: int) -> None:
        began = time.perf_counter()
        self.whole = False
        for callback in self.callbacks:
            callback.on_batch_begin(self, batch)
        no_memory: BaseException | None = None
        try:
            with self._drawing(seed):
                loss, norm, clipped = self._step(batch, seed)
        except (RuntimeError, MemoryError) as error:
            if not failures.is_out_of_memory(error):
                raise
            no_memory = error.with_traceback(None)  # whose frames hold on to what did fit
        if no_memory is not None:
            with self._drawing(seed):
                fits = failures.most_that_fits(batch, self.examples, self._backward)
            raise self._out_of_memory(batch, number=self.batch + 1, fits=fits) from no_memory
        self.last_loss, self.last_grad_norm = loss, norm
        tally = self._tally
        weight = len(batch.targets) if batch.weights is None else float(batch.weights.sum())
        tally.loss += weight * loss
        tally.weight += weight
        tally.steps += batch.inputs.total_steps
        tally.clipped += clipped
        tally.grad_norms.append(norm)
        self.batch += 1
        self.whole = True
        tally.seconds += time.perf_counter() - began
        for callback in self.callbacks:
            callback.on_batch_end(self)

    def _backward(self, batch: Batch) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self._forward(batch)[1].backward()

    def _forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the outputs for a batch, and their loss."""
        targets, weights = self._tensor(batch.targets), self._tensor(batch.weights)
        ragged = batch.inputs.replace(self._tensor(batch.inputs.values))
        if type(self.network) is SequenceNetwork and isinstance(self._loss, CrossEntropy):
            return self.network.outputs_and_loss(ragged, self._loss, targets, weights)
        outputs: torch.Tensor = self.network(ragged)
        return outputs, self._loss(outputs, targets, weights)

    def _step(self, batch: Batch, seed: int) -> tuple[float, float, bool]:
        """Change the weights once; return loss, gradient norm before clipping, and whether it was clipped."""
        # not zero_grad, which marks the profiler: 0.1 ms of a step on the vowels
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        if self._sharded is None:
            outputs, loss = self._forward(batch)
        else:
            outputs, targets, weights = self._sharded.forward(batch.indices, seed)
            loss = self._loss(outputs, self._tensor(targets), self._tensor(weights))
        value = loss.item()
        if not math.isfinite(value):
            raise self._non_finite("loss", value, batch, number=self.batch + 1, outputs=outputs)
        loss.backward()
        if self._sharded is not None:
            self._sharded.backward()
        gradients = optimizers.gradients_of(self.optimizer)
        norm = optimizers.global_norm(gradients)
        if not math.isfinite(norm):
            raise self._non_finite("gradient", norm, batch, number=self.batch + 1, outputs=outputs)
        clipped = optimizers.clip(gradients, norm=norm, grad_clip=self.config.grad_clip)
        factor = self.schedule.factor(epoch=self.epoch - 1, batch=self.batch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * factor
        self.optimizer.step()
        return value, norm, clipped

    def _finish_epoch(self, batches: Sequence[np.ndarray], *, seed: int) -> None:
        began = time.perf_counter()
        limit, growing = self.length_limit, self.length_limit < self._longest
        figures = {} if self.validation is None else self._validate(self._judges(limit), seed=seed)
        tally = self._tally
        row: dict[str, Any] = {"epoch": self.epoch, "train_loss": self.train_loss if tally.weight else 0.0}
        row |= figures
        row |= {
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "grad_norm_median": statistics.median(tally.grad_norms),
            "grad_norm_max": max(tally.grad_norms),
            "clipped_share": tally.clipped / len(batches),
            "seconds": tally.seconds + time.perf_counter() - began,
            "steps_per_second": tally.steps / tally.seconds,
            "padding_share": padding_share(self.examples.lengths, batches),
        }
        row |= self._gradients.of_epoch(self, limit)
        if self.curriculum is not None:
            row["length_limit"] = limit
        self.history.append(row)
        if self.validation is None or growing or self.stopping.improved(row["valid_loss"], epoch=self.epoch):
            self._keep()
        if not growing:  # losses of other lengths say nothing about progress
            self.schedule.epoch_end(row.get("valid_loss", row["train_loss"]))
        self.epoch, self.batch, self._tally = self.epoch + 1, 0, Tally()
        for callback in self.callbacks:
            callback.on_epoch_end(self)

    def _judges(self, limit: int) -> Examples | None:
        """Return the part of validation that is no longer than the limit; None if there is none."""
        assert self.validation is not None
        if limit == self._longest:
            return self.validation
        short = np.flatnonzero(self.validation.lengths <= limit)
        return self.validation.take(short) if len(short) else None

    def _validate(self, validation: Examples | None, *, seed: int) -> dict[str, float]:
        if validation is None:
            return {}
        self.network.eval()
        under_way: list[Batch] = []

        def before_batch(batch: Batch) -> None:
            if self._workers.count == 1:  # else all go on to the next batch, and end together
                self._interrupt.check()
            under_way[:] = [batch]

        try:
            with self._drawing(seed):
                outputs = outputs_in_order(
                    self.network,
                    validation,
                    batch_size=self.config.batch_size,
                    device=self.device,
                    before_batch=before_batch,
                    workers=Workers() if self._shared_generator else self._workers,
                )
        except (RuntimeError, MemoryError) as error:
            if failures.is_out_of_memory(error):
                half = len(under_way[0].indices) // 2
                raise self._out_of_memory(under_way[0], number=0, fits=half) from error
            raise
        targets, weights = validation.rows()
        with torch.no_grad():
            value = self._loss(outputs, self._tensor(targets), self._tensor(weights)).item()
        if not math.isfinite(value):
            everything = validation.batch(np.arange(len(validation)))
            raise self._non_finite("validation loss", value, everything, number=0, outputs=outputs)
        scores = {} if self._score is None else self._score(outputs.cpu().numpy(), validation)
        return {"valid_loss": value} | {f"valid_{name}": float(figure) for name, figure in scores.items()}

    # What is left behind.

    def result(self, stopped: str, *, state: TrainingState | None) -> TrainingResult:
        """Return how it went."""
        # While lengths grow there is no best epoch yet, and the last is kept.
        best = self.stopping.best_epoch if self.validation is not None else 0
        best = best or len(self.history)
        return TrainingResult(
            history=self.history, best_epoch=best, stopped=stopped, train_seconds=self._seconds(), state=state
        )

    def leave_best_weights(self) -> None:
        """Give the network the best weights; without validation, the last that are whole."""
        if not self.whole or self.stopping.best_epoch:
            self._load(self._kept)
        self.optimizer.zero_grad(set_to_none=True)
        self.network.eval()

    # Small things.

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: t for name, t in self.network.state_dict().items() if isinstance(t, torch.Tensor)}

    def _load(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, tensor in self._weights().items():
            tensor.copy_(weights[name])

    def _keep(self) -> None:
        weights = self._weights()
        torch._foreach_copy_([self._kept[name] for name in weights], list(weights.values()))

    def _tensor(self, array: Any) -> Any:
        return None if array is None else torch.from_numpy(array).to(self.device)

    def _drawing(self, seed: int) -> AbstractContextManager[None]:
        """Let what is drawn at random inside follow from a seed."""
        self._generator.manual_seed(seed)
        return seeded_globally(seed, self.device) if self._shared_generator else nullcontext()

    def _seed(self, seed: int) -> None:
        """Begin to draw anew from a seed, within `_drawing`."""
        self._generator.manual_seed(seed)
        if self._shared_generator:
            torch.manual_seed(seed)

    def _seconds(self) -> float:
        return self._seconds_before + time.perf_counter() - self._began

    @cached_property
    def fingerprint(self) -> str:
        """What must be the same for training to go on."""
        return fingerprint(self.examples, self.config, self.curriculum)

    def _kept_words(self) -> str:
        if not self.history:
            return "the weights it began with"
        best = self.stopping.best_epoch
        return f"the best weights, of epoch {best}" if best else f"the weights of epoch {len(self.history)}"

    def _place(self, number: int) -> dict[str, Any]:
        """Where training failed: batch ``number`` of the epoch, 0 for validation; and what is kept."""
        examples = self.examples if number or self.validation is None else self.validation
        return {"epoch": self.epoch, "number": number, "examples": examples, "kept": self._kept_words()}

    def _non_finite(
        self, what: str, value: float, batch: Batch, *, number: int, outputs: torch.Tensor
    ) -> failures.FailedTrainingError:
        own = self._place(number)
        return failures.non_finite(what, value, batch=batch, outputs=outputs, config=self.config, **own)

    def _out_of_memory(self, batch: Batch, *, number: int, fits: int) -> failures.FailedTrainingError:
        return failures.out_of_memory(batch=batch, fits=fits, **self._place(number))
