"""Flat bars and panels, which a network takes for dim echoes where they touch them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.surroundings import even

_EVEN, _RANGE = 1, 4  # grey levels within a pixel's surroundings, and within a bar
_ABOVE, _BELOW = 8, 200  # grey levels above the darkest tenth, and below saturation
_DARKEST = 0.1
_LEAST_SHARE = 0.001  # of the frame
_STRAIGHT = 0.7  # of its bounding box that a bar fills, as smooth echoes of a codec do not
_LINES = 0.012  # of the longer side: strokes on a bar, and between two
_AROUND = np.ones((3, 3), np.uint8)


def bars(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rectangles of one grey level, neither dark nor saturated, with what is drawn on them.

    Args:
        grey: (H, W).
    """
    floor = float(np.quantile(grey, _DARKEST))
    flat = even(grey, within=_EVEN) & (grey > floor + _ABOVE) & (grey < _BELOW)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(flat.view(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA]
    boxes = stats[:, cv2.CC_STAT_WIDTH] * stats[:, cv2.CC_STAT_HEIGHT]
    found = (areas > _LEAST_SHARE * grey.size) & (areas > _STRAIGHT * boxes)
    found[0] = False
    for number in np.flatnonzero(found):
        found[number] = np.ptp(grey[labels == number]) <= _RANGE
    inner = cv2.dilate(found[labels].view(np.uint8), _AROUND)
    side = 1 + 2 * round(_LINES * max(grey.shape))
    return np.asarray(cv2.morphologyEx(inner, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0)
