"""From what a clip does at each pixel to how much that speaks for the sector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics, hull_region
from sectoraug.sectors.clues.pieces import pieces
from sectoraug.sectors.clues.surroundings import even

Plane = NDArray[np.float32]

# What a dark and still pixel counts against the sector, when an echoing one counts 1 for it: a third of a
# strip must echo before the strip is believed. Between echoes (inside their convex hull) it counts less.
_DARK, _DARK_BETWEEN = -0.5, -0.15
_THIN = 0.3  # bright strokes thinner than _OPENING_PX: noise in a sector, or text beside it
_OPENING_PX = 5
_MOVES = 0.3  # of what is bright, in a clip that moves
# Motion and echo levels in grey levels: noise floors need the first, grabbed analogue video the last.
_LEVELS = ((0.05, 3.0), (0.5, 8.0), (2.0, 20.0))
_SOLID_SHARE = 0.1  # of the largest piece: pieces from here on span the hull


class Evidence(NamedTuple):
    """What speaks for the sector at one level of sensitivity."""

    weight: Plane
    """(H, W), -0.5..1: above 0 for the sector, below 0 against it."""
    response: Plane
    """(H, W), 0 or more: motion and brightness on a logarithmic scale, for finding edges."""
    off: Plane
    """(H, W): how far the brightest moment was off the background, in grey levels."""
    solid: NDArray[np.bool_]
    """(H, W): the large connected pieces of what moves or echoes, without thin strokes."""
    alive: NDArray[np.bool_]
    """(H, W): what moves at all."""
    surely: NDArray[np.bool_]
    """(H, W): what moves and echoes, so more than a codec's halo does."""
    moving_share: float
    """0..1: how much of what is bright and solid also moves."""

    def upside_down(self) -> Evidence:
        """The same, flipped top to bottom."""
        return Evidence(
            np.ascontiguousarray(self.weight[::-1]),
            np.ascontiguousarray(self.response[::-1]),
            np.ascontiguousarray(self.off[::-1]),
            np.ascontiguousarray(self.solid[::-1]),
            np.ascontiguousarray(self.alive[::-1]),
            np.ascontiguousarray(self.surely[::-1]),
            self.moving_share,
        )

    @property
    def static(self) -> bool:
        """Whether brightness has to do: then bright text that stands still cannot be told by that."""
        return self.moving_share < _MOVES


def levels(clip: ClipStatistics) -> Iterator[Evidence]:
    """A clip's evidence at three levels of sensitivity, the finest first, each weighed when asked for."""
    for motion_level, echo_level in _LEVELS:
        yield weigh(clip, motion_level, echo_level)


def weigh(clip: ClipStatistics, motion_level: float, echo_level: float) -> Evidence:
    """Weigh a clip's pixels.

    Args:
        clip: its statistics.
        motion_level: a pixel whose mean absolute difference is above it (grey levels) moves.
        echo_level: a pixel ever this many grey levels off the background echoes, unless its surroundings
            are all alike: bars and panels are flat, echoes never are.
    """
    still = clip.difference <= motion_level
    flat = even(clip.brightest)
    off = _off_background(clip, flat & still)
    bright = (off > echo_level) & ~flat
    moving = ~still
    square = np.ones((_OPENING_PX, _OPENING_PX), np.uint8)
    solid = cv2.morphologyEx((moving | bright).view(np.uint8), cv2.MORPH_OPEN, square)
    labels, areas = pieces(solid > 0)
    kept = (areas >= _SOLID_SHARE * areas.max(initial=1))[labels]
    bright_pieces = kept & bright
    moving_share = float((moving & bright_pieces).sum() / max(bright_pieces.sum(), 1))
    # In a clip that moves, still text speaks softly against; in a still, brightness is all there is.
    static = moving_share < _MOVES
    weight = np.where(hull_region(kept), np.float32(_DARK_BETWEEN), np.float32(_DARK))
    weight[bright] = 1.0 if static else _DARK_BETWEEN
    if static:
        weight[bright & (solid == 0)] = _THIN
    weight[moving] = 1.0
    response = _response(clip, off)
    if not static:
        response[still] = 0
    return Evidence(
        weight,
        np.asarray(cv2.blur(response, (3, 3)), np.float32),
        off,
        kept,
        moving,
        moving & (off > echo_level),
        moving_share,
    )


def still_response(clip: ClipStatistics) -> Plane:
    """(H, W): the response at the finest level of a clip that counts as still, so with all of it."""
    off = _off_background(clip, even(clip.brightest) & (clip.difference <= _LEVELS[0][0]))
    return np.asarray(cv2.blur(_response(clip, off), (3, 3)), np.float32)


def _off_background(clip: ClipStatistics, flat: NDArray[np.bool_]) -> Plane:
    """In grey levels: off the level that most of what is flat and still has."""
    background = float(np.argmax(np.bincount(clip.brightest[flat], minlength=256)))
    return np.asarray(np.abs(clip.brightest.astype(np.float32) - background), np.float32)


def _response(clip: ClipStatistics, off: Plane) -> Plane:
    return np.asarray(np.log1p(off / 6) + np.log1p(clip.difference / 0.25), np.float32)
