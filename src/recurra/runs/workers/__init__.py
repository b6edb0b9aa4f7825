"""Several processes at one task: which of them this one is, and starting them.

- `replicas`: Other processes that do the same as this one, each taking what none has taken yet
- `claims`: Which process has which piece of work; what one that died left behind is taken up by another
- `launching`: A command of recurra run by several workers on this machine, and what became of them
- `team`: Whether this process is one of several that train one network, and which
"""
