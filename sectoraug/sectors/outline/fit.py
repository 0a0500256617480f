"""Fitting an outline that was roughly found: onto the edges, and to where there is life."""

from __future__ import annotations

from dataclasses import replace
from math import cos
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sectoraug.sectors.outline.edges import (
    BOTTOM_ARC,
    BOTTOM_CUT,
    LEFT,
    LEFT_CUT,
    RIGHT,
    RIGHT_CUT,
    TOP_ARC,
    TOP_CUT,
    Edges,
    along,
    edges,
)
from sectoraug.sectors.outline.geometry import SectorGeometry

Plane = NDArray[np.float32]

_MOST_STRETCH = 0.35  # logarithm of a pixel's height over its width
_MOST_STEPS = 25  # of 0.6% of the longer side: what is further off is not this side's edge


def named(shape: SectorGeometry) -> SectorGeometry:
    """The same outline under the kind that its numbers say."""
    if shape.apex_px is None:
        return shape
    (top, bottom), opening = shape.radii_px, shape.opening_rad
    if opening < 0.35 or top * (1 - cos(min(opening, 3) / 2)) < 0.02 * shape.depth_px < 0.06 * top:
        return replace(shape, kind="trapezoid")
    # The apex of a phased array is on the skin; that of a curved one lies behind it, maybe off the image.
    unseen = shape.apex_px is not None and shape.apex_px[1] < -0.05 * bottom
    return replace(shape, kind="phased" if top < 0.12 * bottom and not unseen else "curved")


def refine(shape: SectorGeometry, response: Plane) -> SectorGeometry:
    """Move an outline onto the steps of the response (H, W), in ever smaller steps."""
    unit = max(response.shape)
    for share in (0.06, 0.03, 0.015):
        reach_px = max(3, round(share * unit))
        shape = _moved(shape, edges(shape, response, reach_px), reach_px)
    return shape


def _moved(shape: SectorGeometry, found: Edges, reach_px: int) -> SectorGeometry:
    # A step at the end of the reach is no step but a slope.
    good = (found.contrast > 0.3) & (np.abs(found.shift_px) < reach_px - 1)
    tolerance_px = max(1.0, 0.1 * reach_px)
    box = list(shape.box_px)
    for k in range(4):
        mine = good & (found.side == LEFT_CUT + k)
        if mine.sum() >= 5:
            box[k] += float(np.median(found.shift_px[mine])) * (-1 if k < 2 else 1)
    if box[0] >= box[2] or box[1] >= box[3]:
        return shape
    shape = replace(shape, box_px=(box[0], box[1], box[2], box[3]))
    if shape.apex_px is None:
        return shape
    ring = good & (found.side < LEFT_CUT)
    side, points, weight = found.side[ring], found.points[ring], np.sqrt(found.contrast[ring])
    counts = np.bincount(side, minlength=4)
    if min(counts[LEFT], counts[RIGHT]) < 5:
        return shape
    start = np.array([*shape.apex_px, *shape.angles_rad, *shape.radii_px, np.log(shape.pixel_aspect)])
    unit = float(np.hypot(*(points.max(0) - points.min(0))))
    has_arc = counts[BOTTOM_ARC] >= 10
    straight = 300.0 if shape.upright else 3.0

    def residuals(p: NDArray[np.float64]) -> NDArray[np.float64]:
        dx, dy = points[:, 0] - p[0], (points[:, 1] - p[1]) * np.exp(p[6])
        radius = np.hypot(dx, dy)
        off = np.choose(
            side,
            [
                dx * np.cos(p[2]) - dy * np.sin(p[2]),
                dx * np.cos(p[3]) - dy * np.sin(p[3]),
                radius - p[4],
                radius - p[5],
            ],
        )
        # Weak priors: pixels are square, what shows no edge stays, and sectors hang straight.
        prior = [p[6] / (0.05 if has_arc else 0.001)]
        prior += [(p[4] - start[4]) / unit * 3, (p[5] - start[5]) / unit * 3, (p[2] + p[3]) * straight]
        return np.concatenate([off * weight / tolerance_px, prior])

    scale = np.array([unit, unit, 1, 1, unit, unit, 1])
    p = least_squares(residuals, start, loss="soft_l1", x_scale=scale, max_nfev=25).x
    if abs(p[6]) > _MOST_STRETCH:
        # No picture is stretched by more than 4:3 turned into 1:1; what asks for more has lost its edges.
        most = np.array([np.inf] * 6 + [_MOST_STRETCH])
        start[6] = np.clip(start[6], -_MOST_STRETCH, _MOST_STRETCH)
        bounds = (-most, most)
        p = least_squares(residuals, start, loss="soft_l1", x_scale=scale, max_nfev=25, bounds=bounds).x
    try:
        return replace(
            shape,
            apex_px=(p[0], p[1]),
            angles_rad=(p[2], p[3]),
            radii_px=(max(p[4], 0.0), p[5]),
            pixel_aspect=float(np.exp(p[6])),
        )
    except ValueError:
        return shape


