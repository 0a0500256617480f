"""What a pixel's surroundings say: all alike as on bars and panels, or darker as around thin strokes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_THICKEST, _LEAST_PX = 0.02, 5  # a stroke: of the longer side, and pixels


def even(grey: NDArray[np.uint8], window: tuple[int, int] = (3, 3), within: int = 0) -> NDArray[np.bool_]:
    """(H, W) where all grey levels of a window lie within so many of each other."""
    spread = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones(window, np.uint8))
    return np.asarray(spread <= within, np.bool_)


def stroke_px(size: tuple[int, ...]) -> int:
    """The side of a window too wide for any stroke on a frame (H, W); odd."""
    return max(_LEAST_PX, round(_THICKEST * max(size))) | 1


def opened(plane: NDArray[Any], side_px: int) -> NDArray[Any]:
    """(H, W) without what is brighter than its surroundings and thinner than `side_px`."""
    return np.asarray(cv2.morphologyEx(plane, cv2.MORPH_OPEN, np.ones((side_px, side_px), np.uint8)))


def strokes_above(plane: NDArray[np.uint8], level: int) -> NDArray[np.bool_]:
    """(H, W) where something as thin as a stroke is brighter than what is around it by more than `level`."""
    return np.asarray(plane - opened(plane, stroke_px(plane.shape)) > level, np.bool_)
