"""Several processes at one task: which of them this one is, and starting them.

- `replicas`: Other processes that do the same as this one, each taking what none has taken yet
- `work_locks`: Locks on pieces of work, given back however a process ends
- `launching`: `recurra train --workers`: a command run by several workers, and the sentence to the user where one was lost
- `team`: Whether this process is one of several that train one network, and which
"""
