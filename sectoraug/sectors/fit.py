"""Fitting a sector's outline to evidence: the shape inside which the evidence sums highest."""

from __future__ import annotations

from dataclasses import replace
from math import cos
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares, minimize

from sectoraug.sectors.geometry import SectorGeometry

Plane = NDArray[np.float32]

_MIDDLE = 130  # beams of half a degree from the middle to the widest side
_SEARCH_PX = 96  # longer side of the picture that the search runs on
_MOST_STEPS = 25  # of 0.6% of the longer side: what is further off is not this side's edge
_CUT_SHARE = 0.97  # of the evidence: a box around so much may be where a sector was cropped
_FAINT = 0.15  # a response that counts as dark, beside which contrasts are measured


class Edges(NamedTuple):
    """Where brightness and motion change across an outline: one entry a sample."""

    side: NDArray[np.intp]
    """0 left, 1 right, 2 top arc, 3 bottom arc; 4, 5, 6, 7 left, top, right, bottom of the box."""
    points: NDArray[np.float64]
    """(n, 2): where the step was found, x and y."""
    shift_px: NDArray[np.float64]
    """How far outside the outline that is."""
    contrast: NDArray[np.float64]
    """(inside - outside) / (inside + outside) of the mean response on both sides of the step."""
    contrast_here: NDArray[np.float64]
    """The same on both sides of the outline itself."""


