"""The recurrences and the heads used at prediction; numpy only.

Each cell has its equations and a numpy reference in the file of its name, and a native version of the same
stem in ``native/``. `use` chooses between them, `describe` says what runs and why.

- `cell`: What each cell is, said once: its gates, states and weights; variants of LSTM and GRU
- `cells/`: The equations of each cell, with a numpy reference beside the native call; twins in `recurra.nn.cells`
- `dispatch`: Which version of the kernels runs: the native one, the numpy reference, or whichever is there
- `fronts/`: What stands before the recurrence at prediction; twins in `recurra.nn.fronts`
- `heads/`: What stands behind the recurrence at prediction; twins in `recurra.nn.heads`
- `native_calls`: Calls of the native kernels with numpy arrays; shapes have been checked by the caller
- `networks/`: Stacked layers: whole, step by step, with everything inside, and as one call of a stream
- `step_order`: The order in which the steps of unequal sequences are computed by the numpy reference

The native code, in ``native/``:

- What each cell is, the counterpart of `cell`: ``cells.hpp``.
- One time step of a cell for some rows: ``lstm.cpp``, ``gru.cpp``, ``rnn.cpp``, ``variant_*.cpp``; compiled once for each
  instruction set (``kernels.hpp``, ``vector.hpp``), of which ``isa.cpp`` takes one.
- A layer through time: ``forward.cpp``, ``backward.cpp``, ``recurrence.hpp``; who runs which sequence: ``slots.cpp``.
- Products and layout of weights: ``multiply.cpp``, ``pack.cpp``; threads and memory: ``pool.cpp``, ``memory.cpp``.
- At prediction: a step of a stack (``step.cpp``), a whole network of one stream (``running.hpp``), ``heads.cpp``,
  ``random_kernels.cpp``, ``shapelets.cpp``.
- ``module.cpp``: what Python calls.
"""

from recurra.kernels.dispatch import current, describe, use

__all__ = ["current", "describe", "use"]
