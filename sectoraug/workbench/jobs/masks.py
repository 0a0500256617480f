"""Sectors of an archive's clips: finding them, keeping them as masks, getting them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.stills import read_sector
from sectoraug.workbench.review.journal import NAME as JOURNAL
from sectoraug.workbench.review.journal import Journal, verdict_on
from sectoraug.workbench.run.manifest import NAME, Entry, SectorRefused, latest_by_clip
from sectoraug.workbench.run.out_folder import whole_file
from sectoraug.workbench.run.sources import Source


@dataclass(frozen=True)
class FindSector:
    """The job of `sectoraug masks`: a clip's sector as a PNG in `folder`, 0 outside and 255 inside.

    A mask that a person drew is taken instead, and never given up for one that is found.
    """

    folder: str

    def __call__(self, source: Source, sha256: str) -> Entry:
        folder, name = Path(self.folder), f"masks/{sha256[:2]}/{sha256}"
        kept = folder / f"{name}-drawn.png"
        drawn = Path(source.drawn) if source.drawn else kept if kept.is_file() else None
        counted = _Counted(sa.iter_clip(source.path))
        if drawn is None:
            name += ".png"
            estimate = sa.sector_from_clip(counted)
        else:
            name += "-drawn.png"
            estimate = _drawn_sector(drawn, counted)
        height, width = estimate.sector.shape
        with whole_file(folder, name) as part:
            part.write_bytes(cv2.imencode(".png", estimate.sector * np.uint8(255))[1].tobytes())
        return Entry(
            source=source.name,
            visit=source.visit,
            sha256=sha256,
            size=(height, width),
            frames=counted.n,
            file=name,
            geometry=None if estimate.geometry is None else estimate.geometry.to_dict(),
            quality=round(float(estimate.quality), 4),
            note=estimate.note,
            path=source.path,
            drawn=drawn is not None,
        )


def _drawn_sector(path: Path, frames: Iterable[NDArray[np.uint8]]) -> sa.SectorEstimate:
    sector = read_sector(path)
    for frame in frames:
        if frame.shape[:2] != sector.shape:
            raise ValueError(
                f"the drawn mask is {sector.shape[0]} x {sector.shape[1]} pixels but a frame "
                f"{frame.shape[0]} x {frame.shape[1]}; expected the same: draw it on a frame of this clip."
            )
    return sa.SectorEstimate(sector.astype(bool), None, 1.0, "drawn by hand")


def kept_sector(
    folder: Path, sha256: str, name: str, quality_at_least: float, reviewed_only: bool = False
) -> tuple[NDArray[np.uint8], Entry]:
    """The sector (H, W), 1 inside, that a `masks` run keeps for the file of that digest, and its entry.

    `name` is what errors call the file. Raises SectorRefused unless there is one that leaves some
    background and that a person sorted in, or of that quality if nobody sorted it (but for `reviewed_only`);
    ValueError or OSError if it cannot be read.
    """
    entry = _entries(folder, _state_of(folder / NAME)).get(sha256)
    if entry is None:
        raise SectorRefused(
            f"{name} has no entry in {folder}; expected a run of `sectoraug masks` over this very file: run "
            "that first, and again after a file changed."
        )
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
    if verdict is None and not entry.quality >= quality_at_least:
        raise SectorRefused(
            f"{name} has a sector of quality {entry.quality:.2f}; expected at least {quality_at_least:g}: "
            "look at the mask, and if it is right sort it in or lower --quality-at-least."
        )
    sector = (read_sector(folder / entry.file) != 0).view(np.uint8)
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
    return sector, entry


@lru_cache(maxsize=1)
def _entries(folder: Path, state: object) -> dict[str, Entry]:
    return latest_by_clip(folder)


@lru_cache(maxsize=1)
def _journal(folder: Path, state: object) -> Journal:
    return Journal(folder)


def _state_of(file: Path) -> object:
    if not file.exists():
        return None
    about = file.stat()
    return about.st_size, about.st_mtime_ns


class _Counted(Iterator[NDArray[np.uint8]]):
    def __init__(self, frames: Iterator[NDArray[np.uint8]]) -> None:
        self.frames = frames
        self.n = 0

    def __next__(self) -> NDArray[np.uint8]:
        frame = next(self.frames)
        self.n += 1
        return frame
