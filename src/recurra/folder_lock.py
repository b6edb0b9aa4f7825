"""One owner of a folder at a time: whoever trains into it.

The owner holds an advisory lock (``flock``) on the file `NAME` in the folder, in which its host and process stand for the
message others get. The system gives the lock back when its owner ends in whatever way, ``kill -9`` and a loss of power
included, so that a file left behind means nothing. Over NFS Linux hands ``flock`` on to the server, which keeps machines
apart.

Where a system or a file system has no ``flock``, the file `HELD` says by being there that the folder is owned. If its
owner was on this machine, it is known to be dead when its process is gone, or was another one, or the machine has been
started anew since, and its file is cleared away. If it was on another machine, that cannot be known from here: the message
then says which file to delete once that process has ended.
"""

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import Any

from recurra.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"
HELD = ".lock-held"
NAMES = (NAME, HELD)

# An owner writes who it is right after it made the file; one that stays empty for longer was killed in between.
_SECONDS_TO_SIGN = 10.0


class FolderInUseError(UsageError):
    """Another process, which is alive as far as can be known, trains into the folder."""


class FolderLock:
    """The lock on a folder, taken when it is made.

    Parameters
    ----------
    folder : Path
        Must be there.

    Raises
    ------
    FolderInUseError
        If somebody else has it.
    FileNotFoundError
        If there is no such folder.
    OSError
        Naming the folder, if nothing can be written into it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME
        self._process = os.getpid()
        self._file: FileIO | None = None
        self._owns = False  # the file: until it is locked it may be that of another owner
        try:
            self._take()
        except FolderInUseError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
        except BaseException:  # Ctrl-C, of which whoever asked for the lock learns, but not of the lock
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back and remove its file; a second time does nothing."""
        file = self._file
        if file is None:
            return
        # The folder may have been moved since, and the file of this name may be another owner's. A process that was
        # forked from the owner is none.
        with contextlib.suppress(OSError):
            if self._owns and self._process == os.getpid() and _stands_at(self._path, file):
                if os.name == "nt":  # which removes no file that is open
                    file.close()
                os.unlink(self._path)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._owns = None, False

    def __del__(self) -> None:
        # Ctrl-C may fall between the lock and its being known to whoever asked for it.
        with contextlib.suppress(Exception):
            self.release()

    def moved_to(self, folder: Path) -> None:
        """Take note that the folder has another name now."""
        self._folder, self._path = folder, folder / self._path.name

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def _take(self) -> None:
        while fcntl is not None:
            with contextlib.suppress(FileNotFoundError):  # removed just now
                self._file = _opened(self._path)
                try:
                    fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    owner = _owner(self._file.fileno())
                    self._close()
                    raise _in_use(self._folder, owner) from None
                except OSError:  # a file system without locks
                    self._close()
                    with contextlib.suppress(OSError):
                        os.unlink(self._path)
                    break
                self._owns = True
                # The last owner removes the file: what was locked may no longer be what stands there.
                if _stands_at(self._path, self._file):
                    return _sign(self._file.fileno())
            self._close()
            if not self._folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self._take_by_name()

    def _take_by_name(self) -> None:
        self._path = self._folder / HELD
        while self._file is None:
            try:
                self._file = open(self._path, "x+b", buffering=0)  # noqa: SIM115 # held open
            except FileExistsError:
                self._clear_dead()
        self._owns = True
        _sign(self._file.fileno())

    def _clear_dead(self) -> None:
        """Remove the file of an owner that is dead; raise FolderInUseError if it may be alive."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return  # given back just now
        try:
            owner, signed = _owner(descriptor), os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if _alive(owner, time.time() - signed.st_mtime, self._path):
            raise _in_use(self._folder, owner, by_name=self._path)
        # Moved away first: of two who clear the same file away, one would remove what the other has just made.
        aside = self._path.with_name(f"{HELD}-{os.getpid()}-{time.monotonic_ns()}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, aside)
            if not os.path.samestat(signed, os.stat(aside)):
                with contextlib.suppress(OSError):
                    os.link(aside, self._path)
            os.unlink(aside)


def _opened(path: Path) -> FileIO:
    """Return a lock file, made if it is not there; a link is not followed.

    An object, not its number: whatever Ctrl-C cuts off, what nobody holds any more is closed, and a lock given back.
    """
    with contextlib.suppress(FileExistsError):
        return open(path, "x+b", buffering=0)
    if path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return open(path, "r+b", buffering=0)


def _stands_at(path: Path, file: FileIO) -> bool:
    """Whether a path names an open file, and is no link to it."""
    return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))


def is_owned(folder: Path) -> bool:
    """Whether somebody trains into a folder, as far as can be known without asking for its lock."""
    for name in NAMES:
        with contextlib.suppress(OSError):
            descriptor = os.open(folder / name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            try:
                age_seconds = time.time() - os.fstat(descriptor).st_mtime
                if _alive(_owner(descriptor), age_seconds, folder / name):
                    return True
            finally:
                os.close(descriptor)
    return False


def _sign(descriptor: int) -> None:
    """Write who owns the folder; without it the lock holds as well, so a full disk does not matter."""
    me = {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "began": _began(os.getpid()),
        "boot": _boot(),
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(me).encode())


def _owner(descriptor: int) -> dict[str, Any]:
    """Return who wrote a lock file; nothing where that cannot be read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = json.loads(os.read(descriptor, 4096))
        if isinstance(found, dict) and type(found.get("process")) is int:
            return found
    return {}


def _alive(owner: Mapping[str, Any], age_seconds: float, path: Path) -> bool:
    """Return whether the owner named in a file may still be at work."""
    if not owner:
        return age_seconds < _SECONDS_TO_SIGN
    if owner.get("host") != socket.gethostname():
        return True
    if owner.get("boot") != _boot():
        return False
    if os.name == "nt":  # there a signal of 0 would end the process; but an open file cannot be moved
        try:
            os.replace(path, path)
        except OSError:
            return True
        return False
    try:
        os.kill(owner["process"], 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return owner.get("began") == _began(owner["process"])  # else its number was given to another process


def _boot() -> str | None:
    """Return what changes when the machine is started anew, None where that is not to be had."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None


def _began(process: int) -> str | None:
    """Return when a process began, in ticks of the machine, None where that is not to be had."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    return None


def _in_use(folder: Path, owner: Mapping[str, Any], *, by_name: Path | None = None) -> FolderInUseError:
    who = "another process"
    if owner:
        who = f"process {owner['process']} on {str(owner.get('host'))[:80]!r} since {str(owner.get('since'))[:40]}"
    advice = "Wait for its end, or give another folder."
    if by_name is not None and owner and owner.get("host") != socket.gethostname():
        advice += f" If that process has ended, which cannot be seen from here, delete {by_name}."
    return FolderInUseError(f"{folder}: is being trained into by {who}. {advice}")
