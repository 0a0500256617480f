"""Thin strokes of a colour on grey echoes: calipers and labels that a network of greys can miss."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.surroundings import opened, stroke_px, strokes_above

_COLOURED = 48  # grey levels between a pixel's strongest and weakest channel
_TINTED = 0.15  # saturation of the echoes from which on a picture is tinted, so strokes tell nothing
_ECHO = 60  # grey levels
_FLOW_SHARE = 0.002  # of the frame


def coloured_strokes(frame: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W) where thin strokes of a colour are; none on tinted pictures, nor beside areas of colour (flow).

    Args:
        frame: (H, W) or (H, W, 3) uint8.
    """
    size = frame.shape[:2]
    if frame.ndim == 2:
        return np.zeros(size, np.bool_)
    red, green, blue = cv2.split(frame)
    high = np.asarray(cv2.max(cv2.max(red, green), blue))
    chroma = np.asarray(high - cv2.min(cv2.min(red, green), blue))
    if chroma.max() <= _COLOURED:
        return np.zeros(size, np.bool_)
    echoes = high > _ECHO
    if echoes.any() and np.median(chroma[echoes] / high[echoes]) > _TINTED:
        return np.zeros(size, np.bool_)
    side = stroke_px(size)
    strokes = strokes_above(chroma, _COLOURED)
    flow = opened(chroma, side // 2 | 1) > _COLOURED
    if flow.mean() > _FLOW_SHARE:
        reach = np.ones((4 * side + 1, 4 * side + 1), np.uint8)
        strokes &= cv2.dilate(flow.view(np.uint8), reach) == 0
    return strokes
