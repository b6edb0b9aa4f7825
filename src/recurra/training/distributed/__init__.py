"""One training on several processes: `recurra.training.loop` on each, gradients added in a fixed order.

- `launch`: Starts workers on this machine with torchrun's agent, and says what became of them
- `shards`: How a batch is cut into shards, which worker has which, and the binary tree in which they are added
- `sharded_step`: Loss and gradient of a batch, shard by shard, the same bits for any number of workers
- `workers`: The processes that train one network together, and what they say to each other
"""