def search(evidence: Plane) -> list[SectorGeometry]:
    """The shapes inside which evidence (H, W) sums highest, on a coarse grid.

    An upright ring segment (alike on both sides, as sectors are, so that one side can lie in the dark), a
    free one, and a rectangle.
    """
    height, width = evidence.shape
    scale = min(1.0, _SEARCH_PX / max(height, width))
    small = cv2.resize(evidence, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = _search_rings(small)
    box = _search_box(small)
    if box is not None:
        found.append(box)
        cut = box.rasterise(small.shape)
        positive = np.maximum(small, 0)
        if not cut.all() and positive[cut].sum() > _CUT_SHARE * positive.sum():
            # Straight cuts inside the image may go through a ring segment: beyond them nothing is known.
            rings = _search_rings(np.where(cut, small, np.float32(0)))
            found += [replace(ring, box_px=box.box_px) for ring in rings[:1]]
    factors = width / small.shape[1], height / small.shape[0]
    return [shape.scaled(*factors) for shape in found]


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


def edges(shape: SectorGeometry, response: Plane, reach_px: int, samples: int = 48) -> Edges:
    """Look for the step in a response (H, W) across the outline, within a reach on either side."""
    side, x, y, nx, ny = _outline(shape, response.shape, samples)
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


def refine(shape: SectorGeometry, response: Plane) -> SectorGeometry:
    """Move an outline onto the steps of the response (H, W), in ever smaller steps."""
    unit = max(response.shape)
    for share in (0.06, 0.03, 0.015):
        reach_px = max(3, round(share * unit))
        shape = _moved(shape, edges(shape, response, reach_px), reach_px)
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
    for side in (4, 5, 6, 7) if shape.apex_px is None else range(8):
        drawn_in = _drawn_in(shape, side, step, alive)
        shape = drawn_in or _pushed_out(shape, side, step, halo, surely) or shape
    return shape


def _drawn_in(
    shape: SectorGeometry, side: int, step: float, alive: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved = shape
    for k in range(_MOST_STEPS):
        if _lively_share(moved, side, -0.5 - step / 2, step, alive) > 0:
            return moved if k else None
        moved = _pushed(moved, side, -step)
    return None


def _pushed_out(
    shape: SectorGeometry, side: int, step: float, halo: float, surely: NDArray[np.bool_]
) -> SectorGeometry | None:
    moved = shape
    for k in range(_MOST_STEPS):
        if _lively_share(moved, side, halo + step, 2 * step, surely) < 0.5:
            if not k:
                return None
            while _lively_share(moved, side, 0.5 + step / 2, step, surely) >= 0.5:
                moved = _pushed(moved, side, step)
            return moved
        moved = _pushed(moved, side, step)
    return None


def _lively_share(
    shape: SectorGeometry, side: int, offset_px: float, thick_px: float, alive: NDArray[np.bool_]
) -> float:
    """Share of twelve lengths of a side with something alive in a strip at this distance outside it.

    1 (inside) or 0 (outside) where the image shows too little of that side.
    """
    which, x, y, nx, ny = _outline(shape, alive.shape, 192, visible=offset_px > 0)
    mine = which == side
    if mine.sum() < 24:
        return 1.0 if offset_px < 0 else 0.0
    hit = np.zeros(int(mine.sum()), np.bool_)
    for across in np.arange(-thick_px / 2, thick_px / 2 + 0.01, 1.0) + offset_px:
        columns = np.clip(np.rint(x[mine] + across * nx[mine]).astype(np.intp), 0, alive.shape[1] - 1)
        rows = np.clip(np.rint(y[mine] + across * ny[mine]).astype(np.intp), 0, alive.shape[0] - 1)
        hit |= alive[rows, columns]
    return float(np.mean([part.any() for part in np.array_split(hit, 12)]))


def _pushed(shape: SectorGeometry, side: int, by_px: float) -> SectorGeometry:
    """The outline with one side moved outwards."""
    if side >= 4:
        box = list(shape.box_px)
        box[side - 4] += by_px * (-1 if side < 6 else 1)
        return replace(shape, box_px=tuple(box))
    (start, end), (top, bottom) = shape.angles_rad, shape.radii_px
    turn = by_px / (0.6 * bottom)
    if side < 2:
        return replace(shape, angles_rad=(start - turn, end) if side == 0 else (start, end + turn))
    return replace(shape, radii_px=(max(top - by_px, 0.0), bottom) if side == 2 else (top, bottom + by_px))


def _outline(
    shape: SectorGeometry, size: tuple[int, ...], samples: int, *, visible: bool = True
) -> tuple[NDArray[np.intp], *tuple[NDArray[np.float64], ...]]:
    """Points on all that bounds the sector inside the image, and outward normals.

    `visible`: only where an edge could be seen, so neither along the image's border nor on a mere point.
    """
    height, width = size
    left, top, right, bottom = shape.box_px
    parts = []
    t = (np.arange(samples) + 0.5) / samples
    xs, ys = left + t * (right - left), top + t * (bottom - top)
    one, zero = np.ones(samples), np.zeros(samples)
    parts += [
        (4, left * one, ys, -one, zero),
        (5, xs, top * one, zero, -one),
        (6, right * one, ys, one, zero),
        (7, xs, bottom * one, zero, one),
    ]
    if shape.apex_px is not None:
        (ax, ay), aspect = shape.apex_px, shape.pixel_aspect
        radii = shape.radii_px[0] + t * shape.depth_px
        angles = shape.angles_rad[0] + t * shape.opening_rad
        for number, angle, sign in ((0, shape.angles_rad[0], -1), (1, shape.angles_rad[1], 1)):
            nx, ny = sign * np.cos(angle), -sign * np.sin(angle) * aspect
            long = np.hypot(nx, ny)
            parts.append(
                (number, ax + radii * np.sin(angle), ay + radii * np.cos(angle) / aspect)
                + (nx / long * one, ny / long * one)
            )
        for number, radius, sign in ((2, shape.radii_px[0], -1), (3, shape.radii_px[1], 1)):
            nx, ny = sign * np.sin(angles), sign * np.cos(angles) * aspect
            long = np.hypot(nx, ny)
            if visible and radius * shape.opening_rad < 4:
                continue  # a point, no arc
            parts.append(
                (number, ax + radius * np.sin(angles), ay + radius * np.cos(angles) / aspect)
                + (nx / long, ny / long)
            )
    side = np.concatenate([np.full(len(p[1]), p[0], np.intp) for p in parts])
    x, y, nx, ny = (np.concatenate([p[k] for p in parts]) for k in range(1, 5))
    margin = 1.0 if visible else -1.5
    keep = (x > margin) & (x < width - 1 - margin) & (y > margin) & (y < height - 1 - margin)
    # What another part of the outline cuts off is no edge.
    keep &= shape.holds(x - 1.5 * nx, y - 1.5 * ny)
    return side[keep], x[keep], y[keep], nx[keep], ny[keep]


def _moved(shape: SectorGeometry, found: Edges, reach_px: int) -> SectorGeometry:
    # A step at the end of the reach is no step but a slope.
    good = (found.contrast > 0.3) & (np.abs(found.shift_px) < reach_px - 1)
    tolerance_px = max(1.0, 0.1 * reach_px)
    box = list(shape.box_px)
    for k in range(4):
        mine = good & (found.side == 4 + k)
        if mine.sum() >= 5:
            box[k] += float(np.median(found.shift_px[mine])) * (-1 if k < 2 else 1)
    if box[0] >= box[2] or box[1] >= box[3]:
        return shape
    if shape.apex_px is None:
        return replace(shape, box_px=tuple(box))
    ring = good & (found.side < 4)
    side, points, weight = found.side[ring], found.points[ring], np.sqrt(found.contrast[ring])
    counts = np.bincount(side, minlength=4)
    if counts[0] < 5 or counts[1] < 5:
        return replace(shape, box_px=tuple(box))
    start = np.array([*shape.apex_px, *shape.angles_rad, *shape.radii_px, np.log(shape.pixel_aspect)])
    unit = float(np.hypot(*(points.max(0) - points.min(0))))
    has_arc = counts[3] >= 10
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
        prior = [(p[6] - 0) / (0.1 if has_arc else 0.001)]
        prior += [(p[4] - start[4]) / unit * 3, (p[5] - start[5]) / unit * 3, (p[2] + p[3]) * straight]
        return np.concatenate([off * weight / tolerance_px, prior])

    scale = np.array([unit, unit, 1, 1, unit, unit, 1])
    done = least_squares(residuals, start, loss="soft_l1", x_scale=scale, max_nfev=25)
    p = done.x
    try:
        return replace(
            shape,
            box_px=tuple(box),
            apex_px=(p[0], p[1]),
            angles_rad=(p[2], p[3]),
            radii_px=(max(p[4], 0.0), p[5]),
            pixel_aspect=float(np.exp(p[6])),
        )
    except ValueError:
        return shape


def _best_run(sums: NDArray[np.float64], penalty: float = 0.0) -> tuple[float, int, int]:
    """Highest sum over a run of neighbours, and its first and last index.

    An end inside costs `penalty`.
    """
    total = np.concatenate([[0.0], np.cumsum(sums)])
    entry = total.copy()
    entry[1:] += penalty
    lowest = np.minimum.accumulate(entry)[:-1]
    value = total[1:] - lowest
    value[:-1] -= penalty
    last = int(np.argmax(value))
    first = int(np.argmin(entry[: last + 1]))
    return float(value[last]), first, last


def _search_box(e: Plane) -> SectorGeometry | None:
    best, found = 0.0, None
    height, width = e.shape
    penalty = 0.004 * float(e[e > 0].sum())
    for rows_first in (True, False):
        rows, columns = (0, height - 1), (0, width - 1)
        value = 0.0
        for k in range(8):
            if (k % 2 == 0) == rows_first:
                value, *rows = _best_run(e[:, columns[0] : columns[1] + 1].sum(1, np.float64), penalty)
            else:
                value, *columns = _best_run(e[rows[0] : rows[1] + 1].sum(0, np.float64), penalty)
        if value > best:
            best = value
            found = SectorGeometry(
                "rectangle", (columns[0] - 0.5, rows[0] - 0.5, columns[1] + 0.5, rows[1] + 0.5)
            )
    return found


class _Polar:
    """Evidence seen from an apex."""

    def __init__(self, e: Plane) -> None:
        self.weights = e.ravel().astype(np.float64)
        height, width = e.shape
        self.size = height, width
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.x, self.y = x, y
        self.penalty = 0.004 * float(e[e > 0].sum())

    def best(self, apex: tuple[float, float], upright: bool) -> tuple[float, float, float, float, float]:
        """The highest sum, and top and bottom radius, start and end angle that give it."""
        radius, angle = cv2.cartToPolar(self.y - apex[1], self.x - apex[0])
        # Angles run 0..2 pi, so the left half lies above pi.
        angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
        step = 0.5  # degrees
        beams = np.rint(np.degrees(angle) / step).astype(np.intp).ravel() + _MIDDLE
        ok = (beams >= 0) & (beams <= 2 * _MIDDLE)
        rings = np.rint(radius).astype(np.intp).ravel()
        beams, rings, weights = beams[ok], rings[ok], self.weights[ok]
        if not len(rings):
            return 0.0, 0, 1, 0, 1
        n = int(rings.max()) + 1
        low, high, first, last = 0, n - 1, 0, 2 * _MIDDLE
        value = 0.0
        for _ in range(3):
            inside = (rings >= low) & (rings <= high)
            sums = np.bincount(beams[inside], weights[inside], 2 * _MIDDLE + 1)
            if upright:
                # From the middle beam outwards, both sides at once.
                half = np.cumsum(sums[_MIDDLE:] + sums[_MIDDLE::-1]) - sums[_MIDDLE]
                away = int(np.argmax(half))
                first, last = _MIDDLE - away, _MIDDLE + away
            else:
                value, first, last = _best_run(sums)
            inside = (beams >= first) & (beams <= last)
            sums = np.bincount(rings[inside], weights[inside], n)
            value, low, high = _best_run(sums, self.penalty)
        return (
            value,
            max(low - 0.5, 0.0),
            high + 0.5,
            np.radians((first - _MIDDLE - 0.5) * step),
            np.radians((last - _MIDDLE + 0.5) * step),
        )


def _search_rings(e: Plane) -> list[SectorGeometry]:
    """The best upright ring segment, and the best one near it that need not be upright."""
    polar = _Polar(e)
    height, width = e.shape
    rows, columns = np.nonzero(e > 0)
    if len(rows) < 20:
        return []
    middle = float(np.median(columns))
    top = float(np.percentile(rows, 2))
    tall = float(np.percentile(rows, 98)) - top
    unit = max(height, width)

    def loss(apex: NDArray[np.float64], upright: bool) -> float:
        if not -0.25 * width < apex[0] < 1.25 * width:
            return 0.0  # a sector is seen from its front
        return -polar.best((apex[0], apex[1]), upright)[0]

    def improved(x: float, y: float, upright: bool) -> tuple[float, float, float]:
        step = 0.06 * unit
        done = minimize(
            loss,
            (x, y),
            args=(upright,),
            method="Nelder-Mead",
            options={
                "initial_simplex": np.array([(x, y), (x + step, y), (x, y - 2 * step)]),
                "maxfev": 50,
                "xatol": 0.2,
                "fatol": 0.5,
            },
        )
        return float(done.fun), float(done.x[0]), float(done.x[1])

    starts = sorted(
        (loss(np.array([x, top - up * tall]), True), x, top - up * tall)
        for up in (0.0, 0.25, 0.7, 1.5, 4.0, 12.0)
        for x in (middle - 0.1 * unit, middle, middle + 0.1 * unit)
    )
    _, x, y = min(improved(x, y, True) for _, x, y in starts[:2])
    found = []
    for upright in (True, False):
        if not upright:
            _, x, y = improved(x, y, False)
        value, r0, r1, a0, a1 = polar.best((x, y), upright)
        if value > 0:
            box = (-0.5, -0.5, width - 0.5, height - 0.5)
            found.append(SectorGeometry("curved", box, (x, y), (float(a0), float(a1)), (r0, r1)))
    return found
