"""Where the network and a fitted outline say the same, the outline stands for both."""

from __future__ import annotations

from dataclasses import replace

from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.estimate import SectorEstimate
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.rim import without_overlay

_ALIKE = 0.95  # IoU from which on they say the same


def agreed(seen: SectorEstimate, shape: SectorGeometry, clip: ClipStatistics) -> SectorEstimate:
    """The network's estimate, with the fitted outline in its place where both say the same."""
    drawn = shape.rasterise(seen.sector.shape)
    if (drawn & seen.sector).sum() < _ALIKE * (drawn | seen.sector).sum():
        return seen
    return replace(seen, sector=without_overlay(drawn, clip, moves=False), geometry=shape)
