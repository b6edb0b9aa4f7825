"""Every exception and warning recurra raises; each also derives from the builtin a caller would catch."""


class RecurraError(Exception):
    """Base of every error raised on purpose."""


class UsageError(RecurraError, ValueError):
    """A parameter or a command-line word is wrong."""


class ShapeError(RecurraError, ValueError):
    """An array has the wrong number of dimensions or the wrong size along one."""


class DataError(RecurraError, ValueError):
    """Data given by the user cannot be used as it is."""


class MissingDataError(RecurraError, FileNotFoundError):
    """A file or a public data set is not where it was looked for."""


class StoreError(RecurraError, ValueError):
    """A model or checkpoint file is broken, foreign, or from a newer version."""


class MissingExtraError(RecurraError, ImportError):
    """An optional dependency is needed; the message names the command that installs it."""


class TrainingError(RecurraError, RuntimeError):
    """Training cannot go on, for instance because the loss is no longer finite."""


class RecurraWarning(UserWarning):
    """Base of every warning issued on purpose."""


class TrainingWarning(RecurraWarning):
    """Training went on or stopped in a way its figures should be read with."""
