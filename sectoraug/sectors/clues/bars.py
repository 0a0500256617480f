"""Flat bars and panels, which a network takes for dim echoes where they touch them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.pieces import pieces
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
    labels, areas = pieces(flat, 4)
    found = areas > _LEAST_SHARE * grey.size
    for number in np.flatnonzero(found):
        piece = labels == number
        *_, width, height = cv2.boundingRect(piece.view(np.uint8))
        found[number] = areas[number] > _STRAIGHT * width * height and np.ptp(grey[piece]) <= _RANGE
    if not found.any():
        return np.zeros_like(flat)
    inner = cv2.dilate(found[labels].view(np.uint8), _AROUND)
    side = 1 + 2 * round(_LINES * max(grey.shape))
    return np.asarray(cv2.morphologyEx(inner, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8)) > 0)
