"""What a codec leaves around a sector: rings of a few grey levels, in blocks of 8 pixels along its edge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.oddities import quieted

_LARGEST_PX = 400  # longer side from which on 8 pixels matter little
_BLOCK_PX = 8
_FAINT = 0.09  # of the brightest within a block's reach; beside an edge a codec's rings are fainter
_LEAST_DEAD = 0.02  # share of the frame
_RIM_PERCENT = 75  # of what lies beside dead black must be faint: with rings nearly all is
_FAINT_RIM = 0.2  # .12 or less with rings (.22 where they are worst), .3 or more without, but for a few


def cleaned(clip: ClipStatistics) -> ClipStatistics:
    """The clip without what an analogue grabber or a codec adds to a black background."""
    return without_halo(quieted(clip))


def without_halo(clip: ClipStatistics) -> ClipStatistics:
    """The clip, black where it is far fainter than what is near, if a codec's rings show around the sector.

    They show where what lies beside dead black, which no codec touches, is faint along most of it.
    Larger clips come back as they are.
    """
    if max(clip.mean.shape) > _LARGEST_PX:
        return clip
    dead = cv2.morphologyEx((clip.brightest == 0).view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    rim = (_widened(dead, 3) > 0) & (dead == 0)
    if dead.mean() < _LEAST_DEAD or not rim.any():
        return clip
    near = _widened(clip.mean, _BLOCK_PX)
    if np.percentile(clip.mean[rim] / np.maximum(near[rim], 1), _RIM_PERCENT) > _FAINT_RIM:
        return clip
    faint = clip.mean <= _FAINT * near
    return replace(
        clip,
        brightest=np.where(faint, np.uint8(0), clip.brightest),
        difference=np.where(faint, np.float32(0), clip.difference),
    )


def _widened(plane: NDArray[Any], reach_px: int) -> NDArray[Any]:
    side = 2 * reach_px + 1
    return np.asarray(cv2.dilate(plane, np.ones((side, side), np.uint8)))
