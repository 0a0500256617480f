"""A sector's outline as polygons: of its numbers where these explain the mask, else along its pixels' edges.

Coordinates are COCO's: a pixel is the square from its number to the next, so our centres lie at a half.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import acos, pi

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import sectoraug as sa
from sectoraug.sectors.outline.overlap import iou

_EXPLAINED = 0.98  # least overlap of a mask with what its outline draws
_SAGITTA_PX = 0.005  # most that a chord may leave its arc

Points = NDArray[np.float64]


def polygons_of(
    sector: NDArray[np.uint8], geometry: sa.SectorGeometry | None = None
) -> list[list[float]] | None:
    """x, y, x, y … of each piece; None for a mask with holes, which polygons cannot say."""
    height, width = sector.shape
    if geometry is None or geometry.opening_rad >= pi:
        return edges_of(sector)
    if iou(geometry.rasterise((height, width)), sector) < _EXPLAINED:
        return edges_of(sector)
    return [_flat(outline_of(geometry, (height, width)))]


def outline_of(geometry: sa.SectorGeometry, size: tuple[int, int]) -> Points:
    """The outline within an image of that size as (N, 2) x, y, within 0.01 pixels."""
    height, width = size
    left, top, right, bottom = geometry.box_px
    left, top = max(left, -0.5), max(top, -0.5)
    right, bottom = min(right, width - 0.5), min(bottom, height - 0.5)
    if geometry.apex_px is None:
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    else:
        points = _ring_segment(geometry)
        for axis, bound, sign in ((0, left, 1), (0, right, -1), (1, top, 1), (1, bottom, -1)):
            points = _cut(points, axis, bound, sign)
    return np.asarray(points + 0.5)


def edges_of(sector: NDArray[np.uint8]) -> list[list[float]] | None:
    """Polygons along the edges of a mask's pixels, one a piece; None where there are holes."""
    inside = np.pad(sector != 0, 1)
    pieces, n = ndimage.label(inside)  # pixels that touch at a corner alone are two pieces
    if ndimage.label(~inside, np.ones((3, 3)))[1] > 1:
        return None
    return [_flat(np.array(_walk(pieces == piece)) - 1.0) for piece in range(1, n + 1)]


def _ring_segment(geometry: sa.SectorGeometry) -> Points:
    assert geometry.apex_px is not None
    start, end = geometry.angles_rad
    arcs = []
    for radius, ends in zip(geometry.radii_px[::-1], ((start, end), (end, start)), strict=True):
        longest = radius * max(1.0, 1 / geometry.pixel_aspect)
        step = 2 * acos(max(1 - _SAGITTA_PX / longest, 0.0)) if longest > 0 else pi
        n = int(np.ceil(abs(end - start) / step)) + 1 if radius else 1
        angle = np.linspace(*ends, max(n, 2) if radius else 1)
        arcs.append(np.stack([radius * np.sin(angle), radius * np.cos(angle) / geometry.pixel_aspect], 1))
    points: Points = np.concatenate(arcs) + np.array(geometry.apex_px)
    return points


def _cut(points: Points, axis: int, bound: float, sign: int) -> Points:
    """The part of a polygon on one side of a line (Sutherland and Hodgman 1974)."""
    kept = []
    depth = sign * (points[:, axis] - bound)
    for here, there, d, e in zip(points, np.roll(points, -1, 0), depth, np.roll(depth, -1), strict=True):
        if d >= 0:
            kept.append(here)
        if d * e < 0:
            kept.append(here + (there - here) * (d / (d - e)))
    return np.array(kept).reshape(-1, 2)


def _walk(piece: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The corners x, y of a piece without holes, its pixels to the right of the way."""
    ways: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (dy, dx), ends in (
        ((-1, 0), ((0, 0), (1, 0))),
        ((0, 1), ((1, 0), (1, 1))),
        ((1, 0), ((1, 1), (0, 1))),
        ((0, -1), ((0, 1), (0, 0))),
    ):
        for y, x in zip(*np.nonzero(piece & ~np.roll(piece, (-dy, -dx), (0, 1))), strict=True):
            a, b = ((int(x) + ex, int(y) + ey) for ex, ey in ends)
            ways.setdefault(a, []).append(b)
    start = here = min(ways)
    corners, before = [], (0, 0)
    while ways.get(here):
        there = _turn(here, before, ways[here])
        ways[here].remove(there)
        step = there[0] - here[0], there[1] - here[1]
        if step != before:
            corners.append(here)
        here, before = there, step
        if here == start and not ways.get(here):
            break
    return corners


def _turn(here: tuple[int, int], before: tuple[int, int], ways: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Of two ways on from a corner the one to the right, which stays at the same pixel."""
    right = (-before[1], before[0])
    return min(ways, key=lambda there: (there[0] - here[0], there[1] - here[1]) != right)


def _flat(points: Points) -> list[float]:
    return [round(float(value), 4) for value in points.ravel()]
