"""Getting back what a `masks` run keeps: the sector of a clip, if it is good."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.stills import read_sector
from sectoraug.workbench.review.journal import NAME as JOURNAL
from sectoraug.workbench.review.journal import Journal, verdict_on
from sectoraug.workbench.run.manifest import NAME, Entry, SectorRefused, latest_by_clip


@dataclass(frozen=True, repr=False)
class KeptSector:
    """The sector of a clip, or of each of its parts."""

    entries: list[Entry]
    sectors: list[NDArray[np.uint8]]
    """(H, W) each, 1 inside."""

    @property
    def frames(self) -> int:
        """The number of frames of the clip."""
        return self.entries[0].frames or 1

    @property
    def digest(self) -> str:
        """Of the sectors and the frames that have them."""
        seen = hashlib.sha256()
        for entry, sector in zip(self.entries, self.sectors, strict=True):
            seen.update(repr((sector.shape, entry.spans)).encode())
            seen.update(np.packbits(sector).data)
        return seen.hexdigest()[:16]

    @property
    def covered(self) -> list[int]:
        """The frames, from 0, that have a sector: all, but for those between parts."""
        return sorted(frame for entry in self.entries for frame in entry.covered)

    def at(self, frame: int) -> NDArray[np.uint8]:
        """The sector of a frame, all zero where it has none."""
        for entry, sector in zip(self.entries, self.sectors, strict=True):
            if entry.spans is None or any(first <= frame <= last for first, last in entry.spans):
                return sector
        return np.zeros_like(self.sectors[0])


def kept_sector(
    folder: Path, sha256: str, name: str, quality_at_least: float, reviewed_only: bool = False
) -> KeptSector:
    """The sector that a `masks` run keeps for the file of that digest.

    `name` is what errors call the file. Raises SectorRefused unless there is one, for each part, that leaves
    some background and that a person sorted in, or of that quality and without overlay inside if nobody
    sorted it (but for `reviewed_only`); ValueError or OSError if it cannot be read.
    """
    entries = _entries(folder, _state_of(folder / NAME)).get(sha256)
    if entries is None:
        raise SectorRefused(
            f"{name} has no entry in {folder}; expected a run of `sectoraug masks` over this very file: run "
            "that first, and again after a file changed."
        )
    if len(entries) < (entries[0].part or (1, 1))[1]:
        raise SectorRefused(
            f"{name} has entries in {folder} of some parts only; expected all: run `sectoraug masks` over it "
            "again."
        )
    sectors = []
    for entry in entries:
        which = name if entry.part is None else f"{name}, part {entry.part[0]} of {entry.part[1]},"
        sectors.append(_good_sector(folder, entry, which, quality_at_least, reviewed_only))
    return KeptSector(entries, sectors)


def kept_masks(
    folder: str | Path, quality_at_least: float = 0.5, reviewed_only: bool = False
) -> dict[str, Path]:
    """The mask of every clip of a `masks` run that has a good one, by the same rules as `apply` and `pool`.

    Args:
        folder: what `sectoraug masks` has written.
        quality_at_least: of masks that nobody sorted, in 0..1; they must be free of text and marks, too.
        reviewed_only: leave those out altogether.

    Returns:
        Paths of PNGs, 0 outside and 255 inside, by the SHA-256 of the clip's bytes. Clips in parts, which
        have several masks, are left out.

    Raises:
        FileNotFoundError: no manifest there.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import mkdtemp
        >>> from sectoraug.workbench import kept_masks
        >>> folder = Path(mkdtemp())
        >>> (folder / "manifest.jsonl").touch()
        >>> kept_masks(folder)
        {}
    """
    folder = Path(folder)
    kept = {}
    for clip, entries in latest_by_clip(folder).items():
        if entries[0].part is None and entries[0].file is not None:
            with suppress(SectorRefused):
                _good_sector(folder, entries[0], entries[0].source, quality_at_least, reviewed_only)
                kept[clip] = folder / entries[0].file
    return kept


def _good_sector(
    folder: Path, entry: Entry, name: str, quality_at_least: float, reviewed_only: bool
) -> NDArray[np.uint8]:
    if entry.error is not None or entry.file is None or entry.quality is None or entry.size is None:
        raise SectorRefused(
            f"{name} has an entry in {folder} without a sector; expected one: its error says why; draw its "
            "mask (`sectoraug masks --drawn`), or leave the clip out."
        )
    verdict = verdict_on(entry, folder, _journal(folder, _state_of(folder / JOURNAL)))
    if verdict == "out":
        raise SectorRefused(
            f"{name} has a sector that was sorted out; expected one sorted in: draw its mask (`sectoraug "
            "masks --drawn`), or leave the clip out."
        )
    if verdict is None and reviewed_only:
        raise SectorRefused(
            f"{name} has a sector that nobody has sorted; expected one sorted in: run `sectoraug review` "
            "first."
        )
    if verdict is None and not entry.clean:
        raise SectorRefused(
            f"{name} has a sector with text or marks on {entry.overlay_inside_percent:.2g}% of it; expected "
            "none: look at the mask, and if it is right sort it in, or draw it."
        )
    if verdict is None and not entry.quality >= quality_at_least:
        raise SectorRefused(
            f"{name} has a sector of quality {entry.quality:.2f}; expected at least {quality_at_least:g}: "
            "look at the mask, and if it is right sort it in or lower --quality-at-least."
        )
    sector: NDArray[np.uint8] = (read_sector(folder / entry.file) != 0).view(np.uint8)
    if sector.shape != tuple(entry.size):
        raise ValueError(
            f"{name} has a mask of {sector.shape[0]} x {sector.shape[1]} pixels, made for {entry.size[0]} x "
            f"{entry.size[1]}; expected the same: run `sectoraug masks` into a new folder."
        )
    if sector.all():
        raise SectorRefused(
            f"{name} has a sector that fills the whole frame; expected some background: is the clip cropped? "
            "Leave it out."
        )
    return sector


@lru_cache(maxsize=1)
def _entries(folder: Path, state: object) -> dict[str, list[Entry]]:
    return latest_by_clip(folder)


@lru_cache(maxsize=1)
def _journal(folder: Path, state: object) -> Journal:
    return Journal(folder)


def _state_of(file: Path) -> object:
    if not file.exists():
        return None
    about = file.stat()
    return about.st_size, about.st_mtime_ns
