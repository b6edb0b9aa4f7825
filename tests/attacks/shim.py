"""A shim that counts every call that changes the disk and lets one of them fail: by death, or with a full disk.

Counted are, in the order they happen: making a folder or a temporary file, every write, fsync of files and folders,
chmod, rename, unlink. It stays in place for the rest of the process, so it belongs in a forked child.
"""

import errno
import io
import os
import signal
import tempfile


class Shim:
    """Counts calls; does ``what`` at the ``at``-th of them, counted from 0.

    Parameters
    ----------
    at : int
        -1 only counts.
    what : {"die before", "die half-way", "die after", "full"}
        SIGKILL around the call; half-way through a write; or half a write and then ENOSPC, from then on for every call
        that needs space.
    log : path
        Where the names of the calls are written, one a line, without counting that.
    """

    NEEDS_SPACE = ("write", "mkdir", "mkstemp")

    def __init__(self, at, what, log):
        self.at, self.what = at, what
        self.count = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.plain_write = os.write

    def around(self, name, call, half=lambda: None, place=None):
        """Carry out one counted call; ``place`` is what an error names."""
        here = self.count == self.at
        full = self.what == "full" and 0 <= self.at <= self.count and name in self.NEEDS_SPACE
        self.count += 1
        self.plain_write(self.log, f"{name}\n".encode())
        if here and self.what == "die before":
            self.die()
        if here and self.what == "die half-way":
            half()
            self.die()
        if full:
            half()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)
        try:
            return call()
        finally:
            if here and self.what == "die after":
                self.die()

    @staticmethod
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def install(self):
        """Put the shim in the place of the functions of the standard library."""
        for module, name in ((os, "fsync"), (os, "chmod"), (os, "replace"), (os, "unlink"), (os, "mkdir")):
            setattr(module, name, self.counted(name, getattr(module, name)))
        tempfile.mkstemp = self.counted("mkstemp", tempfile.mkstemp)
        plain_open = io.open  # what os.fdopen and Path.open call

        def watched_open(file, mode="r", *args, **kwargs):
            opened = plain_open(file, mode, *args, **kwargs)
            return opened if mode in ("r", "rb") else Watched(opened, self)

        io.open = watched_open

    def counted(self, name, function):
        def call(*args, **kwargs):
            place = str(args[0]) if name == "mkdir" else None
            return self.around(name, lambda: function(*args, **kwargs), place=place)

        return call


class Watched:
    """A file whose writes are counted."""

    def __init__(self, file, shim):
        self.file, self.shim = file, shim

    def write(self, data):
        def half():
            self.file.write(data[: len(data) // 2])
            self.file.flush()

        def whole():
            written = self.file.write(data)
            self.file.flush()
            return written

        return self.shim.around("write", whole, half)

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)
