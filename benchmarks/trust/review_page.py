"""A running `sectoraug review`, and raw requests to it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from fuzzing.in_process import command

import sectoraug as sa

SECRET = b"DOE-JANE"


@dataclass
class Page:
    """A running `sectoraug review`."""

    port: int
    token: str
    folder: Path
    pid: int

    @property
    def cookie(self) -> str:
        return f"sectoraug-review-{self.port}={self.token}"

    def head(self, path: str = "/state", method: str = "GET", **changed: str | None) -> bytes:
        """A request's head as the page's own browser sends it, but for what changed; None leaves out."""
        lines: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            lines |= {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        lines |= {name.replace("_", "-"): value for name, value in changed.items()}
        said = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        return f"{method} {path} HTTP/1.1\r\n{said}".encode("latin-1")

    def status(
        self, path: str = "/state", method: str = "GET", body: bytes = b"", **changed: str | None
    ) -> int:
        length = f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        return self.answer(self.head(path, method, **changed) + length + body)[0]

    def answer(self, request: bytes, wait_s: float = 20.0) -> tuple[int, bytes, float]:
        """Status, 0 where none came, all bytes, and after how many seconds the connection was closed."""
        begun = time.monotonic()
        got = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait_s) as connection:
            try:
                connection.sendall(request)
                while part := connection.recv(65536):
                    got += part
            except TimeoutError:
                return _status(got), got, float("inf")
            except OSError:
                pass
        return _status(got), got, time.monotonic() - begun


def _status(got: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3})", got)
    return int(found[1]) if found else 0


@contextmanager
def reviewing() -> Iterator[tuple[Page, list[bytes]]]:
    """A page over two masks whose names are secret, and what it printed, once it has ended."""
    with tempfile.TemporaryDirectory() as top:
        clips, drawn, masks = Path(top, "clips"), Path(top, "drawn"), Path(top, "masks")
        for k in range(2):
            clip = sa.phantom.make_clip(frames=3, size=(48, 64), seed=k)
            name = f"{SECRET.decode()}{k}"
            for folder in (clips, drawn):
                folder.mkdir(exist_ok=True)
            np.save(clips / f"{name}.npy", clip.frames)
            cv2.imwrite(str(drawn / f"{name}.png"), clip.sector * np.uint8(255))
        code, words = command("masks", clips, "--out", masks, "--drawn", drawn, "--no-progress")
        assert code == 0, words
        said: list[bytes] = []
        process = subprocess.Popen(
            [sys.executable, "-m", "sectoraug.workbench.cli", "review", str(masks)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        found = re.search(rb"127\.0\.0\.1:(\d+)/\?token=(\S+)", process.stdout.readline())
        assert found
        try:
            yield Page(int(found[1]), found[2].decode(), masks, process.pid), said
        finally:
            process.send_signal(signal.SIGINT)
            said.extend(process.communicate(timeout=60))
