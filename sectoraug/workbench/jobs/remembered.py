"""Outlines that a person has seen, for clips that show the same screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sectoraug.reading.clips import open_clip
from sectoraug.reading.stills import read_sector
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.clues.screen import Screen, screen_of
from sectoraug.sectors.outline.drawn import fit_outline
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.overlap import iou
from sectoraug.workbench.review.journal import Journal, verdict_on
from sectoraug.workbench.run.manifest import Entry, latest_by_clip
from sectoraug.workbench.run.sources import is_unchanged

_FRAMES = 32  # of a clip tell what stands still
_OF_THE_MASK = 0.9  # IoU of an outline with its mask, from which rulers and text may have been taken
_EQUAL = 0.97  # IoU of two outlines of one screen, of which one is enough


@dataclass(frozen=True)
class Remembered:
    """An outline that a person sorted in or drew, and the screen that it was seen on."""

    sha256: str
    """Of the clip that it comes from."""
    geometry: SectorGeometry
    screen: Screen

    def fits(self, screen: Screen) -> bool:
        """Whether a clip shows this screen, apart from the sector."""
        return self.screen.same_as(screen, self.geometry.rasterise(self.screen.size))


def remembered_in(folder: Path) -> tuple[tuple[Remembered, ...], list[str]]:
    """The outlines of a folder's masks that a person sorted in or drew, one a screen, and what is left out.

    Reads the beginning of each of these clips, since manifests tell nothing of screens. Clips in parts, and
    masks of the whole frame or without an outline, are left out.

    Args:
        folder: what `sectoraug masks` has written.

    Raises:
        ValueError, OSError: the manifest or the journal is missing or damaged, or nothing is sorted in.
    """
    journal = Journal(folder)
    seen = [
        parts[0]
        for parts in latest_by_clip(folder).values()
        if parts[0].part is None and verdict_on(parts[0], folder, journal) == "in"
    ]
    if not seen:
        raise ValueError(
            f"{folder} holds no mask that a person sorted in or drew; expected one or more: run `sectoraug "
            f"review {folder}` first."
        )
    found: list[Remembered] = []
    gone = 0
    for entry in seen:
        outline, path = _outline(folder, entry), Path(entry.path or "")
        if outline is None:
            continue
        if not path.exists() or not is_unchanged(path, entry.visit, entry.sha256):
            gone += 1
            continue
        _, frames = open_clip(path, miscounted="keep")
        one = Remembered(str(entry.sha256), outline, screen_of(clip_statistics(islice(frames, _FRAMES))))
        if not any(_equal(one, other) for other in found):
            found.append(one)
    sentences = []
    if gone:
        sentences.append(
            f"{gone} clips sorted in are gone or changed, and their screens unknown; expected them where "
            "`masks` found them: put them back to have their outlines remembered."
        )
    return tuple(found), sentences


def fitting(remembered: Sequence[Remembered], clip: ClipStatistics) -> list[Remembered]:
    """Those whose screen a clip shows."""
    if not remembered:
        return []
    screen = screen_of(clip)
    return [one for one in remembered if one.fits(screen)]


def _outline(folder: Path, entry: Entry) -> SectorGeometry | None:
    """Of a mask, which a person may have changed since it was found; None where none explains it."""
    sector = read_sector(folder / str(entry.file)) != 0
    if sector.all() or not sector.any():
        return None
    if entry.geometry is not None:
        found = SectorGeometry.from_dict(entry.geometry)
        if iou(found.rasterise(sector.shape), sector) >= _OF_THE_MASK:
            return found
    drawn = fit_outline(sector)
    return drawn if iou(drawn.rasterise(sector.shape), sector) >= _OF_THE_MASK else None


def _equal(one: Remembered, other: Remembered) -> bool:
    if not other.fits(one.screen):
        return False
    a, b = (each.geometry.rasterise(each.screen.size) for each in (one, other))
    return iou(a, b) >= _EQUAL
