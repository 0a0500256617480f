"""The rim of a sector that was found: burned-in pixels that an outline cuts off are taken away."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics

_WRITTEN = 0.25  # share of a pixel from which on it may be part of a stroke
_STROKE, _STROKE_LEVEL = 0.02, 30  # of the longer side; grey levels above what is around
_DEPTH = 2  # rims that a stroke may reach into a sector
_MOSTLY, _LEAST_PX = 0.3, 3  # share of a stroke that lies outside, and how much of it


def without_overlay(sector: NDArray[np.bool_], clip: ClipStatistics, *, moves: bool) -> NDArray[np.bool_]:
    """Take burned-in pixels off the rim of a sector.

    An outline is good to a pixel or two, and text, rulers and ECGs are cut off at it: what goes on inside
    at the grey level it has outside belongs to them, and in a clip that moves so does what stands still
    and shines.

    Args:
        sector: (H, W).
        clip: its statistics.
        moves: whether echoes move in this clip.
    """
    rim_px = _rim_px(sector)
    rim = _rim(sector, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1, 2 * rim_px + 1)))
    bright = clip.brightest > 8
    burned = (clip.brightest > 30) & ~sector
    if moves:
        burned |= rim & (clip.brightest > 2) & (clip.difference == 0)
    level = clip.brightest.astype(np.int16)
    for _ in range(rim_px):
        grown = burned.copy()
        for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
            here, there = _shifted(down, across)
            alike = np.abs(level[here] - level[there]) <= 2
            grown[here] |= burned[there] & rim[here] & bright[here] & alike
        if np.array_equal(grown, burned):
            break
        burned = grown
    return np.asarray(sector & ~burned, np.bool_)


def without_strokes(
    sector: NDArray[np.bool_], grey: NDArray[np.uint8], overlay: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Take strokes off the rim of a still's sector that reach into it from outside, as text and rulers do.

    Args:
        sector: (H, W).
        grey: (H, W).
        overlay: (h, w), 0..1: the share of each pixel that is overlay, of any size.
    """
    side = max(5, round(_STROKE * max(sector.shape))) | 1
    written = cv2.resize(overlay, grey.shape[::-1], interpolation=cv2.INTER_LINEAR) > _WRITTEN
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((side, side), np.uint8)) > _STROKE_LEVEL
    strokes = written & thin
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(strokes.view(np.uint8), connectivity=8)
    beyond = np.bincount(labels.ravel(), ~sector.ravel(), count)
    crossing = (beyond >= _MOSTLY * sizes[:, cv2.CC_STAT_AREA]) & (beyond >= _LEAST_PX)
    crossing[0] = False
    widened = cv2.dilate(crossing[labels].view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    reach = 2 * _DEPTH * _rim_px(sector) + 1
    return sector & ~(np.asarray(widened) & _rim(sector, np.ones((reach, reach), np.uint8)))


def _rim_px(sector: NDArray[np.bool_]) -> int:
    return max(2, round(0.008 * float(max(sector.shape))))


def _rim(sector: NDArray[np.bool_], reach: NDArray[Any]) -> NDArray[np.bool_]:
    """What lies within reach of the outline; beyond the image there is nothing to leak."""
    core = cv2.erode(sector.view(np.uint8), reach, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(sector & (core == 0), np.bool_)


def _shifted(down: int, across: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Slices of a plane and of its neighbours at this offset."""

    def pair(by: int) -> tuple[slice, slice]:
        if by == 0:
            return slice(None), slice(None)
        return (slice(by, None), slice(None, -by)) if by > 0 else (slice(None, by), slice(-by, None))

    (rows, rows_there), (columns, columns_there) = pair(down), pair(across)
    return (rows, columns), (rows_there, columns_there)
