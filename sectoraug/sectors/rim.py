"""The rim of a sector that was found: burned-in pixels that an outline cuts off are taken away."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.pieces import pieces
from sectoraug.sectors.clues.surroundings import even, strokes_above

_DIM, _BRIGHT = 8, 30  # grey levels
_WRITTEN = 0.25  # probability of overlay from which on a pixel may be part of a stroke
_STROKE_LEVEL = 30  # grey levels above what is around
_DEPTH = 2  # rims that a stroke may reach into a sector
_MOSTLY, _LEAST_PX = 0.3, 3  # share of a stroke that lies outside, and how much of it
_SURE = 0.7  # mean probability from which on a stroke need not lie outside
_ALIKE = 2  # grey levels
_NEIGHBOURS = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across]


def without_overlay(sector: NDArray[np.bool_], clip: ClipStatistics, *, moves: bool) -> NDArray[np.bool_]:
    """Take burned-in pixels off a sector's rim.

    An outline is good to a pixel or two, and text, rulers and ECGs are cut off at it: what goes on inside
    at the grey level it has outside belongs to them, and in a clip that moves so does what stands still
    and shines.

    Args:
        sector: (H, W).
        clip: its statistics.
        moves: whether echoes move in this clip.
    """
    burned = (clip.brightest > _BRIGHT) & ~sector
    rim = _disc_rim(sector)
    if moves:
        burned |= rim & (clip.brightest > 2) & (clip.difference == 0)
    return np.asarray(sector & ~_grown(burned, rim, clip.brightest), np.bool_)


def without_strokes(
    sector: NDArray[np.bool_], grey: NDArray[np.uint8], overlay: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Take off a still's rim what goes on inside from flat bars and from what the network calls overlay.

    Echoes that an outline cuts off are neither, so they take nothing with them. Strokes that lie outside
    for a good part, or that the network is sure of, go deeper than the rim.

    Args:
        sector: (H, W).
        grey: (H, W).
        overlay: (h, w), 0..1: the probability of overlay, of any size.
    """
    written = cv2.resize(overlay, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    flat = even(grey, (1, 3)) | even(grey, (3, 1))
    bars = ~sector & (flat & (grey > _DIM) | (written > _WRITTEN) & (grey > _BRIGHT))
    # The pixel beside a bar mixes both.
    bars = cv2.dilate(bars.view(np.uint8), np.ones((3, 3), np.uint8)) > 0
    burned = _grown(np.asarray(bars), _disc_rim(sector), grey)
    reach = 2 * _DEPTH * _rim_px(sector) + 1
    deeper = _rim(sector, np.ones((reach, reach), np.uint8)) & _strokes(sector, grey, written)
    return np.asarray(sector & ~burned & ~deeper, np.bool_)


def _grown(burned: NDArray[np.bool_], rim: NDArray[np.bool_], grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What is burned in, and what on the rim goes on from it at the same grey level."""
    padded = np.pad(burned, 1)
    at = np.flatnonzero(np.pad(rim & (grey > _DIM), 1))
    beside = at + np.array([[down * padded.shape[1] + across] for down, across in _NEIGHBOURS])
    level = np.pad(grey, 1).astype(np.int16).ravel()
    alike = np.abs(level[beside] - level[at]) <= _ALIKE
    flat = padded.reshape(-1)
    for _ in range(_rim_px(grey)):
        reached = (flat[beside] & alike).any(0) & ~flat[at]
        if not reached.any():
            break
        flat[at[reached]] = True
    return padded[1:-1, 1:-1]


def _strokes(sector: NDArray[np.bool_], grey: NDArray[np.uint8], written: NDArray[Any]) -> NDArray[np.bool_]:
    """Strokes that reach into a sector from outside, or that the network is sure of."""
    strokes = (written > _WRITTEN) & strokes_above(grey, _STROKE_LEVEL)
    labels, sizes = pieces(strokes)
    of = labels[strokes]
    beyond = np.bincount(of, ~sector[strokes], len(sizes))
    crossing = (beyond >= _MOSTLY * sizes) & (beyond >= _LEAST_PX)
    taken = strokes.view(np.uint8)
    taken[strokes] = (crossing | (np.bincount(of, written[strokes], len(sizes)) > _SURE * sizes))[of]
    return np.asarray(cv2.dilate(taken, np.ones((3, 3), np.uint8)) > 0, np.bool_)


def _disc_rim(sector: NDArray[np.bool_]) -> NDArray[np.bool_]:
    side = 2 * _rim_px(sector) + 1
    return _rim(sector, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _rim_px(picture: NDArray[Any]) -> int:
    return max(2, round(0.008 * float(max(picture.shape))))


def _rim(sector: NDArray[np.bool_], reach: NDArray[Any]) -> NDArray[np.bool_]:
    """What lies within reach of the outline; beyond the image there is nothing to leak."""
    core = cv2.erode(sector.view(np.uint8), reach, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    return np.asarray(sector & (core == 0), np.bool_)
