"""Where the heart is: points on the wall of a chamber, which the phantom shows when nothing hides it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from scipy import ndimage

import sectoraug as sa

SIZE = 256
"""Of the pictures that chambers are found in, in pixels."""
UNHIDDEN = {"noise": 0.0, "haze": 0.0, "shadow": 0.0, "blur": 0.0, "reject": 0.0, "gain": 1.0, "vendor": None}


def wall_landmarks(settings: dict[str, Any], size: int, n: int = 6) -> np.ndarray:
    """(n, 2) rows and columns at size x size, around the chamber that is plainest in a clip's first frame.

    `settings` made the clip (`phantom_settings`); the same heart is drawn again, large and unhidden.
    """
    clip = sa.phantom.make_clip(frames=1, size=(SIZE, SIZE), **{**settings, **UNHIDDEN})
    chamber, middle = chamber_of(clip.frames[0], clip.sector)
    steps = np.arange(SIZE)
    points = []
    for angle in 2 * np.pi * np.arange(n) / n:
        ray = [
            np.clip(np.rint(m + steps * d), 0, SIZE - 1).astype(int)
            for m, d in zip(middle, (np.sin(angle), np.cos(angle)), strict=True)
        ]
        leaves = int(np.argmin(chamber[tuple(ray)]))
        points.append([axis[leaves] for axis in ray])
    return (np.array(points) + 0.5) * size / SIZE - 0.5


def chamber_of(image: np.ndarray, sector: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """A chamber's blood, (H, W) bool, and its middle: wide, dark, and with a bright wall around it."""
    smooth = cv2.GaussianBlur(cv2.medianBlur(image, 7), (0, 0), 3)
    inner = ndimage.binary_erosion(sector, iterations=6)
    levels = smooth[inner]
    for _ in range(2):  # the first leaves walls out, the second tissue beyond the heart
        threshold, _ = cv2.threshold(levels[:, None], 0, 255, cv2.THRESH_OTSU)
        levels = levels[levels <= threshold]
    pools, n = ndimage.label((smooth < threshold) & inner)
    widths = ndimage.distance_transform_edt(pools > 0)
    found: list[tuple[float, np.ndarray]] = []
    for k in range(1, n + 1):
        pool = pools == k
        wall = ndimage.binary_dilation(pool, iterations=10) & ~pool
        # Outside the sector there is no wall: a chamber that is cut off counts less.
        contrast = (smooth * inner)[wall].mean() - smooth[pool].mean()
        found.append((widths[pool].max() * max(0.0, float(contrast)), pool))
    chamber = max(found, key=lambda each: each[0])[1]
    return chamber, np.unravel_index(np.argmax(widths * chamber), chamber.shape)
