"""Disks that are full or read-only: a small tmpfs where mounting is allowed, and none elsewhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE_BYTES = 4096


@contextmanager
def small_disk(place: Path, n_bytes: int) -> Iterator[Path | None]:
    """Mount a tmpfs of that size at `place`; None where that is not allowed."""
    place.mkdir(exist_ok=True)
    asked = ("mount", "-t", "tmpfs", "-o", f"size={n_bytes},mode=700", "sectoraug-faults", place)
    try:
        mounted = subprocess.run(asked, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(("umount", "--lazy", place), check=True)


def changed(place: Path, option: str) -> None:
    """Mount it again with another option: "size=...", "ro" or "rw"."""
    subprocess.run(("mount", "-o", f"remount,{option}", place), check=True)
