"""The sector as the part of a clip that moves (Zahn & Perrin, section 2.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sectoraug import checks
from sectoraug.sectors.clips import to_grey

METHODS = ("threshold", "filled", "hull")


class SectorNotFound(ValueError):
    """The clip shows no sector that this method can tell from its background."""


@dataclass(frozen=True)
class SectorEstimate:
    """A sector found in a clip, and how sure the method is of it."""

    sector: NDArray[np.bool_]
    """(H, W); True inside."""
    geometry: None
    """The shape as parameters; None for the motion recipes."""
    quality: float
    """0..1: the share of the hull that moved. An unbroken, convex sector is near 1."""


def mean_absolute_difference(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Mean of |frame t+1 - frame t| over a clip, in grey levels: (H, W) float32.

    Absolute, since the mean of signed differences is only (last - first) / (T - 1).

    Args:
        frames: (T, H, W) or (T, H, W, 3) uint8, T >= 2.
    """
    checks.clip(frames, "frames")
    if frames.dtype != np.uint8 or len(frames) < 2:
        raise ValueError(
            f"frames is {checks.describe(frames)}; expected uint8 and two or more frames: "
            "a still has no motion."
        )
    total = np.zeros(frames.shape[1:3], np.uint32)
    previous = to_grey(frames[0])
    for frame in frames[1:]:
        current = to_grey(frame)
        total += np.asarray(cv2.absdiff(current, previous), np.uint8).reshape(total.shape)
        previous = current
    return (total / (len(frames) - 1)).astype(np.float32)


def sector_from_clip(
    frames: NDArray[Any],
    method: str = "hull",
    *,
    level: float = 0.5,
    opening_px: int = 5,
    smallest: float = 0.05,
) -> SectorEstimate:
    """Find the sector of a clip from its motion (Zahn & Perrin, section 2.3.1).

    Args:
        frames: (T, H, W) or (T, H, W, 3) uint8, T >= 2.
        method: "threshold" (all that moves), "filled" (opened, holes closed, largest piece) or
            "hull" (the convex hull of that).
        level: mean absolute difference in grey levels above which a pixel moves.
        opening_px: side of the square that cuts off what hangs on by less.
        smallest: share of the frame, in 0..1, under which no sector is believed.

    Raises:
        SectorNotFound: nothing moves, or the largest moving piece is under `smallest`.

    The paper thresholds adaptively; one global level was more accurate on two real clips. Taking the
    largest piece before the hull keeps a moving ECG from stretching it.
    """
    checks.choice(method, METHODS, "method")
    moving = mean_absolute_difference(frames) > level
    filled = _largest_piece(ndimage.binary_fill_holes(_opened(moving, opening_px)))
    if filled.sum() < smallest * filled.size:
        raise SectorNotFound(
            f"the largest moving piece covers {filled.mean():.1%} of the frame; expected at least "
            f"{smallest:.0%}: is the clip static, or the sector very small? "
            "Draw its sector by hand, or lower `level`."
        )
    hull = _convex_hull(filled)
    chosen = {"threshold": moving, "filled": filled, "hull": hull}[method]
    return SectorEstimate(chosen, None, float((moving & hull).sum() / hull.sum()))


def _opened(region: NDArray[np.bool_], side_px: int) -> NDArray[np.bool_]:
    square = np.ones((side_px, side_px), np.uint8)
    return cv2.morphologyEx(region.view(np.uint8), cv2.MORPH_OPEN, square).astype(np.bool_)


def _largest_piece(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, n = ndimage.label(region)
    if n == 0:
        return region
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]), np.bool_)


def _convex_hull(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    rows, columns = np.nonzero(region)
    corners = cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32))
    hull = np.zeros(region.shape, np.uint8)
    cv2.fillConvexPoly(hull, corners, 1)
    return hull.astype(np.bool_)
