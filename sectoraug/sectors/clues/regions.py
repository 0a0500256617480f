"""What a header's regions speak for: one sector or several, and where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.regions import Region

Box = tuple[int, int, int, int]

_OUTSIDE = -2.0  # log-odds of what lies outside the one region of echoes
_SEVERAL = -2.0  # log-odds of a single sector where regions name more
_ALIKE = 0.8  # share of the smaller box from which on two boxes are one: colour inside its 2D picture
_LEAST_SHARE = 0.03  # of the frame
_SLACK_PX = 4


def outside(regions: Sequence[Region], size: tuple[int, int]) -> NDArray[np.float32]:
    """(H, W) log-odds to add: below 0 outside the region of echoes, if there is one and no strip.

    Regions that reach past the frame are those of a larger one, so they say nothing.
    """
    height, width = size
    boxes = _areas(regions, size)
    plane = np.zeros((height, width), np.float32)
    if len(boxes) == 1 and not _strips(regions, size):
        left, top, right, bottom = boxes[0]
        plane[:] = _OUTSIDE
        plane[
            max(0, top - _SLACK_PX) : bottom + 1 + _SLACK_PX, max(0, left - _SLACK_PX) : right + 1 + _SLACK_PX
        ] = 0
    return plane


def single(regions: Sequence[Region], size: tuple[int, int]) -> float:
    """Log-odds to add to those of a single sector: below 0 where there are several pictures, or strips."""
    return _SEVERAL * (len(_areas(regions, size)) > 1) + _SEVERAL * bool(_strips(regions, size))


def _areas(regions: Sequence[Region], size: tuple[int, int]) -> list[Box]:
    """Boxes of echoes that do not lie in each other, the largest first."""
    boxes = sorted(_plausible(regions, size, ("2d", "colour")), key=_area, reverse=True)
    kept: list[Box] = []
    for box in boxes:
        if all(_common(box, other) < _ALIKE * _area(box) for other in kept):
            kept.append(box)
    return kept


def _strips(regions: Sequence[Region], size: tuple[int, int]) -> list[Box]:
    return _plausible(regions, size, ("m-mode", "spectral"))


def _plausible(regions: Sequence[Region], size: tuple[int, int], kinds: tuple[str, ...]) -> list[Box]:
    height, width = size
    return [
        region.box_px
        for region in regions
        if region.kind in kinds
        and 0 <= region.box_px[0] < region.box_px[2] <= width
        and 0 <= region.box_px[1] < region.box_px[3] <= height
        and _area(region.box_px) > _LEAST_SHARE * height * width
    ]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _common(a: Box, b: Box) -> int:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(wide, 0) * max(high, 0)
