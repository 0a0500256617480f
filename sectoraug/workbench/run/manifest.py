"""What became of each clip: one JSON line a clip, only ever appended to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sectoraug.pool.disk import append_all, owner_only
from sectoraug.sectors.estimate import is_clean

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
    """Of the whole clip."""
    file: str | None = None
    """What was written, relative to the manifest's folder."""
    geometry: dict[str, Any] | None = None
    """The sector's shape, as SectorGeometry.to_dict gives it."""
    quality: float | None = None
    """Of the sector, 0..1."""
    note: str = ""
    """What else is known about the sector."""
    overlay_inside_percent: float | None = None
    """Of the sector: what of it is text, rulers, marks or curves."""
    echoes_outside_percent: float | None = None
    """Of the echoes: what lies outside the sector."""
    path: str | None = None
    """Where the source was, absolute, for looking at it again; only in what `masks` writes."""
    drawn: bool = False
    """Whether a person drew the mask; it counts as sorted in until somebody sorts it out."""
    remembered_from: str | None = None
    """SHA-256 of the clip that the outline is remembered from, whose mask a person had sorted in or drawn."""
    error: str | None = None
    """Why nothing was written, in one sentence."""
    refused: bool = False
    """Whether that is since there is no good sector, which another mask, review or option may change."""
    blackened_by: str | None = None
    """Of a copy: a digest of the sectors outside which it is black."""
    part: tuple[int, int] | None = None
    """(k, n): the k-th of n parts of a clip whose sector changes midway; None for a whole clip."""
    spans: list[list[int]] | None = None
    """Of a part: first and last, from 0, of the frames that follow each other."""

    @property
    def key(self) -> str:
        """What tells what the entry is about: the clip's bytes, or where they could not be read its visit."""
        clip = self.sha256 or self.visit
        return f"{clip}-{self.part[0]}of{self.part[1]}" if self.part else clip

    @property
    def clean(self) -> bool:
        """Whether no overlay was seen inside the sector, or a person drew it all the same."""
        return self.drawn or is_clean(self.overlay_inside_percent)

    def good(self, quality_at_least: float) -> bool:
        """Whether there is a sector of that quality without overlay inside."""
        return self.quality is not None and self.quality >= quality_at_least and self.clean

    @property
    def covered(self) -> list[int]:
        """The frames that the entry is about, from 0."""
        if self.spans is None:
            return list(range(self.frames or 1))
        return [frame for first, last in self.spans for frame in range(first, last + 1)]


def read_entries(folder: Path) -> list[Entry]:
    """All entries of a folder in their order; a torn last line is left out."""
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no {NAME}; expected a folder that `sectoraug masks` has written."
        )
    with open(path, "rb") as lines:
        return [_parsed(line, n, path) for n, line in enumerate(lines, 1) if line.endswith(b"\n")]


def latest_by_clip(folder: Path) -> dict[str, list[Entry]]:
    """The last entries of each clip, one a part, by its SHA-256, or its visit if that could not be read."""
    return _latest(read_entries(folder), lambda entry: entry.sha256 or entry.visit)


def _latest(entries: Iterable[Entry], clip: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.part is None or entry.part[0] == 1:
            found[clip(entry)] = []
        found.setdefault(clip(entry), []).append(entry)
    return found


def _parsed(line: bytes, number: int, path: Path) -> Entry:
    try:
        return _checked(Entry(**json.loads(line.decode())))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"line {number} of {path} is no entry; expected one JSON object a line: the file is damaged, "
            "remove that line to have its clip done again."
        ) from error


def _checked(entry: Entry) -> Entry:
    """Raise TypeError or ValueError where a field is not of its kind: damaged, but JSON all the same."""
    texts = (entry.sha256, entry.file, entry.path, entry.error, entry.blackened_by)
    numbers = (entry.quality, entry.overlay_inside_percent, entry.echoes_outside_percent)
    pairs = [pair for pair in (entry.size, entry.part, *(entry.spans or ())) if pair is not None]
    is_well = (
        all(type(text) is str for text in (entry.source, entry.visit, entry.note))
        and all(text is None or type(text) is str for text in texts)
        and all(number is None or type(number) in (int, float) for number in numbers)
        and all(len(pair) == 2 and all(type(each) is int and each >= 0 for each in pair) for pair in pairs)
        and (entry.size is None or min(entry.size) > 0)
        and (entry.part is None or 1 <= entry.part[0] <= entry.part[1])
        and (entry.frames is None or (type(entry.frames) is int and entry.frames > 0))
        and (entry.geometry is None or type(entry.geometry) is dict)
        and type(entry.drawn) is type(entry.refused) is bool
        and (entry.file is None or not {"..", "/"} & set(PurePosixPath(entry.file).parts))
    )
    if not is_well:
        raise ValueError
    return entry


class Manifest:
    """The manifest of a folder, open for appending by its one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.latest: dict[str, list[Entry]] = {}
        """The last entries of each visit, one a part."""

    def __enter__(self) -> Manifest:
        self._file = open(self.folder / NAME, "ab+", buffering=0, opener=owner_only)
        self._file.seek(0)
        # Only the last line can be torn; what it said is done again.
        self._file.truncate(sum(len(line) for line in self._file if line.endswith(b"\n")))
        self.latest = _latest(read_entries(self.folder), lambda entry: entry.visit)
        self._synced = time.monotonic()
        return self

    def append(self, entries: Sequence[Entry]) -> None:
        """Add a clip's lines: all, or none on a full disk; of a killed process the last may be torn."""
        append_all(self._file, "".join(json.dumps(asdict(entry)) + "\n" for entry in entries).encode())
        self.latest[entries[0].visit] = list(entries)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __exit__(self, *exc: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
