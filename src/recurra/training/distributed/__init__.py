"""One training on several processes: `recurra.training.loop` on each, gradients added in a fixed order.

- `agent`: torchrun's agent: starts workers on this machine, and returns which of them was lost
- `shards`: The plan alone: how a batch is cut into shards, which worker has which, in which order gradients are added
- `sharded_step`: Loss and gradient of a batch, summed over the shards of all workers, the same bits for any number of them
- `workers`: The processes that train one network together, and what they say to each other
"""
