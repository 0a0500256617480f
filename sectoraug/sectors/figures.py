"""What is wrong with a mask, without a drawn one to compare it with: overlay inside, echoes outside."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.echoes import Evidence
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.net import Seen

_WRITTEN = 0.6  # probability of overlay from which on a pixel counts
_STILL = 1.0  # grey levels of mean absolute difference: what moves more is no overlay


class Figures(NamedTuple):
    """As Echo-Toolkit (Judge et al., 2024) prints them, each in percent."""

    overlay_inside_percent: float
    """Of the sector: what is text, a ruler, a mark or a curve."""
    echoes_outside_percent: float
    """Of the echoes: what lies outside the sector."""


def figures(
    sector: NDArray[np.bool_],
    seen: Seen,
    clip: ClipStatistics | None = None,
    evidence: Evidence | None = None,
) -> Figures:
    """Both figures of a sector.

    Args:
        sector: (H, W) of any size.
        seen: what the networks make of the picture.
        clip, evidence: of a clip that moves, of the size of `seen.overlay`: its overlay stands still, and
            its echoes move and shine. Without, echoes are what the network takes for the sector's inside.
    """
    written = seen.overlay > _WRITTEN
    inside = _at(sector, written.shape)
    if clip is None or evidence is None:
        echoes = cv2.resize(seen.log_odds, written.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0
    else:
        written &= clip.difference < _STILL
        echoes = evidence.surely & evidence.solid
    echoes = np.asarray(echoes) & ~written
    return Figures(_percent(inside, written), _percent(echoes, ~inside))


def _at(sector: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.bool_]:
    shrunk = cv2.resize(sector.view(np.uint8) * np.uint8(255), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk > 127)


def _percent(whole: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return round(100 * float((whole & part).sum() / max(int(whole.sum()), 1)), 3)
