"""The page's server: on this machine alone, until interrupted."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from sectoraug.workbench.review.guard import Guard
from sectoraug.workbench.review.sorting import Review

_MOST_HEADER_BYTES = 32_768


@dataclass(frozen=True)
class Server:
    """A page on loopback, ready to run."""

    guard: Guard
    listening: socket.socket
    review: Review

    @property
    def address(self) -> str:
        """What to open in a browser. Who has it can see the pictures and decide."""
        return self.guard.address

    def run(self) -> None:
        """Serve until interrupted."""
        import uvicorn

        from sectoraug.workbench.review.overdue import Prompt

        config = uvicorn.Config(
            self.guard,
            http=Prompt,
            h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
            access_log=False,
            log_config=None,
            log_level="critical",  # tracebacks can quote paths
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        with self.review.sprites:
            uvicorn.Server(config).run(sockets=[self.listening])


def server(review: Review, port: int = 0) -> Server:
    """A server of a review on 127.0.0.1, at the port given or any that is free; OSError if it is taken."""
    try:
        import uvicorn  # noqa: F401

        from sectoraug.workbench.review.page import app_of

        app = app_of(review)
    except ImportError as error:
        raise ImportError(
            'the review needs starlette and uvicorn: pip install "sectoraug[workbench]".'
        ) from error
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # a browser that is quicker than the server waits
    except OSError as error:
        listening.close()
        raise OSError(f"port {port} is taken; expected a free one: choose another --port.") from error
    return Server(Guard(app, listening.getsockname()[1]), listening, review)
