"""The command on made-up clips, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import sectoraug as sa

N_CLIPS = 6


def make_clips(folder: Path, n: int, side: int = 64) -> Path:
    for i in range(n):
        place = folder / f"patient{i // 20:03d}"
        place.mkdir(parents=True, exist_ok=True)
        np.savez(
            place / f"clip{i:04d}.npz",
            frames=sa.phantom.make_clip(frames=8, size=(side, side), seed=i).frames,
        )
    return folder


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)]


def sectoraug(*words: object, status: int = 0) -> str:
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr[-2000:]
    return done.stdout + done.stderr


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def number(table: str, row: str) -> int:
    found = re.search(rf"^{row}\s+(\d+)$", table, re.MULTILINE)
    assert found, table
    return int(found.group(1))


def assert_each_once(out: Path, n: int) -> None:
    written = entries(out)
    assert len(written) == n
    assert len({e["visit"] for e in written}) == n
    assert all(e["error"] is None and (out / e["file"]).stat().st_size > 0 for e in written)
    assert not (out / ".part").exists()
