"""Files that are whole or not there, however a run ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file by `write(part)`, and give it its name when that is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        write(part)
        with open(part, "rb+") as file:
            os.fsync(file.fileno())  # else a crash of the machine could leave an empty file of that name
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
