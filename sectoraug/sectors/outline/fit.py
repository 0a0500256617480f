"""Fitting an outline that was roughly found onto the edges, and naming its kind."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos

import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.edges import BOTTOM_ARC, LEFT, LEFT_CUT, RIGHT, TOP_ARC, Edges, edges
from sectoraug.sectors.outline.geometry import SectorGeometry

Plane = NDArray[np.float32]
Floats = NDArray[np.float64]

_STEPS = 12
_LARGEST_STEP, _SMALLEST_STEP = 0.2, 1e-4  # radians, or shares of the outline's size
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


def refine(
    shape: SectorGeometry, response: Plane, reaches: tuple[float, ...] = (0.06, 0.03, 0.015)
) -> SectorGeometry:
    """Move an outline onto the steps of the response (H, W), looked for within these shares of its size."""
    unit = max(response.shape)
    for share in reaches:
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
    counts = np.bincount(found.side[ring], minlength=4)
    if min(counts[LEFT], counts[RIGHT]) < 5:
        return shape
    fit = _RingFit(
        found.side[ring],
        found.points[ring],
        found.contrast[ring] / tolerance_px**2,
        has_arc=bool(counts[BOTTOM_ARC] >= 10),
        upright=shape.upright,
    )
    start = np.array([*shape.apex_px, *shape.angles_rad, *shape.radii_px, np.log(shape.pixel_aspect)])
    p = fit.solved(start)
    if abs(p[6]) > _MOST_STRETCH:
        # No picture is stretched by more than 4:3 turned into 1:1; what asks for more has lost its edges.
        start[6] = np.clip(start[6], -_MOST_STRETCH, _MOST_STRETCH)
        p = fit.solved(start, fixed=6)
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


@dataclass(frozen=True)
class _RingFit:
    """Least squares of a ring segment's seven numbers, points far off counting less (soft L1)."""

    side: NDArray[np.intp]
    points: Floats
    weight: Floats
    """Of squared distances."""
    has_arc: bool
    upright: bool

    def solved(self, start: Floats, fixed: int | None = None) -> Floats:
        """By Gauss and Newton's steps from a start, none of them large."""
        unit = float(np.hypot(*(self.points.max(0) - self.points.min(0))))
        scale = np.array([unit, unit, 1, 1, unit, unit, 1])
        if fixed is not None:
            scale[fixed] = 0
        p = start.copy()
        for _ in range(_STEPS):
            off, slope = self._distances(p)
            weight = np.sqrt(self.weight / np.sqrt(1 + self.weight * off**2))
            pull, pulled = self._prior(p, start, unit)
            rows = np.concatenate([slope * weight[:, None], pulled]) * scale
            step = np.linalg.lstsq(rows, -np.concatenate([off * weight, pull]), rcond=None)[0]
            step *= min(1.0, _LARGEST_STEP / max(float(np.abs(step).max()), 1e-9))
            p += step * scale
            if np.abs(step).max() < _SMALLEST_STEP:
                break
        return p

    def _distances(self, p: Floats) -> tuple[Floats, Floats]:
        """Of the points from their side or arc, and how they change with the seven numbers."""
        stretch = np.exp(p[6])
        dx, dy = self.points[:, 0] - p[0], (self.points[:, 1] - p[1]) * stretch
        radius = np.maximum(np.hypot(dx, dy), 1e-9)
        slope = np.zeros((len(dx), 7))
        off = np.empty(len(dx))
        for k in (LEFT, RIGHT):
            mine = self.side == k
            sine, cosine = np.sin(p[2 + k]), np.cos(p[2 + k])
            off[mine] = dx[mine] * cosine - dy[mine] * sine
            slope[mine, 0], slope[mine, 1] = -cosine, sine * stretch
            slope[mine, 2 + k] = -dx[mine] * sine - dy[mine] * cosine
            slope[mine, 6] = -dy[mine] * sine
        for k in (TOP_ARC, BOTTOM_ARC):
            mine = self.side == k
            off[mine] = radius[mine] - p[2 + k]
            slope[mine, 0], slope[mine, 1] = -dx[mine] / radius[mine], -dy[mine] * stretch / radius[mine]
            slope[mine, 2 + k], slope[mine, 6] = -1, dy[mine] ** 2 / radius[mine]
        return off, slope

    def _prior(self, p: Floats, start: Floats, unit: float) -> tuple[Floats, Floats]:
        """Weak pulls: pixels are square, what shows no edge stays, and sectors hang straight."""
        pulled = np.zeros((4, 7))
        pulled[0, 6] = 1 / (0.05 if self.has_arc else 0.001)
        pulled[1, 4] = pulled[2, 5] = 3 / unit
        pulled[3, 2:4] = 300.0 if self.upright else 3.0
        towards = np.array([0, 0, 0, 0, start[4], start[5], 0])
        return pulled @ (p - towards), pulled
