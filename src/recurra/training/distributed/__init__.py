"""One training on several processes: `recurra.training.loop` on each, gradients added in a fixed order.

- `agent`: torchrun's agent: starts workers on this machine, and returns which of them was lost
- `shards`: How a batch is cut into shards, which worker has which, and the fixed tree along which gradients are added
- `sharded_step`: Loss and gradient of a batch, each worker its shards, summed along that tree
- `workers`: The processes that train one network together, and what they say to each other
"""
