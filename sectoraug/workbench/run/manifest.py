"""What became of each clip: one JSON line a clip, only ever appended to."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sectoraug.pool.folder import owner_only

NAME = "manifest.jsonl"
_SYNC_SECONDS = 5.0


class SectorRefused(ValueError):
    """A clip has no sector that may be used."""


@dataclass(frozen=True)
class Entry:
    """One clip of a manifest."""

    source: str
    """Path relative to the input that it was found in."""
    visit: str
    """A digest of the absolute path, size and time of change: what tells a clip that is done."""
    sha256: str | None = None
    """Of the source's bytes; None where they could not be read."""
    size: tuple[int, int] | None = None
    """(height, width) in pixels."""
    frames: int | None = None
    file: str | None = None
    """What was written, relative to the manifest's folder."""
    geometry: dict[str, Any] | None = None
    """The sector's shape, as SectorGeometry.to_dict gives it."""
    quality: float | None = None
    """Of the sector, 0..1."""
    note: str = ""
    """What else is known about the sector."""
    path: str | None = None
    """Where the source was, absolute, for looking at it again; only in what `masks` writes."""
    drawn: bool = False
    """Whether a person drew the mask; it counts as sorted in until somebody sorts it out."""
    error: str | None = None
    """Why nothing was written, in one sentence."""
    refused: bool = False
    """Whether that is since there is no good sector, which another mask, review or option may change."""


def read_entries(folder: Path) -> list[Entry]:
    """All entries of a folder in their order; a torn last line is left out."""
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {NAME}; expected a folder that `sectoraug masks` has written."
        )
    with open(path, encoding="utf-8") as lines:
        return [_parsed(line, n, path) for n, line in enumerate(lines, 1) if line.endswith("\n")]


def latest_by_clip(folder: Path) -> dict[str, Entry]:
    """The last entry of each clip by its SHA-256, or by its visit where its bytes could not be read."""
    return {entry.sha256 or entry.visit: entry for entry in read_entries(folder)}


def _parsed(line: str, number: int, path: Path) -> Entry:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"line {number} of {path} is no entry; expected one JSON object a line: the file is damaged, "
            "remove that line to have its clip done again."
        ) from error


class Manifest:
    """The manifest of a folder, open for appending by its one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.latest: dict[str, Entry] = {}
        """The last entry of each visit."""

    def __enter__(self) -> Manifest:
        self._file = open(self.folder / NAME, "ab+", buffering=0, opener=owner_only)
        self._file.seek(0)
        # Only the last line can be torn; what it said is done again.
        self._file.truncate(sum(len(line) for line in self._file if line.endswith(b"\n")))
        self.latest = {entry.visit: entry for entry in read_entries(self.folder)}
        self._synced = time.monotonic()
        return self

    def append(self, entry: Entry) -> None:
        """Add a line, in one write: a killed process leaves it whole or torn at the end."""
        self._file.write((json.dumps(asdict(entry)) + "\n").encode())
        self.latest[entry.visit] = entry
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __exit__(self, *exc: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
