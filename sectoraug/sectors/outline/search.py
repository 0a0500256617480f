"""Looking for a sector's outline on a coarse grid: the shape inside which the evidence sums highest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from sectoraug.sectors.outline.geometry import SectorGeometry

Plane = NDArray[np.float32]

_MIDDLE = 130  # beams of half a degree from the middle to the widest side
_SEARCH_PX = 96  # longer side of the picture that the search runs on
_CUT_SHARE = 0.97  # of the evidence: a box around so much may be where a sector was cropped
_END_COST = 0.004  # of the evidence: what an end inside the picture must gain


def search(evidence: Plane) -> list[SectorGeometry]:
    """The shapes inside which evidence (H, W) sums highest, on a coarse grid.

    An upright ring segment (alike on both sides, as sectors are, so that one side can lie in the dark), a
    free one, and a rectangle.
    """
    height, width = evidence.shape
    scale = min(1.0, _SEARCH_PX / max(height, width))
    small = np.asarray(
        cv2.resize(evidence, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
    )
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


def _best_run(sums: NDArray[Any], penalty: float = 0.0) -> tuple[float, int, int]:
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
    best = 0.0
    found: tuple[float, float, float, float] | None = None
    height, width = e.shape
    penalty = _END_COST * float(e[e > 0].sum())
    for rows_first in (True, False):
        top, bottom, left, right, value = 0, height - 1, 0, width - 1, 0.0
        for k in range(8):
            if (k % 2 == 0) == rows_first:
                value, top, bottom = _best_run(e[:, left : right + 1].sum(1, np.float64), penalty)
            else:
                value, left, right = _best_run(e[top : bottom + 1].sum(0, np.float64), penalty)
        if value > best:
            best, found = value, (left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)
    return None if found is None else SectorGeometry("rectangle", found)


class _Polar:
    """Evidence seen from an apex."""

    def __init__(self, e: Plane) -> None:
        self.weights = e.ravel().astype(np.float64)
        height, width = e.shape
        self.size = height, width
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self.x, self.y = x, y
        self.penalty = _END_COST * float(e[e > 0].sum())

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