def settle(shape: SectorGeometry, alive: NDArray[np.bool_], surely: NDArray[np.bool_]) -> SectorGeometry:
    """Draw in sides along which nothing is alive, and push out sides beyond which there is life.

    Shadows and poor contact leave a side so dark that its edge cannot be seen, yet not dead: some pixels
    flicker. Background is dead. A side moves out while at least half of its length has a living pixel next
    to it, so that what crosses it in one place, such as an ECG, does not count.

    Args:
        shape: the outline.
        alive: (H, W), what moves at all.
        surely: (H, W), what moves more than a codec's halo.
    """
    step = max(1.0, 0.006 * max(alive.shape))
    # Codecs smear edges over their blocks of 8 pixels.
    halo = min(max(3.0, 0.03 * max(alive.shape)), 9.0)
    for side in range(LEFT_CUT if shape.apex_px is None else LEFT, BOTTOM_CUT + 1):
        drawn_in = _drawn_in(shape, side, step, alive)
        shape = drawn_in or _pushed_out(shape, side, step, halo, surely) or shape
    return shape


def _drawn_in(
    shape: SectorGeometry, side: int, step: float, alive: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved: SectorGeometry | None = shape
    for k in range(_MOST_STEPS):
        if moved is None:
            return None
        if _lively_share(moved, side, -0.5 - step / 2, step, alive) > 0:
            return moved if k else None
        moved = _pushed(moved, side, -step)
    return None


def _pushed_out(
    shape: SectorGeometry, side: int, step: float, halo: float, surely: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved: SectorGeometry | None = shape
    for k in range(_MOST_STEPS):
        if moved is None:
            return None
        if _lively_share(moved, side, halo + step, 2 * step, surely) < 0.5:
            # The last of it lies within the halo's distance.
            while k and moved and _lively_share(moved, side, 0.5 + step / 2, step, surely) >= 0.5:
                moved = _pushed(moved, side, step)
            return moved if k else None
        moved = _pushed(moved, side, step)
    return None


def _lively_share(
    shape: SectorGeometry, side: int, offset_px: float, thick_px: float, alive: NDArray[np.bool_]
) -> float:
    """Share of twelve lengths of a side with something alive in a strip at this distance outside it.

    1 (inside) or 0 (outside) where the image shows too little of that side.
    """
    which, x, y, nx, ny = along(shape, alive.shape, 192, visible=offset_px > 0)
    mine = which == side
    if mine.sum() < 24:
        return 1.0 if offset_px < 0 else 0.0
    hit = np.zeros(int(mine.sum()), np.bool_)
    for across in np.arange(-thick_px / 2, thick_px / 2 + 0.01, 1.0) + offset_px:
        columns = np.clip(np.rint(x[mine] + across * nx[mine]).astype(np.intp), 0, alive.shape[1] - 1)
        rows = np.clip(np.rint(y[mine] + across * ny[mine]).astype(np.intp), 0, alive.shape[0] - 1)
        hit |= alive[rows, columns]
    return float(np.mean([part.any() for part in np.array_split(hit, 12)]))


def _pushed(shape: SectorGeometry, side: int, by_px: float) -> SectorGeometry | None:
    """The outline with one side moved outwards; None where nothing would be left of it."""
    left, top, right, bottom = shape.box_px
    (start, end), (near, far) = shape.angles_rad, shape.radii_px
    turn = by_px / max(0.6 * far, 1e-9)
    changes: dict[int, dict[str, Any]] = {
        LEFT: {"angles_rad": (start - turn, end)},
        RIGHT: {"angles_rad": (start, end + turn)},
        TOP_ARC: {"radii_px": (max(near - by_px, 0.0), far)},
        BOTTOM_ARC: {"radii_px": (near, far + by_px)},
        LEFT_CUT: {"box_px": (left - by_px, top, right, bottom)},
        TOP_CUT: {"box_px": (left, top - by_px, right, bottom)},
        RIGHT_CUT: {"box_px": (left, top, right + by_px, bottom)},
        BOTTOM_CUT: {"box_px": (left, top, right, bottom + by_px)},
    }
    try:
        return replace(shape, **changes[side])
    except ValueError:
        return None
