"""Which outline explains each pixel's log-odds of lying inside the sector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import at_most
from sectoraug.sectors.clues.pieces import pieces
from sectoraug.sectors.outline.edges import edges
from sectoraug.sectors.outline.fit import named, refine
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.search import search

Plane = NDArray[np.float32]

_SURE = 4.0  # log-odds from which on a pixel counts no more
# What an outline must explain more than a simpler one, as IoU: sides that differ, straight cuts.
_LOPSIDED, _CUT = 0.012, 0.01
_EDGES = 0.15  # what a contrast of 1 all along an outline is worth, as IoU
_NO_EDGE = 0.6  # the contrast that a whole frame counts as having
_BEHIND = 0.1  # expected IoU: an outline so far behind the best is not fitted onto edges
_EXPLAINED = 0.005  # expected IoU short of the highest possible from which on no other kind is looked for
_REACH_PX = 4
_THREAD_PX = 5
_JUDGED_PX = 160  # longer side on which candidates are compared


@dataclass(frozen=True)
class Likely:
    """An outline, and how well it explains the log-odds."""

    shape: SectorGeometry
    expected_iou: float
    """0..1: its IoU with the truth if every pixel's probability is right."""
    given: int | None = None
    """Which of the outlines that were given it is, or comes from; None for what was found."""


class _Judged(NamedTuple):
    shape: SectorGeometry
    expected: float
    worth: float
    """The expected IoU and what else speaks for it."""
    given: int | None


def most_likely(log_odds: Plane, given: Sequence[SectorGeometry] = ()) -> Likely | None:
    """The outline with the highest expected IoU; between nearly equals the clearer and the simpler one.

    Args:
        log_odds: (H, W), above 0 inside.
        given: outlines of that size that are judged beside those found.
    """
    if not (log_odds > 0).any():
        return None
    chance = probability(log_odds)
    small = at_most(chance, _JUDGED_PX)
    share = small.shape[1] / chance.shape[1], small.shape[0] / chance.shape[0]
    most = expected_iou(small > 0.5, small)  # no outline promises much more

    def judged(shape: SectorGeometry, origin: int | None) -> _Judged:
        expected = expected_iou(shape.scaled(*share).rasterise(small.shape), small)
        return _Judged(shape, expected, expected + _worth(shape, chance), origin)

    def better(best: _Judged, shape: SectorGeometry, origin: int | None) -> _Judged:
        rough = judged(shape, origin)
        found = [best, rough]
        if rough.expected > best.expected - _BEHIND:
            found.append(judged(refine(shape, chance), origin))
        return max(found, key=lambda one: one.worth)

    best = judged(SectorGeometry.whole_frame(log_odds.shape), None)
    for number, shape in enumerate(given):
        best = better(best, shape, number)
    for shapes in search(np.clip(log_odds, -_SURE, _SURE) / np.float32(_SURE)):
        for shape in shapes:
            best = better(best, shape, None)
        if best.expected > most - _EXPLAINED:  # the less simple ones that follow could hardly be worth more
            break
    return Likely(named(best.shape), expected_iou(best.shape.rasterise(chance.shape), chance), best.given)


def probability(log_odds: Plane) -> Plane:
    """0..1 of log-odds."""
    return np.asarray(1 / (1 + np.exp(-log_odds)), np.float32)


def expected_iou(inside: NDArray[np.bool_], chance: Plane) -> float:
    """The IoU with the truth that probabilities (H, W) promise a sector (H, W)."""
    hit = float(chance[inside].sum(dtype=np.float64))
    missed = float(chance.sum(dtype=np.float64)) - hit
    return hit / max(int(inside.sum()) + missed, 1e-9)


def largest(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece, holes filled."""
    outlines, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(inside.shape, np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _worth(shape: SectorGeometry, chance: Plane) -> float:
    """What speaks for an outline beside its expected IoU: that it runs along edges, and is simple."""
    found = edges(shape, chance, _REACH_PX)
    contrast = float(found.contrast_here.mean()) if len(found.side) else _NO_EDGE
    if shape.apex_px is None:
        return _EDGES * contrast
    left, top, right, bottom = shape.box_px
    height, width = chance.shape
    cut = bool(max(left, top, width - 1 - right, height - 1 - bottom) > 0.5)
    return _EDGES * contrast - _CUT * cut - _LOPSIDED * (not shape.upright)


def second_share(inside: NDArray[np.bool_]) -> float:
    """The area of the second largest piece as a share of the largest; specks and threads do not count."""
    opened = cv2.morphologyEx(inside.view(np.uint8), cv2.MORPH_OPEN, np.ones((_THREAD_PX,) * 2, np.uint8))
    areas = np.sort(pieces(opened.view(np.bool_), 4)[1][1:])
    return float(areas[-2] / areas[-1]) if len(areas) > 1 else 0.0
