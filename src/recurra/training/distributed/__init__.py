"""One training on several processes: `recurra.training.loop` on each, gradients added in a fixed order.

- `launch`: Starts workers on this machine with torchrun's agent, and says what became of them
- `shards`: The plan alone: how a batch is cut into shards, which worker has which, in which order gradients are added
- `sharded_step`: Loss and gradient of a batch, summed over the shards of all workers, the same bits for any number of them
- `workers`: The processes that train one network together, and what they say to each other
"""
