"""The command line, or a script, as a program of a shell: each call is a child of a process that has imported everything.

A test of pipes, closed streams and full disks needs a real process with file descriptors of its own, not the seconds
in which it imports torch. The server is started with a path as its argument; the client (`CLIENT`) hands it the streams
that are open, the signals it was started to ignore, folder, environment and words (``recurra`` or a script, and its
arguments), and ends as the child does.
"""

import json
import os
import runpy
import signal
import socket
import sys

# Runs without site packages: what a shell starts. The streams are looked at before a socket could take their numbers.
CLIENT = """
import os, sys
def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
fds = [fd for fd in (0, 1, 2) if is_open(fd)]
import json, signal, socket
wire = socket.socket(socket.AF_UNIX)
wire.connect(sys.argv[1])
names = [n for n in ("SIGINT", "SIGTERM", "SIGHUP") if signal.getsignal(getattr(signal, n)) is signal.SIG_IGN]
told = json.dumps([fds, names, sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(wire, [len(told).to_bytes(8, "big")], fds or [wire.fileno()])
wire.sendall(told)
code = int.from_bytes(wire.recv(8), "big", signed=True)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def serve(path: str) -> None:
    """Answer one client after the other, each in a child; return in the child, end with the process that started it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(5)
    parent = os.getppid()
    while True:
        try:
            wire, _ = listener.accept()
        except TimeoutError:
            if os.getppid() != parent:  # the tests were killed
                sys.exit()
            continue
        wire.setblocking(True)
        size, received, _, _ = socket.recv_fds(wire, 8, 3)
        told = b""
        while len(told) < int.from_bytes(size, "big"):
            told += wire.recv(1 << 16)
        fds, ignored, args, folder, environment = json.loads(told)
        child = os.fork()
        if not child:
            listener.close()
            wire.close()
            for name in ignored:
                signal.signal(getattr(signal, name), signal.SIG_IGN)
            become(dict(zip(fds, received, strict=False)), args, folder, environment)
            return
        for fd in received:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        wire.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
        wire.close()


def become(streams, args, folder, environment) -> None:
    """Take over what a process is given when it starts; a stream that is closed is None, as Python has it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = args
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if fd not in streams:
            os.close(fd)
            setattr(sys, name, None)
            continue
        os.dup2(streams[fd], fd)
        errors = "backslashreplace" if name == "stderr" else "strict"
        stream = open(fd, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        stream.reconfigure(line_buffering=name == "stderr" or stream.isatty())
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    for fd in streams.values():
        if fd > 2:
            os.close(fd)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: a process with threads must not fork
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import recurra.cli.main
    import recurra.cli.verbs.eval
    import recurra.cli.verbs.explain
    import recurra.cli.verbs.predict
    import recurra.cli.verbs.stream
    import recurra.cli.verbs.train
    import recurra.estimators.sequence_classifier
    import recurra.evaluation.report.page
    import recurra.training.losses

    serve(sys.argv[1])
    if sys.argv[0] == "recurra":
        recurra.cli.main.main()
    else:
        sys.path.insert(0, os.path.dirname(sys.argv[0]))
        runpy.run_path(sys.argv[0], run_name="__main__")
