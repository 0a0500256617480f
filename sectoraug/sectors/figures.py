"""What is wrong with a mask, without a drawn one to compare it with: overlay inside, echoes outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.echoes import Evidence

if TYPE_CHECKING:
    from sectoraug.sectors.clues.net import Seen  # imports torch

_WRITTEN = 0.5  # share of a pixel from which on it counts as overlay


class Figures(NamedTuple):
    """As Echo-Toolkit (Judge et al., 2024) prints them, each in percent."""

    overlay_inside_percent: float
    """Of the sector: what is text, a ruler, a mark or a curve."""
    echoes_outside_percent: float
    """Of the echoes: what lies outside the sector."""


def figures(sector: NDArray[np.bool_], seen: Seen, evidence: Evidence | None = None) -> Figures:
    """Both figures of a sector.

    Args:
        sector: (H, W) of any size.
        seen: what the network makes of the picture.
        evidence: of a clip that moves: its echoes are what moves and shines; without, they are what the
            network takes for the sector's inside.
    """
    written = seen.overlay > _WRITTEN
    inside = _at(sector, written.shape)
    if evidence is None:
        echoes = cv2.resize(seen.log_odds, written.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0
    else:
        echoes = evidence.surely & evidence.solid
    echoes = np.asarray(echoes) & ~written
    return Figures(_percent(inside, written), _percent(echoes, ~inside))


def _at(sector: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.bool_]:
    shrunk = cv2.resize(sector.view(np.uint8) * np.uint8(255), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk > 127)


def _percent(whole: NDArray[np.bool_], part: NDArray[np.bool_]) -> float:
    return round(100 * float((whole & part).sum() / max(int(whole.sum()), 1)), 3)
