"""The sector of a still, or of a clip in which nothing moves: what the network sees, and an outline of it."""

from __future__ import annotations

from math import exp, log
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors import refusals
from sectoraug.sectors.clues.motion import ClipStatistics, at_most
from sectoraug.sectors.clues.oddities import doppler
from sectoraug.sectors.estimate import SectorEstimate, note_on
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.likely import expected_iou, largest, most_likely, probability
from sectoraug.sectors.rim import without_overlay

_LOOK_PX = 256  # the network's own resolution
_WHOLE = 0.985  # share of the frame from which on a sector is the frame
_UNEXPLAINED = 0.06  # expected IoU that an outline may cost
_SLOPE, _BIAS = 1.75, -3.76
_FREE_FORM = -1.5


class Look(NamedTuple):
    """What the network makes of a frame, or of several."""

    log_odds: NDArray[np.float32]
    """(h, w): above 0 inside the sector."""
    single: float
    """0..1: the probability of one sector."""


def sector_of_still(clip: ClipStatistics, small: ClipStatistics, why: str) -> SectorEstimate:
    """Find the sector of a clip's last sample.

    Args:
        clip: its statistics.
        small: the same, shrunk.
        why: why the network is asked, for the note.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
    """
    refusals.refuse_blank(small)
    seen = _seen(small.samples[-1][1])
    log_odds = at_most(seen.log_odds, _LOOK_PX)
    chance = probability(log_odds)
    free = largest(log_odds > 0)
    refusals.refuse_unseen(free)
    refusals.refuse_several(seen.single)
    shape, expected = None, expected_iou(free, chance)
    fitted = most_likely(log_odds)
    if fitted is not None and fitted.expected_iou > expected - _UNEXPLAINED:
        shape, expected = fitted.shape, fitted.expected_iou
    quality = quality_of(expected, free_form=shape is None)
    refusals.refuse_unsure(quality)
    size = clip.mean.shape
    sector = _drawn(shape, log_odds.shape, seen.log_odds, size)
    whole = bool(sector.mean() >= _WHOLE)
    if whole:
        shape = SectorGeometry.whole_frame(size)
        sector = shape.rasterise(size)
    elif shape is not None:
        shape = shape.scaled(size[1] / log_odds.shape[1], size[0] / log_odds.shape[0])
    sector = without_overlay(sector, clip, moves=False)
    coloured = doppler(small, at_most(sector.view(np.uint8), max(small.mean.shape)) > 0)
    note = note_on(f"found by the network: {why}", whole=whole, coloured=coloured)
    return SectorEstimate(sector, shape, round(quality, 4), note)


def looked_at(small: ClipStatistics) -> Look:
    """What the network makes of a clip, from frames at its start, middle and end."""
    samples = small.samples
    chosen = sorted({0, len(samples) // 2, len(samples) - 1})
    seen = [_seen(samples[k][1]) for k in chosen]
    log_odds = np.mean([at_most(one.log_odds, _LOOK_PX) for one in seen], 0)
    return Look(log_odds.astype(np.float32), float(np.mean([one.single for one in seen])))


def _seen(frame: NDArray[np.uint8]) -> Look:
    from sectoraug.sectors.clues.net import seen_by_net  # imports torch

    return Look(*seen_by_net(frame))


def quality_of(expected: float, *, free_form: bool = False) -> float:
    """The probability that the IoU is .95 or more: a logistic function of the expected IoU's logit.

    Fitted to pictures each judged by a network that had seen none of its source
    (`examples/sector_net/score.py`).

    Args:
        expected: the expected IoU.
        free_form: whether no outline explains the sector.
    """
    share = min(max(expected, 1e-6), 1 - 1e-6)
    return 1 / (1 + exp(-(_SLOPE * log(share / (1 - share)) + _BIAS + _FREE_FORM * free_form)))


def _drawn(
    shape: SectorGeometry | None,
    fitted_at: tuple[int, ...],
    log_odds: NDArray[np.float32],
    size: tuple[int, ...],
) -> NDArray[np.bool_]:
    """The sector at a picture's own size, from an outline or as the network sees it."""
    if shape is None:
        seen = cv2.resize(log_odds, size[::-1], interpolation=cv2.INTER_LINEAR)
        return largest(np.asarray(seen > 0))
    height, width = size
    return shape.scaled(width / fitted_at[1], height / fitted_at[0]).rasterise((height, width))
