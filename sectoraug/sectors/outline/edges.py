"""Points along an outline, and the steps in a picture across it."""

from __future__ import annotations

from math import cos, sin
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.geometry import SectorGeometry

Plane = NDArray[np.float32]
Floats = NDArray[np.float64]

LEFT, RIGHT, TOP_ARC, BOTTOM_ARC, LEFT_CUT, TOP_CUT, RIGHT_CUT, BOTTOM_CUT = range(8)
"""The parts of an outline: two sides and two arcs of a ring segment, four straight cuts of the box."""

_FAINT = 0.15  # a response that counts as dark, beside which contrasts are measured


class Samples(NamedTuple):
    """Points on an outline and its outward normals, of length 1."""

    side: NDArray[np.intp]
    x: Floats
    y: Floats
    normal_x: Floats
    normal_y: Floats


class Edges(NamedTuple):
    """Where brightness and motion change across an outline: one entry a sample."""

    side: NDArray[np.intp]
    """LEFT to BOTTOM_CUT."""
    points: Floats
    """(n, 2): where the step was found, x and y."""
    shift_px: Floats
    """How far outside the outline that is."""
    contrast: Floats
    """(inside - outside) / (inside + outside) of the mean response on both sides of the step."""
    contrast_here: Floats
    """The same on both sides of the outline itself."""


def along(
    shape: SectorGeometry,
    size: tuple[int, ...],
    samples: int,
    *,
    visible: bool = True,
    only: int | None = None,
) -> Samples:
    """Points on all that bounds the sector inside the image, or on one side, and outward normals.

    `visible`: only where an edge could be seen, so neither along the image's border nor on a mere point.
    """
    height, width = size
    left, top, right, bottom = shape.box_px
    t = (np.arange(samples) + 0.5) / samples
    one, zero = np.ones(samples), np.zeros(samples)
    xs, ys = left + t * (right - left), top + t * (bottom - top)
    parts = [
        (LEFT_CUT, left * one, ys, -one, zero),
        (TOP_CUT, xs, top * one, zero, -one),
        (RIGHT_CUT, right * one, ys, one, zero),
        (BOTTOM_CUT, xs, bottom * one, zero, one),
    ]
    if only is not None:
        parts = [part for part in parts if part[0] == only]
    if shape.apex_px is not None and (only is None or only < LEFT_CUT):
        (ax, ay), aspect = shape.apex_px, shape.pixel_aspect
        (start, end), (near, far) = shape.angles_rad, shape.radii_px
        radii, angles = near + t * shape.depth_px, start + t * shape.opening_rad
        arcs = [(TOP_ARC, near, -1), (BOTTOM_ARC, far, 1)]
        if visible and near * shape.opening_rad < 4:
            arcs = arcs[1:]  # a point, no arc
        rays = [(LEFT, radii, start * one, -cos(start) * one, sin(start) * one)]
        rays += [(RIGHT, radii, end * one, cos(end) * one, -sin(end) * one)]
        rays += [
            (number, radius * one, angles, sign * np.sin(angles), sign * np.cos(angles))
            for number, radius, sign in arcs
        ]
        for number, radius, angle, nx, ny in rays:
            if only not in (None, number):
                continue
            long = np.hypot(nx, ny * aspect)
            x, y = ax + radius * np.sin(angle), ay + radius * np.cos(angle) / aspect
            parts.append((number, x, y, nx / long, ny * aspect / long))
    if not parts:
        return Samples(np.zeros(0, np.intp), *np.zeros((4, 0)))
    side = np.repeat([part[0] for part in parts], samples)
    x, y, nx, ny = (np.concatenate([part[k] for part in parts]) for k in range(1, 5))
    margin = 1.0 if visible else -1.5
    keep = (x > margin) & (x < width - 1 - margin) & (y > margin) & (y < height - 1 - margin)
    # What another part of the outline cuts off is no edge.
    keep &= shape.holds(x - 1.5 * nx, y - 1.5 * ny)
    return Samples(side[keep], x[keep], y[keep], nx[keep], ny[keep])


def edges(shape: SectorGeometry, response: Plane, reach_px: int, samples: int = 48) -> Edges:
    """Look for the step in a response (H, W) across the outline, within a reach on either side."""
    side, x, y, nx, ny = along(shape, response.shape, samples)
    if not len(side):
        return Edges(side, np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
    steps = np.arange(-reach_px, reach_px + 1)
    profile = cv2.remap(
        response,
        (x[:, None] + steps * nx[:, None]).astype(np.float32),
        (y[:, None] + steps * ny[:, None]).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float64)
    for one in np.unique(side):  # neighbours on the same side are averaged: speckle is not an edge
        rows = side == one
        profile[rows] = cv2.blur(profile[rows], (1, 3), borderType=cv2.BORDER_REPLICATE)
    n = len(steps)
    inner = np.arange(1, n)
    total = np.cumsum(profile, 1)
    inside = total[:, :-1] / inner
    outside = (total[:, -1:] - total[:, :-1]) / (n - inner)
    gap = np.maximum(inside - outside, 0) ** 2 * (inner * (n - inner))
    best = np.argmax(gap, 1)
    at = np.arange(len(best))
    a, b = inside[at, best], outside[at, best]
    shift = steps[best] + 0.5
    # The pixel that the outline runs through belongs to neither side.
    here, beyond = profile[:, :reach_px].mean(1), profile[:, reach_px + 1 :].mean(1)
    return Edges(
        side,
        np.stack([x + shift * nx, y + shift * ny], 1),
        shift,
        np.maximum(a - b, 0) / (a + b + _FAINT),
        (here - beyond) / (here + beyond + _FAINT),
    )
