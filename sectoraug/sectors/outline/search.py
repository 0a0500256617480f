"""Looking for a sector's outline on a coarse grid: the shape inside which the evidence sums highest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.polar import Floats, best_runs, best_segments, end_cost

Plane = NDArray[np.float32]

_SEARCH_PX, _COARSE_PX = 96, 32  # longer sides of the pictures that the search ends and begins on
_CUT_SHARE = 0.97  # of the evidence: a box around so much may be where a sector was cropped
_LEAST_PX = 20
# Where apexes are looked for first: above the evidence, in shares of its height, and beside its middle, in
# shares of the picture's longer side.
_UP = np.array([-0.05, 0.05, 0.15, 0.3, 0.55, 1.0, 2.0, 4.5, 12.0])
_ASIDE = np.array([-0.24, -0.12, 0.0, 0.12, 0.24])
_FINER = ((0.5, 48), (0.25, 64), (0.12, 96), (0.06, 96))  # shares of the first step; longer sides


def search(evidence: Plane) -> Iterator[list[SectorGeometry]]:
    """The shapes inside which evidence (H, W) sums highest, on a coarse grid; the simplest first.

    An upright ring segment (alike on both sides, as sectors are, so that one side can lie in the dark) and a
    rectangle; then such a ring segment cut straight, and a free one.
    """
    height, width = evidence.shape
    small = _shrunk(evidence, _SEARCH_PX)
    factors = width / small.shape[1], height / small.shape[0]

    def enlarged(found: list[SectorGeometry]) -> list[SectorGeometry]:
        return [shape.scaled(*factors) for shape in found]

    box = _search_box(small)
    yield enlarged(_search_rings(small, upright=True) + ([] if box is None else [box]))
    if box is not None:
        cut = box.rasterise(small.shape)
        positive = np.maximum(small, 0)
        if not cut.all() and positive[cut].sum() > _CUT_SHARE * positive.sum():
            # Straight cuts inside the image may go through a ring segment: beyond them nothing is known.
            rings = _search_rings(np.where(cut, small, np.float32(0)), upright=True)
            yield enlarged([replace(ring, box_px=box.box_px) for ring in rings])
    yield enlarged(_search_rings(small, upright=False))


def _shrunk(evidence: Plane, longest_px: int) -> Plane:
    scale = min(1.0, longest_px / max(evidence.shape))
    return np.asarray(
        cv2.resize(evidence, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.float32
    )


def _search_box(e: Plane) -> SectorGeometry | None:
    best = 0.0
    found: tuple[float, float, float, float] | None = None
    height, width = e.shape
    cost = end_cost(e)
    for rows_first in (True, False):
        top, bottom, left, right, value = 0, height - 1, 0, width - 1, 0.0
        for k in range(8):
            rows = (k % 2 == 0) == rows_first
            part = e[:, left : right + 1] if rows else e[top : bottom + 1].T
            (value,), (first,), (last,) = best_runs(part.sum(1, np.float64)[None], cost)
            if rows:
                top, bottom = int(first), int(last)
            else:
                left, right = int(first), int(last)
        if value > best:
            best, found = value, (left - 0.5, top - 0.5, right + 0.5, bottom + 0.5)
    return None if found is None else SectorGeometry("rectangle", found)


def _search_rings(e: Plane, *, upright: bool) -> list[SectorGeometry]:
    """The best ring segment, if there is one."""
    apex = _best_apex(e, upright=upright)
    if apex is None:
        return []
    best = best_segments(e, apex[None], upright=upright)
    if best.value[0] <= 0:
        return []
    (x, y), (start, end), (near, far) = apex.tolist(), best.angles_rad[0].tolist(), best.radii_px[0].tolist()
    whole = (-0.5, -0.5, e.shape[1] - 0.5, e.shape[0] - 0.5)
    return [SectorGeometry("curved", whole, (x, y), (start, end), (near, far))]


def _best_apex(e: Plane, *, upright: bool) -> Floats | None:
    """The x, y whose best ring segment holds most: on a coarse grid, then on finer ones around the best."""
    rows, columns = np.nonzero(e > 0)
    if len(rows) < _LEAST_PX:
        return None
    middle, top = float(np.median(columns)), float(np.percentile(rows, 2))
    tall, unit = max(float(np.percentile(rows, 98)) - top, 4.0), max(e.shape)

    def placed(up: Floats, aside: Floats) -> Floats:
        return np.stack([middle + unit * aside, top - tall * up], 1)

    def best(up: Floats, aside: Floats, longest_px: int) -> int:
        plane = _shrunk(e, longest_px)
        apexes = (placed(up, aside) + 0.5) * (plane.shape[1] / e.shape[1]) - 0.5
        return int(np.argmax(best_segments(plane, apexes, upright=upright).value))

    up, aside = (a.ravel() for a in np.meshgrid(_UP, _ASIDE))
    here = best(up, aside, _COARSE_PX)
    turn = np.array([0.0, -1.0, 1.0])
    down, side = (a.ravel() for a in np.meshgrid(turn, turn))
    for finer, longest_px in _FINER:
        # Far apexes are told apart less: steps grow with the distance.
        up, aside = up[here] + finer * (0.12 + 0.6 * abs(up[here])) * down, aside[here] + finer * 0.12 * side
        here = best(up, aside, longest_px)
    return np.asarray(placed(up, aside)[here], np.float64)
