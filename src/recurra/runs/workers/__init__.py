"""Several processes at one task: which of them this one is, and starting them.

- `launching`: A command of recurra run by several workers on this machine, and what became of them
- `team`: Whether this process is one of several that train one network, and which
"""
