"""Finding the sector of a clip or a still, and saying how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.sectors.evidence import Evidence, without_overlay, weigh
from sectoraug.sectors.fit import edges, refine, search, settle
from sectoraug.sectors.geometry import SectorGeometry
from sectoraug.sectors.motion import (
    ClipStatistics,
    clip_statistics,
    filled_region,
    hull_region,
    threshold_region,
)

METHODS = ("threshold", "filled", "hull", "fan")

# Motion and echo levels in grey levels: noise floors need the first, grabbed analogue video the last.
_LEVELS = ((0.05, 3.0), (0.5, 8.0), (2.0, 20.0))
_FIT_PX = 640  # larger pictures are fitted at this longer side
_NO_EDGE = 0.4  # the contrast that a whole frame must beat, as it has no edge to show


class SectorNotFound(ValueError):
    """The picture shows no sector that can be told from its background; the sentence says what it shows."""


@dataclass(frozen=True)
class SectorEstimate:
    """A sector that was found, and how sure that is."""

    sector: NDArray[np.bool_]
    """(H, W); True inside."""
    geometry: SectorGeometry | None
    """The outline as numbers; None for the motion recipes."""
    quality: float
    """0..1; above 0.5 the outline is one that edges confirm all around."""
    note: str = ""
    """What is worth knowing about it, such as "whole frame"."""


@dataclass(frozen=True)
class Candidate:
    shape: SectorGeometry
    evidence: Evidence
    level: int
    contrast: float
    supported: float
    gathered: float
    covered: float
    active: float
    edges: int
    agreement: float = 0.0

    @property
    def score(self) -> float:
        return self.contrast * self.gathered


def best_fit(clip: ClipStatistics) -> Candidate:
    """The candidate that edges and evidence support best, among three levels of sensitivity."""
    per_level: list[list[Candidate]] = []
    for level, (motion, echo) in enumerate(_LEVELS):
        evidence = weigh(clip, motion, echo)
        found = []
        for rough in search(evidence.weight):
            fine = refine(rough, evidence.response)
            if not evidence.static:
                moving = clip.difference > motion
                fine = settle(fine, moving, moving & (evidence.off > echo))
            first, second = _judged(fine, evidence, level), _judged(rough, evidence, level)
            # Refining moves onto edges; where it loses evidence it moved onto the wrong ones.
            kept = first.gathered > second.gathered - 0.025 and first.score > 0.6 * second.score
            found += [first] if kept else [first, second]
        found.append(_judged(SectorGeometry.whole_frame(evidence.weight.shape), evidence, level))
        per_level.append(found)
    bests = [max(found, key=lambda c: c.score) for found in per_level]
    best = max(bests, key=lambda c: c.score)
    planes = [c.shape.rasterise(best.evidence.weight.shape) for c in bests]
    own = planes[best.level]
    agreement = sorted(
        float((own & plane).sum() / max((own | plane).sum(), 1)) for plane in planes if plane is not own
    )
    return replace(best, agreement=agreement[-1])


def _judged(shape: SectorGeometry, evidence: Evidence, level: int) -> Candidate:
    weight = evidence.weight
    sector = shape.rasterise(weight.shape)
    found = edges(shape, evidence.response, max(3, round(0.01 * max(weight.shape))))
    positive = np.maximum(weight, 0)
    total = max(float(positive.sum()), 1e-9)
    n = len(found.side)
    return Candidate(
        shape,
        evidence,
        level,
        float(found.contrast_here.mean()) if n else _NO_EDGE,
        float((found.contrast_here > 0.5).mean()) if n else _NO_EDGE,
        float(weight[sector].sum()) / total,
        float(positive[sector].sum()) / total,
        float((weight[sector] > 0).mean()) if sector.any() else 0.0,
        n,
    )


def shrunk(clip: ClipStatistics) -> ClipStatistics:
    """The statistics at no more than the size that fits run at."""
    factor = _FIT_PX / max(clip.mean.shape)
    if factor >= 1:
        return clip
    height, width = (max(1, round(side * factor)) for side in clip.mean.shape)
    return replace(
        clip,
        **{
            name: cv2.resize(getattr(clip, name), (width, height), interpolation=cv2.INTER_AREA)
            for name in ("difference", "mean", "brightest")
        },
    )


def sector_from_statistics(clip: ClipStatistics) -> tuple[NDArray[np.bool_], SectorGeometry, Candidate]:
    height, width = clip.mean.shape
    small = shrunk(clip)
    best = best_fit(small)
    shape = best.shape.scaled(width / small.mean.shape[1], height / small.mean.shape[0])
    sector = shape.rasterise((height, width))
    return without_overlay(sector, clip, moves=not best.evidence.static), shape, best
