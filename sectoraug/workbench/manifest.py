"""What became of each clip: one JSON line a clip, only ever appended to."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NAME = "manifest.jsonl"
_SYNC_SECONDS = 5.0


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
    error: str | None = None
    """Why nothing was written, in one sentence."""


def read_entries(folder: Path) -> list[Entry]:
    """All entries of a folder in their order; a torn last line is left out."""
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {NAME}; expected a folder that `sectoraug masks` has written."
        )
    with open(path, encoding="utf-8") as lines:
        return [_parsed(line, n, path) for n, line in enumerate(lines, 1) if line.endswith("\n")]


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
        path = self.folder / NAME
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._cut_torn_line()
        self.latest = {entry.visit: entry for entry in read_entries(self.folder)}
        self._synced = time.monotonic()
        return self

    def _cut_torn_line(self) -> None:
        end = position = os.lseek(self._file, 0, os.SEEK_END)
        while position > 0:
            start = max(0, position - 4096)
            newline = os.pread(self._file, position - start, start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < end:
            os.ftruncate(self._file, position)
        os.lseek(self._file, position, os.SEEK_SET)

    def append(self, entry: Entry) -> None:
        """Add a line, in one write: a killed process leaves it whole or torn at the end."""
        line = (json.dumps(asdict(entry)) + "\n").encode()
        while line:
            line = line[os.write(self._file, line) :]
        self.latest[entry.visit] = entry
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file)
            self._synced = time.monotonic()

    def __exit__(self, *exc: object) -> None:
        os.fsync(self._file)
        os.close(self._file)
