"""Fitting a donor to a size without letting a pixel of its sector out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.swap import blacken_sector

RESIZE = ("raise", "stretch", "pad")


def fit(
    background: NDArray[Any], sector: NDArray[Any], size: tuple[int, int], resize: str
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Bring a background and its sector to `size` (height, width), black inside before and after.

    `resize` is "stretch" (ignore the aspect ratio), "pad" (keep it, centred, black borders) or
    "raise" (only a fitting size is right).
    """
    inside = checks.sector(sector, background.shape[:2])
    background = blacken_sector(background, inside)
    height, width = background.shape[:2]
    if (height, width) == tuple(size):
        return background, inside
    if resize == "raise":
        raise ValueError(
            f"the background is {height} x {width} pixels; expected {size[0]} x {size[1]}: "
            'use resize="stretch" or resize="pad" to fit it.'
        )
    inner = size
    if resize == "pad":
        scale = min(size[0] / height, size[1] / width)
        inner = (max(1, round(height * scale)), max(1, round(width * scale)))
    shrinks = inner[0] * inner[1] < height * width
    scaled = cv2.resize(
        background, inner[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    scaled_inside = cv2.resize(inside, inner[::-1], interpolation=cv2.INTER_NEAREST)
    top, left = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    window = np.s_[top : top + inner[0], left : left + inner[1]]
    fitted = np.zeros((*size, *background.shape[2:]), background.dtype)
    fitted[window] = scaled.reshape((*inner, *background.shape[2:]))
    fitted_inside = np.zeros(size, np.uint8)
    fitted_inside[window] = scaled_inside
    return blacken_sector(fitted, fitted_inside), fitted_inside
