"""The recurrences and the heads used at prediction; numpy only.

Each cell has its equations and a numpy reference in the file of its name, and a native version of the same
stem in ``native/``. `use` chooses between them, `describe` says what runs and why.
"""

from recurra.kernels.dispatch import current, describe, use

__all__ = ["current", "describe", "use"]
