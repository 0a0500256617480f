"""Who may talk to the page: the browser that was given its address, on this machine, from the page itself."""

from __future__ import annotations

import secrets
import sys
import traceback
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",  # a browser's cache on disk would hold patients' pictures
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Lets a request through that has the token, names this machine, and comes from the page if it writes.

    The token comes in the address first and is then a cookie. What goes wrong inside is told as the kind and
    the place of the error: its words may hold names.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.token = secrets.token_urlsafe(32)
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie = f"sectoraug-review-{port}"  # cookies do not tell ports apart

    @property
    def address(self) -> str:
        """Where the page is, with the token."""
        return f"http://{self.hosts[0]}/?token={self.token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                extra = dict(_HEADERS)
                if given:
                    extra["Set-Cookie"] = f"{self.cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                headers = [(name.lower().encode(), value.encode()) for name, value in extra.items()]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        given = self._is_token(_query_token(scope))
        status, sentence = self._refusal(scope, given)
        if not status:
            try:
                await self.app(scope, receive, send_guarded)
                return
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                sys.stderr.write(f"{type(error).__name__} in {place.name}, line {place.lineno}\n")
                if begun:
                    return
                status, sentence = 500, "Something went wrong; the terminal says what."
        given = False
        await send_guarded(_start(status))
        await send({"type": "http.response.body", "body": sentence.encode()})

    def _refusal(self, scope: Scope, given: bool) -> tuple[int, str]:
        headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value.decode("latin-1"))
        if headers.get(b"host") not in ([self.hosts[0]], [self.hosts[1]]):
            return 421, "This page is for this machine only: use the address that the terminal shows."
        host = headers[b"host"][0]
        if not given and not any(self._is_token(_cookie(c, self.cookie)) for c in headers.get(b"cookie", [])):
            return 403, "This page needs its token: use the whole address that the terminal shows."
        if not given and headers.get(b"sec-fetch-site", ["none"]) not in (["same-origin"], ["none"]):
            return 403, "Only the page itself may ask."  # another port of this machine gets the cookie, too
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "Only GET and POST."
        if scope["method"] == "POST" and headers.get(b"origin") != [f"http://{host}"]:
            return 403, "Only the page itself may decide."
        if scope["method"] == "POST" and headers.get(b"content-type") != ["application/json"]:
            return 415, "Only application/json."
        return 0, ""

    def _is_token(self, value: str) -> bool:
        return secrets.compare_digest(value.encode(), self.token.encode())


def _query_token(scope: Scope) -> str:
    if scope["method"] != "GET" or scope["path"] != "/":
        return ""
    return str(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0])


def _cookie(header: str, name: str) -> str:
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else str(morsel.value)


def _start(status: int) -> dict[str, Any]:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    return {"type": "http.response.start", "status": status, "headers": headers}
