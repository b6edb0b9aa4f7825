"""Loss and gradient of a batch, summed over the shards of all workers: the same bits for any number of workers.

The outputs of all shards are gathered, and the loss is that of the whole batch, whatever its weights are; its gradient
with respect to the outputs goes back through each shard alone. The gradients of the shards are added in the order of a
fixed tree: each worker adds the nodes that it has, gets its piece of the nodes of all (all-to-all), adds it up to the
root, and hands it to the others (all-gather).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from recurra.batches.examples import Examples
from recurra.training.distributed.shards import Node, added, cut, nodes_of, range_of
from recurra.training.distributed.workers import Workers


class ShardedStep:
    """The forward and the backward pass of batches that are cut into shards.

    Parameters
    ----------
    network : Module
        Its parameters and buffers are the same on all workers.
    examples : Examples
        What batches are cut from.
    shards : int
        Of each batch.
    workers : Workers
        Who computes them.
    seeded : callable
        Is given the seed that what is drawn at random follows from.
    device : torch.device
        Where the network is.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        examples: Examples,
        *,
        shards: int,
        workers: Workers,
        seeded: Callable[[int], None],
        device: torch.device,
    ) -> None:
        self._network, self._examples, self._workers = network, examples, workers
        self._shards, self._seeded, self._device = shards, seeded, device
        ranges = [range_of(w, workers=workers.count, shards=shards) for w in range(workers.count)]
        self._own = ranges[workers.rank]
        self._ranges = ranges
        self._nodes = [nodes_of(each, shards) for each in ranges]
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self._buffers = dict(network.named_buffers())
        # Buffers that hold something of each sequence of a batch, such as the state of a stream of text.
        self._of_sequences = list(getattr(network, "states_of_sequences", ()))
        self._size = sum(t.numel() for t in (*self._parameters, *self._buffers.values()))
        self._dtype = max((p.dtype for p in self._parameters), key=lambda dtype: dtype.itemsize)
        self._columns: tuple[int, ...] | None = None
        self._under_way: dict[int, tuple[torch.Tensor, list[torch.Tensor]]] = {}
        # A vector for each own shard, as long as pieces of one length for all workers are; kept, since fresh memory is slow.
        self._piece = -(-self._size // workers.count)
        width = self._piece * workers.count
        self._vectors = torch.zeros(self._own[1] - self._own[0], width, dtype=self._dtype)

    def forward(self, indices: np.ndarray, seed: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray | None]:
        """Return outputs of all shards, one after the other, with their targets and weights.

        Parameters
        ----------
        indices : ndarray of shape (batch,)
            int64, which examples.
        seed : int
            Of the batch; each shard has one of its own, which follows from it.
        """
        self._parts = cut(self._examples.lengths[indices], self._shards)
        self._seeds = np.random.default_rng(seed).integers(2**63, size=(self._shards, 2))
        self._under_way = {}
        for shard in range(*self._own):
            part = self._parts[shard]
            if not len(part):
                continue
            self._seeded(int(self._seeds[shard, 0]))
            inputs = self._examples.batch(indices[part]).inputs
            self._choose(part)
            # copies, since each shard begins from the buffers as they were before the batch
            buffers = {name: buffer.clone() for name, buffer in self._buffers.items()}
            values = torch.from_numpy(inputs.values).to(self._device)
            outputs = functional_call(self._network, buffers, (inputs.replace(values),))
            self._under_way[shard] = (outputs, list(buffers.values()))
        self._choose(None)
        targets, weights = self._examples.rows(indices[np.concatenate(self._parts)])
        self._outputs = self._gathered(indices).requires_grad_()
        return self._outputs, targets, weights

    def backward(self) -> None:
        """Leave the gradient of the whole batch in the parameters, once the loss has gone back to the outputs."""
        slope = self._outputs.grad
        assert slope is not None
        begins = np.cumsum([0, *self._rows])
        for shard, vector in zip(range(*self._own), self._vectors, strict=True):
            if shard not in self._under_way:
                vector.zero_()
                continue
            outputs, buffers = self._under_way.pop(shard)
            self._seeded(int(self._seeds[shard, 1]))
            for parameter in self._parameters:
                parameter.grad = None
            outputs.backward(slope[begins[shard] : begins[shard + 1]])
            self._write(vector, buffers, self._parts[shard])
        self._read(self._sum())

    def _choose(self, part: np.ndarray | None) -> None:
        """Tell a network that keeps something of each sequence which ones come next."""
        if self._of_sequences:
            self._network.sequences = None if part is None else torch.from_numpy(part)  # type: ignore[assignment]

    def _gathered(self, indices: np.ndarray) -> torch.Tensor:
        """Return the outputs of all shards, and note how many rows each has."""
        own = [self._under_way[shard][0].detach() for shard in sorted(self._under_way)]
        if self._columns is None:  # a worker whose shards are all empty has seen no output yet
            shapes = self._workers.all(tuple(own[0].shape[1:]) if own else None)
            self._columns = next(shape for shape in shapes if shape is not None)
        lengths = self._examples.lengths[indices]
        per_step = self._examples.per_step
        self._rows = [int(lengths[part].sum()) if per_step else len(part) for part in self._parts]
        width = int(np.prod(self._columns, dtype=np.int64))
        sizes = [sum(self._rows[first:last]) * width for first, last in self._ranges]
        flat = torch.cat([torch.empty(0, dtype=self._dtype), *(output.reshape(-1).cpu() for output in own)])
        found = self._workers.rows(flat, max(sizes))
        joined = torch.cat([numbers[:size] for numbers, size in zip(found, sizes, strict=True)])
        return joined.view(-1, *self._columns).to(self._device)

    def _write(self, vector: torch.Tensor, buffers: list[torch.Tensor], part: np.ndarray) -> None:
        """Write the gradients of a shard into a vector, and behind them its share of the buffers."""
        place = 0
        for parameter in self._parameters:
            own = vector[place : place + parameter.numel()]
            own.zero_() if parameter.grad is None else own.copy_(parameter.grad.reshape(-1))
            place += parameter.numel()
        shards = sum(1 for each in self._parts if len(each))
        for before, buffer in zip(self._buffers.values(), buffers, strict=True):
            share = buffer.to("cpu", self._dtype) / shards
            if any(before is other for other in self._of_sequences):
                share = torch.zeros_like(share)
                rows = torch.from_numpy(part)
                share[:, rows] = buffer[:, rows].cpu()
            vector[place : place + before.numel()] = share.reshape(-1)
            place += before.numel()

    def _sum(self) -> torch.Tensor:
        """Return the sum of the vectors of all shards, wherever they are, in the order of the tree; they are used up."""

        def single(node: Node) -> torch.Tensor | None:
            return self._vectors[node[0] - self._own[0]] if node[1] - node[0] == 1 else None

        workers, own = self._workers, self._nodes[self._workers.rank]
        sums = [added(node, single, torch.Tensor.add_) for node in own]
        if workers.count == 1:
            return sums[0].clone()  # gradients are views of it, and its memory is written to again
        sent = torch.stack(sums).view(len(own), workers.count, self._piece)
        found = workers.pieces(sent, [len(nodes) for nodes in self._nodes])
        known: dict[Any, torch.Tensor] = dict(
            zip([node for nodes in self._nodes for node in nodes], found, strict=True)
        )
        return workers.joined(added((0, self._shards), known.get, torch.Tensor.add_))

    def _read(self, vector: torch.Tensor) -> None:
        """Take gradients and buffers from a sum of vectors."""
        place = 0
        for parameter in self._parameters:
            part = vector[place : place + parameter.numel()]
            parameter.grad = part.view(parameter.shape).to(parameter.device, parameter.dtype)
            place += parameter.numel()
        for buffer in self._buffers.values():
            part = vector[place : place + buffer.numel()].view(buffer.shape)
            buffer.copy_(part if buffer.is_floating_point() else part.round())
            place += buffer.numel()
