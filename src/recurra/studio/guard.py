"""Who may ask: the person who has the address with its token, through a page of ours, and nobody else.

The token is the first part of every path, so that neither cookie nor header is needed, in a notebook's frame and through
a forwarded port neither. A page of another site does not know it; one that a name of its own leads here (DNS rebinding)
is told by its Host, and one that sends something from elsewhere by its Origin.
"""

import hmac
import re
import secrets
from collections.abc import Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A forwarded port may have another number, but leads from this machine as well.
HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
METHODS = ("GET", "HEAD", "POST")
MOST_BYTES = 20_000_000  # of what is sent; 100,000 marked stretches take some 6 MB


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets requests through that have the token and come from a page of ours.

    Parameters
    ----------
    app : ASGI application
        What is guarded; sees paths without the token.
    token : str
        The first part of every path.
    framed : bool, default=False
        Whether a page on this machine, a notebook, may show the page in a frame.
    """

    def __init__(self, app: ASGIApp, token: str, *, framed: bool = False) -> None:
        self.app, self.token = app, token
        ancestors = "http://127.0.0.1:* http://localhost:*" if framed else "'none'"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
            f"frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        )
        self._headers = {
            b"content-security-policy": policy.encode(),
            b"x-content-type-options": b"nosniff",
            b"referrer-policy": b"no-referrer",
            b"cross-origin-resource-policy": b"same-origin",
            b"cross-origin-opener-policy": b"same-origin",
            b"cache-control": b"no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in self._headers.items() if name not in own]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await PlainTextResponse(refusal, 403)(scope, receive, with_headers)
            return
        path = scope["path"][len(self.token) + 1 :]
        await self.app({**scope, "path": path, "raw_path": path.encode()}, _limited(receive), with_headers)

    def _refusal(self, scope: Scope) -> str | None:
        """Return why a request is refused, None where it is not."""
        host = _only(scope, b"host")
        if host is None or HOST.fullmatch(host) is None:
            return "Refused: this page is asked for by its own address, http://127.0.0.1 or http://localhost."
        if scope["method"] not in METHODS:
            return "Refused: no such request."
        origins = _values(scope, b"origin")
        if any(origin not in (f"http://{host}", f"https://{host}") for origin in origins):
            return "Refused: another site's page may not ask here."
        if (
            scope["method"] == "POST"
            and (_only(scope, b"content-type") or "").split(";")[0] != "application/json"
        ):
            return "Refused: what is sent must be JSON."
        sites = _values(scope, b"sec-fetch-site")
        opened = _only(scope, b"sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if any(site not in ("same-origin", "none") for site in sites) and not opened:
            return "Refused: another site's page may not ask here."
        first, slash, _ = scope["path"][1:].partition("/")
        if not slash or not hmac.compare_digest(first.encode(), self.token.encode()):
            return "Refused: the address lacks its token. Open the one that recurra studio printed."
        return None


def _values(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _only(scope: Scope, name: bytes) -> str | None:
    """Return the value of a header that stands there once."""
    found = _values(scope, name)
    return found[0] if len(found) == 1 else None


def _limited(receive: Receive) -> Receive:
    """Let no more than `MOST_BYTES` of what is sent into memory."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= MOST_BYTES else {"type": "http.disconnect"}

    return counted
