"""Requests that do not come, or come as more than a request: the page ends them and answers others."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

from sectoraug.workbench.review.overdue import Prompt  # noqa: E402

SLOW_S = 1.5


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was, after a while where the path asks for it."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
    await send({"type": "http.response.body", "body": str(len(body)).encode()[:1]})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Prompt, "request_s", 0.5)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    config = uvicorn.Config(answer, http=Prompt, lifespan="off", log_config=None, timeout_keep_alive=5)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    running.should_exit = True
    thread.join(10)


def said(port: int, *parts: bytes, pause_s: float = 0.0) -> tuple[bytes, float]:
    """What is answered until the other side closes, and after how many seconds it does."""
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=4) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        answered = b""
        try:
            while part := connection.recv(4096):
                answered += part
        except TimeoutError:
            return answered, float("inf")
        except ConnectionResetError:
            pass
    return answered, time.monotonic() - begun


GET = b"GET %s HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


@pytest.mark.parametrize(
    "part", [b"", b"GET / HT", GET % b"/", POST, POST + b"12", b"GET / HTTP/1.1\r\nX: " + b"a" * 999]
)
def test_a_request_that_does_not_come_whole_is_closed(port: int, part: bytes) -> None:
    answered, after_s = said(port, part)
    assert answered == b"" and 0.3 < after_s < 3


def test_one_that_drips_is_closed_too(port: int) -> None:
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        said(port, *[b"X"] * 40, pause_s=0.1)


def test_slow_answers_and_later_requests_are_left_alone(port: int) -> None:
    close = GET % b"/slow" + b"Connection: close\r\n\r\n"
    answered, after_s = said(port, close)
    assert b"200 OK" in answered and after_s > SLOW_S
    again = GET % b"/" + b"\r\n"
    answered, _ = said(port, again, again, POST, b"12", b"34", close, pause_s=0.2)
    assert answered.count(b"200 OK") == 4
