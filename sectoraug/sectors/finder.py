"""Finding the sector of a clip or a still, and saying how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.sectors.evidence import Evidence, weigh
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

# Pairs of motion and echo levels in grey levels: noise floors need the first, grabbed analogue video the last.
_LEVELS = ((0.05, 3.0), (0.5, 8.0), (2.0, 20.0))


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
    sector: NDArray[np.bool_]
    evidence: Evidence
    contrast: float
    supported: float
    gathered: float
    covered: float
    active: float
    edges: int
    level: int

    @property
    def score(self) -> float:
        return self.contrast * self.gathered


def candidates(clip: ClipStatistics) -> list[Candidate]:
    found = []
    for level, (motion, echo) in enumerate(_LEVELS):
        evidence = weigh(clip, motion, echo)
        for rough in search(evidence.weight):
            fine = refine(rough, evidence.response)
            if evidence.moving_share >= 0.3:
                fine = settle(fine, clip.difference > motion, (clip.difference > motion) & (evidence.off > echo))
            pair = [judge(shape, evidence, level) for shape in (fine, rough)]
            pair = [c for c in pair if c is not None]
            if len(pair) == 2 and pair[0].gathered > pair[1].gathered - 0.025 and pair[0].score > 0.6 * pair[1].score:
                pair = pair[:1]
            found += pair
        whole = judge(SectorGeometry.whole_frame(evidence.weight.shape), evidence, level)
        if whole is not None:
            found.append(whole)
    return found


def judge(shape: SectorGeometry, evidence: Evidence, level: int) -> Candidate | None:
    w = evidence.weight
    sector = shape.rasterise(w.shape)
    if not sector.any():
        return None
    found = edges(shape, evidence.response, max(3, round(0.01 * max(w.shape))))
    positive = np.maximum(w, 0)
    total = max(float(positive.sum()), 1e-9)
    n = len(found.side)
    return Candidate(
        shape,
        sector,
        evidence,
        float(found.contrast_here.mean()) if n else 0.4,
        float((found.contrast_here > 0.5).mean()) if n else 0.4,
        float(w[sector].sum()) / total,
        float(positive[sector].sum()) / total,
        float((w[sector] > 0).mean()),
        n,
        level,
    )
