"""What a clip does at each pixel, and the paper's three recipes on it (Zahn & Perrin, section 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sectoraug.sectors.clues.pieces import pieces

Plane = NDArray[np.float32]


@dataclass(frozen=True, repr=False)
class ClipStatistics:
    """Sums over a clip; their size does not depend on its length."""

    frames: int
    """How many were read."""
    difference: Plane
    """(H, W): mean of |frame t+1 - frame t| in grey levels; 0 for a still."""
    mean: Plane
    """(H, W): mean grey level."""
    brightest: NDArray[np.uint8]
    """(H, W): highest grey level."""
    samples: tuple[tuple[NDArray[np.uint8], NDArray[np.uint8]], ...]
    """At most 8 frames spread over the clip, each (H, W) or (H, W, 3), behind the grey one before it (for
    the first frame: itself)."""

    def upside_down(self) -> ClipStatistics:
        """The same, flipped top to bottom."""
        return ClipStatistics(
            self.frames,
            np.ascontiguousarray(self.difference[::-1]),
            np.ascontiguousarray(self.mean[::-1]),
            np.ascontiguousarray(self.brightest[::-1]),
            tuple((before[::-1], frame[::-1]) for before, frame in self.samples),
        )

    def shrunk(self, longest_px: int) -> ClipStatistics:
        """The same, with the longer side at most this long."""
        factor = longest_px / max(self.mean.shape)
        if factor >= 1:
            return self
        width, height = (max(1, round(side * factor)) for side in self.mean.shape[::-1])

        def smaller(plane: NDArray[Any]) -> NDArray[Any]:
            return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))

        return ClipStatistics(
            self.frames,
            smaller(self.difference),
            smaller(self.mean),
            smaller(self.brightest),
            tuple((smaller(before), smaller(frame)) for before, frame in self.samples),
        )


def at_most(picture: NDArray[Any], longest_px: int) -> NDArray[Any]:
    """The picture, or a smaller one whose longer side is this long."""
    factor = longest_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def threshold_region(
    difference: Plane, *, level: float = 0.5, adaptive_block_px: int = 0, adaptive_c: float = -0.25
) -> NDArray[np.bool_]:
    """Where a clip moves: the paper's first recipe.

    Args:
        difference: (H, W) mean absolute difference in grey levels.
        level: what lies above it moves.
        adaptive_block_px: 0, or the odd side of a square: then a pixel moves that also exceeds the mean
            of its square plus `adaptive_c`, as in the paper.
        adaptive_c: in grey levels; below 0 a pixel passes that is a little under its surroundings. A
            positive one would leave only the outlines of what moves.
    """
    moving = difference > level
    if adaptive_block_px:
        surroundings = cv2.blur(difference, (adaptive_block_px, adaptive_block_px))
        moving &= difference > surroundings + adaptive_c
    return moving


def filled_region(moving: NDArray[np.bool_], *, opening_px: int = 5) -> NDArray[np.bool_]:
    """What moves, without what hangs on by less than `opening_px`, holes closed, largest piece only."""
    square = np.ones((opening_px, opening_px), np.uint8)
    opened = cv2.morphologyEx(moving.view(np.uint8), cv2.MORPH_OPEN, square)
    filled = np.asarray(ndimage.binary_fill_holes(opened), np.bool_)
    return _largest_piece(filled)


def hull_region(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The convex hull of a region; nothing for nothing."""
    rows = np.flatnonzero(filled.any(1))
    hull = np.zeros(filled.shape, np.uint8)
    if len(rows):
        first, last = filled[rows].argmax(1), filled.shape[1] - 1 - filled[rows, ::-1].argmax(1)
        ends = np.stack([np.concatenate([first, last]), np.concatenate([rows, rows])], 1)
        cv2.fillConvexPoly(hull, cv2.convexHull(ends.astype(np.int32)), 1)
    return hull.astype(np.bool_)


def _largest_piece(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, areas = pieces(region, 4)
    return np.asarray(labels == np.argmax(areas), np.bool_) & region
