"""Sectors of an archive's clips, found or drawn, and kept as masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.clips import open_clip
from sectoraug.reading.regions import Region, read_regions
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.estimate import joined
from sectoraug.sectors.finder import sector_of_group, with_figures
from sectoraug.sectors.parts import Group, chosen, groups_of_clip
from sectoraug.workbench.formats.drawn import read_drawn
from sectoraug.workbench.jobs.remembered import Remembered, fitting
from sectoraug.workbench.run.manifest import Entry
from sectoraug.workbench.run.out_folder import whole_file
from sectoraug.workbench.run.sources import Source

PARTS = ("one", "each")


@dataclass(frozen=True)
class FindSector:
    """The job of `sectoraug masks`: a clip's sector as a PNG in `folder`, 0 outside and 255 inside.

    A mask that a person drew is taken instead, and never given up for one that is found.
    """

    folder: str
    parts: str = "one"
    """Whether a clip whose sector changes midway is refused ("one"), or gets a mask a part ("each")."""
    miscounted: str = "raise"
    """As of `iter_clip`; of what is kept the note tells the counts."""
    network: str = "torch"
    """The engine of `sector_from_clip`."""
    remembered: tuple[Remembered, ...] = ()
    """Outlines that are tried on clips that show the same screen."""

    def __call__(self, source: Source, sha256: str) -> list[Entry]:
        folder, name = Path(self.folder), f"masks/{sha256[:2]}/{sha256}"
        kept = folder / f"{name}-drawn.png"
        drawn = Path(source.drawn) if source.drawn else kept if kept.is_file() else None
        promised, frames = open_clip(source.path, miscounted=self.miscounted)
        counted = _Counted(frames)
        found: list[_Found]
        if drawn is not None:
            mask = read_drawn(drawn, source.drawn_as if source.drawn else "", Path(source.path))
            found = [(None, _drawn_sector(mask, counted, self.network), None)]
        else:
            regions = read_regions(source.path)
            groups = groups_of_clip(counted)
            if self.parts == "one":
                groups = [chosen(groups, "one")]
            found = [self._sector_or_why(group, regions) for group in groups]
        count = (
            "" if promised in (None, counted.n) else f"{counted.n} frames where the header says {promised}"
        )
        entries = []
        for k, (spans, sector, remembered_from) in enumerate(found, 1):
            entry = Entry(
                source=source.name,
                visit=source.visit,
                sha256=sha256,
                frames=counted.n,
                part=(k, len(found)) if len(found) > 1 else None,
                spans=spans,
                path=source.path,
                drawn=drawn is not None,
                remembered_from=remembered_from,
            )
            if isinstance(sector, str):
                entries.append(replace(entry, error=sector))
            else:
                entries.append(_written(folder, name, entry, sector, count))
        return entries

    def is_outdated(self, source: Source, ends: list[Entry]) -> bool:
        """Whether a person drew a mask, maybe anew."""
        return source.drawn is not None

    def _sector_or_why(self, group: Group, regions: tuple[Region, ...]) -> _Found:
        known = fitting(self.remembered, group.statistics)
        try:
            found = sector_of_group(group, regions, [one.geometry for one in known], self.network)
        except sa.SectorNotFound as error:
            if group.runs is None:
                raise
            return group.runs, f"{group.note}: {error}", None
        return group.runs, found, None if found.candidate is None else known[found.candidate].sha256


_Found = tuple[list[list[int]] | None, sa.SectorEstimate | str, str | None]
"""The spans of a part, its sector or why there is none, and which clip its outline is remembered from."""


def _written(folder: Path, name: str, entry: Entry, found: sa.SectorEstimate, count: str) -> Entry:
    height, width = found.sector.shape
    name += "-drawn" if entry.drawn else f"-{entry.part[0]}of{entry.part[1]}" if entry.part else ""
    with whole_file(folder, f"{name}.png") as part:
        part.write_bytes(cv2.imencode(".png", found.sector * np.uint8(255))[1].tobytes())
    return replace(
        entry,
        size=(height, width),
        file=f"{name}.png",
        geometry=None if found.geometry is None else found.geometry.to_dict(),
        quality=round(float(found.quality), 4),
        note=joined(
            "remembered outline" if entry.remembered_from else "",
            found.note,
            "" if found.clean else "text or marks inside",
            count,
        ),
        overlay_inside_percent=found.overlay_inside_percent,
        echoes_outside_percent=found.echoes_outside_percent,
    )


def _drawn_sector(
    sector: NDArray[np.uint8], frames: Iterable[NDArray[np.uint8]], engine: str
) -> sa.SectorEstimate:
    drawn = sa.SectorEstimate(sector.astype(bool), None, 1.0, "drawn by hand")
    return with_figures(drawn, clip_statistics(_of_size(frames, sector.shape)), engine)


def _of_size(frames: Iterable[NDArray[np.uint8]], size: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    for frame in frames:
        if frame.shape[:2] != size:
            raise ValueError(
                f"the drawn mask is {size[0]} x {size[1]} pixels but a frame {frame.shape[0]} x "
                f"{frame.shape[1]}; expected the same: draw it on a frame of this clip."
            )
        yield frame


class _Counted(Iterator[NDArray[np.uint8]]):
    def __init__(self, frames: Iterator[NDArray[np.uint8]]) -> None:
        self.frames = frames
        self.n = 0

    def __next__(self) -> NDArray[np.uint8]:
        frame = next(self.frames)
        self.n += 1
        return frame
