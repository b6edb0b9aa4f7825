"""A shim that counts every call that changes the disk and lets one of them fail: by death, or with a full disk.

Counted are, in the order they happen: making a folder or a file, every write, fsync of files and folders,
chmod, rename, unlink. It stays in place for the rest of the process, so it belongs in a forked child.
"""

import errno
import io
import os
import signal


class Shim:
    """Counts calls; does ``what`` at the ``at``-th of them, counted from 0.

    Parameters
    ----------
    at : int
        -1 only counts.
    what : {"die before", "die half-way", "die after", "full", "cut", "cut, renames lost"}
        SIGKILL around the call; half-way through a write; half a write and then ENOSPC, from then on for every call
        that needs space; or a power cut before the call: what was written and not yet fsynced is torn, and, as file
        systems may, renames in a folder that was not fsynced since are lost.
    log : path
        Where the names of the calls are written, one a line, without counting that.
    """

    NEEDS_SPACE = ("write", "mkdir", "create")

    def __init__(self, at, what, log):
        self.at, self.what = at, what
        self.count = 0
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self.plain_write = os.write
        self.cache = Cache()

    def around(self, name, call, half=lambda: None, place=None):
        """Carry out one counted call; ``place`` is what an error names."""
        here = self.count == self.at
        full = self.what == "full" and 0 <= self.at <= self.count and name in self.NEEDS_SPACE
        self.count += 1
        self.plain_write(self.log, f"{name}\n".encode())
        if here and self.what.startswith("cut"):
            self.cache.lose(renames=self.what != "cut")
        if here and self.what.startswith(("cut", "die before")):
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
        plain_fsync, plain_replace = os.fsync, os.replace

        def fsync(descriptor):
            plain_fsync(descriptor)
            self.cache.fsynced(descriptor)

        def replace(source, target):
            self.cache.renames(str(source), str(target))
            plain_replace(source, target)

        os.fsync, os.replace = fsync, replace
        for name in ("fsync", "chmod", "replace", "unlink", "rmdir", "mkdir"):
            setattr(os, name, self.counted(name, getattr(os, name)))
        plain_create = os.open
        create = self.counted("create", plain_create)
        os.open = lambda path, flags, *args, **kwargs: (create if flags & os.O_CREAT else plain_create)(
            path, flags, *args, **kwargs
        )
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
        self.shim.cache.written(self.file.fileno())

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


class Cache:
    """What the disk has not got yet: bytes that were not fsynced, renames whose folder was not."""

    def __init__(self):
        self.torn = set()  # paths
        self.renamed = []  # path, and the bytes that were there before, None for none

    @staticmethod
    def place(descriptor):
        return os.readlink(f"/proc/self/fd/{descriptor}")

    def written(self, descriptor):
        self.torn.add(self.place(descriptor))

    def fsynced(self, descriptor):
        place = self.place(descriptor)
        self.torn.discard(place)
        self.renamed = [(path, old) for path, old in self.renamed if os.path.dirname(path) != place]

    def renames(self, source, target):
        source, target = os.path.realpath(source), os.path.realpath(target)
        if source in self.torn:
            self.torn.remove(source)
            self.torn.add(target)
        if os.path.isfile(source):
            with open(target, "rb") if os.path.exists(target) else io.BytesIO() as file:
                old = file.read() if os.path.exists(target) else None
            self.renamed.append((target, old))

    def lose(self, *, renames):
        for path in self.torn:
            if os.path.exists(path):
                os.truncate(path, os.path.getsize(path) // 2)
        for path, old in reversed(self.renamed if renames else []):
            if old is None:
                os.remove(path)
            else:
                with open(path, "wb") as file:
                    file.write(old)
