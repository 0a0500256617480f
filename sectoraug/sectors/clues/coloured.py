"""Thin strokes of a colour on grey echoes: calipers and labels that a network of greys can miss."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_COLOURED = 48  # grey levels between a pixel's strongest and weakest channel
_THICKEST = 0.02  # of the longer side
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
    high = frame.max(2)
    chroma = high - frame.min(2)
    if chroma.max() <= _COLOURED:
        return np.zeros(size, np.bool_)
    echoes = high > _ECHO
    if echoes.any() and np.median(chroma[echoes] / high[echoes]) > _TINTED:
        return np.zeros(size, np.bool_)
    side = max(5, round(_THICKEST * max(size))) | 1
    strokes = chroma - _opened(chroma, side) > _COLOURED
    flow = _opened(chroma, side // 2 | 1) > _COLOURED
    if flow.mean() > _FLOW_SHARE:
        reach = np.ones((4 * side + 1, 4 * side + 1), np.uint8)
        strokes &= cv2.dilate(flow.view(np.uint8), reach) == 0
    return np.asarray(strokes, np.bool_)


def _opened(plane: NDArray[Any], side: int) -> NDArray[Any]:
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)))
