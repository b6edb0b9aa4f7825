"""The server: for the command line until Ctrl-C, and for a notebook in a thread of its own."""

import contextlib
import html
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.errors import MissingExtraError, UsageError

ADDRESS = "127.0.0.1"
SECONDS_TO_START = 10.0
SECONDS_TO_END = 3.0
HEIGHT = 760  # pixels of the page in a notebook
THREAD = "recurra studio"


def serve(
    folder: Any, *, port: int = 0, read_only: bool = False, browser: bool = True, tell: Callable[[str], None]
) -> None:
    """Serve a folder until Ctrl-C.

    Parameters
    ----------
    folder : path
        What is below it is served.
    port : int, default=0
        On 127.0.0.1; 0 takes a free one.
    read_only : bool, default=False
        Whether nothing may be changed.
    browser : bool, default=True
        Whether the page is opened in a browser.
    tell : callable
        Is given the address.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    UsageError
        If the port is taken.
    """
    server, place, url = _prepared(folder, port, read_only=read_only, framed=False)
    tell(url)
    if browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
    # In a thread that is no reason to stay: requests that are answered in threads of it, and may take minutes, end with us.
    ended = _in_thread(server, place)
    try:
        while not ended.wait(1.0):
            pass
    except KeyboardInterrupt:  # the end that was asked for
        server.should_exit = True
        with contextlib.suppress(KeyboardInterrupt):
            ended.wait(SECONDS_TO_END)
    finally:
        if ended.is_set():  # a server that still runs would fail at what is closed below it
            place.close()


def _in_thread(server: Any, place: socket.socket) -> threading.Event:
    """Begin to serve; return what is set at the end.

    An interrupted ``Thread.join`` takes the thread for ended (Python up to 3.12), and it cannot be waited for again.
    """
    ended = threading.Event()

    def run() -> None:
        try:
            server.run(sockets=[place])
        finally:
            ended.set()

    threading.Thread(target=run, name=THREAD, daemon=True).start()
    return ended


class Shown:
    """A page that a notebook shows; `close` ends its server.

    Parameters
    ----------
    url : str
        Its address, with the token.
    server : uvicorn.Server
        What serves it.
    """

    def __init__(self, url: str, server: Any) -> None:
        self.url, self._server = url, server

    def close(self) -> None:
        """End the server."""
        self._server.should_exit = True

    def _repr_html_(self) -> str:
        style = "width:100%;border:0;border-radius:10px"
        return f'<iframe src="{html.escape(self.url)}" title="recurra studio" height="{HEIGHT}" style="{style}"></iframe>'

    def __repr__(self) -> str:
        return f"Studio({self.url!r})"


def studio(run: Any = ".", *, port: int = 0, read_only: bool = False) -> Shown:
    """Show runs, live trainings, what a network thought, and recordings to label, on a page in a notebook.

    Parameters
    ----------
    run : path or Run, default="."
        A run folder, or a folder that holds some; or what `recurra.train` returned.
    port : int, default=0
        On 127.0.0.1; 0 takes a free one.
    read_only : bool, default=False
        Whether nothing may be changed.

    Returns
    -------
    Shown
        The page; its ``url`` opens it in a browser, ``close()`` ends its server.

    Raises
    ------
    MissingDataError
        If there is no such folder.
    MissingExtraError
        Without the packages of ``pip install 'recurra[studio]'``.

    Examples
    --------
    >>> page = recurra.studio("runs/")  # doctest: +SKIP
    """
    folder = getattr(run, "path", run)
    server, place, url = _prepared(folder, port, read_only=read_only, framed=True)
    if Path(folder, "config.json").is_file():
        url += "#run=."
    _in_thread(server, place)
    until = time.monotonic() + SECONDS_TO_START
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    return Shown(url, server)


def _prepared(folder: Any, port: int, *, read_only: bool, framed: bool) -> tuple[Any, socket.socket, str]:
    """Return a server, the socket it is to listen on, and the address."""
    try:
        import uvicorn

        from recurra.studio.app import make_app
    except ModuleNotFoundError as error:
        if error.name not in ("uvicorn", "starlette", "anyio", "h11"):
            raise
        raise MissingExtraError(
            f"studio: needs the package {error.name}, which is not installed: pip install 'recurra[studio]'"
        ) from None
    from recurra.studio.guard import new_token

    token = new_token()
    app = make_app(folder, token, read_only=read_only, framed=framed)
    place = _listening(port)
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config), place, f"http://{ADDRESS}:{place.getsockname()[1]}/{token}/"


def _listening(port: int) -> socket.socket:
    # The protocol is named, for asyncio sends small parts of an answer at once only where it is: 40 ms of each are saved.
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name != "nt":
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        place.bind((ADDRESS, port))
        place.listen(128)  # who opens the address before the server runs waits, and is not refused
    except (OSError, OverflowError) as error:
        place.close()
        raise UsageError(f"studio: port {port} cannot be taken ({error}). Give another with port=.") from None
    return place


def _has_screen() -> bool:
    """Whether a browser can show itself; without a screen a text browser would take the terminal."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
