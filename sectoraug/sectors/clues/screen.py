"""Which screen a clip shows: in which blocks something is burned in, and how its rulers' ticks stand.

A block is as large as a letter or larger, so that nothing written can be read from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics

_BLOCKS = 40  # along the longer side
_BRIGHT, _STEADY, _STILL = 40, 16, 1.0  # grey levels: the mean, the brightest moment above it, motion
_LEAST_BLOCKS = 12  # with something in them: fewer are no screen to know again
_ALIKE = 0.85  # share of one screen's blocks that the other one fills as well
_LEAST_TICKS, _LEAST_STEP_PX = 6, 4.0
_THICKEST = 0.015  # of the height: a tick
_UNEVEN = 1.0, 0.12  # how far a step may be off the first one: pixels, or shares of it
_DRIFT_PX, _SHIFT = 2.0, 0.02  # between rulers: along all ticks, and of their place in longer sides


class Ruler(NamedTuple):
    """Ticks one above the other, equally far apart."""

    x_px: float
    first_px: float
    step_px: float
    ticks: int


@dataclass(frozen=True)
class Screen:
    """What tells a clip's screen from others."""

    size: tuple[int, int]
    """(H, W)."""
    blocks: bytes
    """Those in which something is burned in, a bit each, row by row."""
    rulers: tuple[Ruler, ...]

    def same_as(self, other: Screen, inside: NDArray[np.bool_]) -> bool:
        """Whether both show the same outside a sector.

        Text may differ where patients' names and dates stand. Rulers may not, whose ticks move with the
        depth. Screens with next to nothing burned in are never the same: nothing tells them apart.

        Args:
            inside: (H, W), the sector: blocks that it touches do not count.
        """
        if self.size != other.size or not _all_found(self.rulers, other.rulers, max(self.size)):
            return False
        outside = ~_blocks_of(inside)
        one, two = (_unpacked(screen.blocks, outside.shape) & outside for screen in (self, other))
        least = min(int(one.sum()), int(two.sum()))
        return least >= _LEAST_BLOCKS and all(
            _share_near(a, b) >= _ALIKE for a, b in ((one, two), (two, one))
        )


def screen_of(clip: ClipStatistics) -> Screen:
    """The screen of a clip, from its statistics alone."""
    mean = clip.mean
    steady = (mean > _BRIGHT) & (clip.brightest - mean < _STEADY) & (clip.difference < _STILL)
    height, width = steady.shape
    return Screen((height, width), np.packbits(_blocks_of(steady)).tobytes(), tuple(_rulers(steady)))


def _blocks_of(picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which blocks hold a pixel of it."""
    side = max(1.0, max(picture.shape) / _BLOCKS)
    rows, columns = (np.unique((np.arange(0, n, side)).astype(int)) for n in picture.shape)
    held = np.add.reduceat(np.add.reduceat(picture.astype(np.int32), rows, 0), columns, 1)
    return np.asarray(held > 0)


def _unpacked(blocks: bytes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    flat = np.unpackbits(np.frombuffer(blocks, np.uint8), count=shape[0] * shape[1])
    return flat.reshape(shape).astype(bool)


def _share_near(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Of the blocks of one: those on or beside which the other has one."""
    near = cv2.dilate(other.view(np.uint8), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)) > 0
    return float((one & near).sum() / max(int(one.sum()), 1))


def _rulers(burned: NDArray[np.bool_]) -> list[Ruler]:
    """One for neighbouring columns of the same ticks."""
    found: list[Ruler] = []
    for x in np.flatnonzero(burned.sum(0) >= _LEAST_TICKS):
        ruler = _ticks(burned[:, x], int(x))
        if ruler is not None and not any(_same(ruler, one, len(burned)) for one in found):
            found.append(ruler)
    return found


def _ticks(column: NDArray[np.bool_], x: int) -> Ruler | None:
    """The longest row of short, equally distant strokes in a column."""
    ends = np.flatnonzero(np.diff(np.pad(column.astype(np.int8), 1)))
    first, last = ends[::2], ends[1::2] - 1
    short = last - first < max(2.0, _THICKEST * len(column))
    at = (first + last)[short] / 2
    best: Any = None
    start = 0
    for k in range(1, len(at)):
        step = at[start + 1] - at[start]
        if abs(at[k] - at[k - 1] - step) > max(_UNEVEN[0], _UNEVEN[1] * step):
            start = k - 1
        elif best is None or k - start > best[1] - best[0]:
            best = start, k
    if best is None or best[1] - best[0] + 1 < _LEAST_TICKS:
        return None
    steps = int(best[1] - best[0])
    step = float(at[best[1]] - at[best[0]]) / steps
    return None if step < _LEAST_STEP_PX else Ruler(x, float(at[best[0]]), step, steps + 1)


def _same(one: Ruler, other: Ruler, longest_px: int) -> bool:
    reach = max(2.0, _SHIFT * longest_px)
    off = abs(one.first_px - other.first_px) % one.step_px
    return (
        abs(one.x_px - other.x_px) <= reach
        and abs(one.step_px - other.step_px) * (min(one.ticks, other.ticks) - 1) <= _DRIFT_PX
        and min(off, one.step_px - off) <= reach
    )


def _all_found(one: tuple[Ruler, ...], other: tuple[Ruler, ...], longest_px: int) -> bool:
    return all(
        any(_same(a, b, longest_px) for b in there)
        for here, there in ((one, other), (other, one))
        for a in here
    )
