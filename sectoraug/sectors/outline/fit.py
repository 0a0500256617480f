"""Fitting an outline that was roughly found onto the edges, and naming its kind."""

from __future__ import annotations

from dataclasses import replace
from math import cos

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sectoraug.sectors.outline.edges import BOTTOM_ARC, LEFT, LEFT_CUT, RIGHT, Edges, edges
from sectoraug.sectors.outline.geometry import SectorGeometry

Plane = NDArray[np.float32]

_MOST_STRETCH = 0.35  # logarithm of a pixel's height over its width


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
    box = list(shape.box_px)
    for k in range(4):
        mine = good & (found.side == LEFT_CUT + k)
        if mine.sum() >= 5:
            box[k] += float(np.median(found.shift_px[mine])) * (-1 if k < 2 else 1)
    if box[0] >= box[2] or box[1] >= box[3]:
        return shape
    shape = replace(shape, box_px=(box[0], box[1], box[2], box[3]))
    return shape if shape.apex_px is None else _ring_moved(shape, found, good, max(1.0, 0.1 * reach_px))


def _ring_moved(
    shape: SectorGeometry, found: Edges, good: NDArray[np.bool_], tolerance_px: float
) -> SectorGeometry:
    """The ring segment whose sides and arcs lie nearest to the good edges on them."""
    assert shape.apex_px is not None
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
