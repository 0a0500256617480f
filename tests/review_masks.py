"""Masks to sort, and the command that serves them."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import sectoraug as sa
from sectoraug.workbench.run.manifest import NAME as MANIFEST
from sectoraug.workbench.run.sources import sha256_of, visit_of

N = 110  # three pages, the last not full


def make_masks(folder: Path, n: int) -> Path:
    """What a `masks` run over `n` phantom clips leaves, with their true sectors and qualities in (0, 1)."""
    folder.mkdir(mode=0o700)
    (folder / "clips").mkdir()
    made = [sa.phantom.make_clip(frames=3, size=(60, 80), seed=seed) for seed in range(6)]
    lines = []
    for k in range(n):
        clip = made[k % len(made)]
        path = folder / "clips" / f"clip{k:04d}.npy"
        np.save(path, np.roll(clip.frames, k // len(made), 0) + np.uint8(k // 18))
        sha256 = sha256_of(path)
        mask = folder / f"{sha256}.png"
        mask.write_bytes(cv2.imencode(".png", clip.sector * np.uint8(255))[1].tobytes())
        entry = {
            "source": path.name,
            "visit": visit_of(path),
            "sha256": sha256,
            "size": [60, 80],
            "frames": 3,
            "file": mask.name,
            "quality": round((k + 1) / (n + 1), 4),
            "path": str(path),
        }
        lines.append(json.dumps(entry) + "\n")
    (folder / MANIFEST).write_text("".join(reversed(lines)))
    return folder


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)]


def sectoraug(*words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr[-2000:]
    return done


class Serving:
    """A running `sectoraug review`."""

    def __init__(self, masks: Path, *words: object) -> None:
        self.process = subprocess.Popen(
            command("review", masks, *words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        found = re.search(r"(http://127\.0\.0\.1:(\d+)/\?token=(\S+))", self.process.stdout.readline())
        assert found, self.process.communicate()[1][-2000:]
        self.address, self.port, self.token = found[1], int(found[2]), found[3]
        self.cookie = f"sectoraug-review-{self.port}={self.token}"

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers; a header given as "" is not sent."""
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie}
        if method == "POST":
            sent |= {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        for name, value in {**sent, "Content-Length": str(len(data))}.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        found = answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return found

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        return out + err


@contextmanager
def serving(masks: Path, *words: object) -> Iterator[Serving]:
    server = Serving(masks, *words)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()
