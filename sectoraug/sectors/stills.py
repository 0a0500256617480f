"""The sector of a still, or of a clip in which nothing moves: what the network sees, and an outline of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.clips import to_grey
from sectoraug.reading.regions import Region
from sectoraug.sectors import refusals
from sectoraug.sectors.clues.bars import bars
from sectoraug.sectors.clues.echoes import still_response
from sectoraug.sectors.clues.margins import margins
from sectoraug.sectors.clues.motion import ClipStatistics, at_most
from sectoraug.sectors.clues.net import Seen, seen_by_net
from sectoraug.sectors.clues.oddities import doppler
from sectoraug.sectors.clues.regions import outside
from sectoraug.sectors.clues.regions import single as single_by
from sectoraug.sectors.estimate import SectorEstimate, note_on
from sectoraug.sectors.figures import figures
from sectoraug.sectors.outline.fit import refine
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.likely import expected_iou, largest, most_likely, probability, second_share
from sectoraug.sectors.outline.overlap import iou
from sectoraug.sectors.rim import without_strokes

_LOOK_PX = 256  # longer side on which outlines are fitted to it
_WHOLE = 0.985  # share of the frame from which on a sector is the frame
_UNEXPLAINED = 0.06  # expected IoU that an outline may cost
_PRECISION = 0.012  # of the longer side: how far off an edge the network's may lie
_ALIKE = 0.96  # IoU of an outline with itself before it moved: by more it lost its edges
_TWO_PIECES = -3.0  # log-odds of one sector where the network sees two pieces of one size
_BAR = -4.0  # log-odds of what is flat
_MARGIN = -2.0  # added to the log-odds of what is even along a whole border
_SLOPE, _BIAS = 2.39, -4.49
_FREE_FORM = -1.5


def sector_of_still(
    clip: ClipStatistics,
    small: ClipStatistics,
    seen: Seen,
    why: str,
    candidates: Sequence[SectorGeometry] = (),
) -> SectorEstimate:
    """Decide on what the network sees.

    Args:
        clip: statistics of a still, or of a clip in which nothing moves.
        small: the same, shrunk.
        seen: what the network makes of it.
        why: why the network is asked, for the note.
        candidates: outlines of the clip's size that are judged beside those found.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
    """
    log_odds = _without_flat(seen.log_odds, to_grey(_middle(small)))
    seen = seen._replace(log_odds=log_odds)
    chance = probability(log_odds)
    free = largest(log_odds > 0)
    refusals.refuse_unseen(free)
    refusals.refuse_several(seen.single)
    size = clip.mean.shape
    shape, won, expected = None, None, expected_iou(free, chance)
    fitted = most_likely(log_odds, [one.resized(size, log_odds.shape) for one in candidates])
    if fitted is not None and fitted.expected_iou > expected - _UNEXPLAINED:
        shape, expected, won = fitted.shape, fitted.expected_iou, fitted.given
    quality = quality_of(expected, free_form=shape is None)
    refusals.refuse_unsure(quality)
    if shape is None:
        enlarged = cv2.resize(log_odds, size[::-1], interpolation=cv2.INTER_LINEAR)
        sector = largest(np.asarray(enlarged > 0))
    else:
        shape = _snapped(shape, log_odds.shape, small)
        shape = shape.resized(small.mean.shape, size)
        sector = shape.rasterise(size)
    whole = bool(sector.mean() >= _WHOLE)
    if whole:
        shape, won = SectorGeometry.whole_frame(size), None
        sector = shape.rasterise(size)
    sector = without_strokes(sector, clip.brightest, seen.overlay)
    coloured = doppler(small, at_most(sector.view(np.uint8), max(small.mean.shape)) > 0)
    note = note_on(f"found by the network: {why}", whole=whole, coloured=coloured)
    return SectorEstimate(sector, shape, round(quality, 4), note, *figures(sector, seen), won)


def looked_at(small: ClipStatistics, regions: Sequence[Region] = (), engine: str = "torch") -> Seen:
    """What the network makes of a frame from a clip's middle; what its header adds, and a second piece."""
    height, width = small.mean.shape
    seen = seen_by_net(_middle(small), engine)
    log_odds = at_most(seen.log_odds + outside(regions, (height, width)), _LOOK_PX)
    single = seen.single + single_by(regions, (height, width)) + _TWO_PIECES * second_share(log_odds > 0)
    return seen._replace(log_odds=log_odds, single=single)


def _middle(clip: ClipStatistics) -> NDArray[np.uint8]:
    """A frame from a clip's middle."""
    return clip.samples[len(clip.samples) // 2][1]


def _without_flat(log_odds: NDArray[np.float32], grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w), lower where the frame, of any size, shows a flat bar or an even margin.

    Not asked of clips that move: their motion tells these, and a codec's smooth echoes can be as flat.
    """
    bar, margin = (
        cv2.resize(flat.view(np.uint8), log_odds.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        for flat in (bars(grey), margins(grey))
    )
    lower = np.where(margin, log_odds + np.float32(_MARGIN), log_odds)
    return np.where(bar, np.minimum(lower, np.float32(_BAR)), lower)


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


def _snapped(shape: SectorGeometry, fitted_at: tuple[int, ...], small: ClipStatistics) -> SectorGeometry:
    """The outline at a picture's size, moved onto edges that lie within the network's precision."""
    size = small.mean.shape
    shape = shape.resized(fitted_at, size)
    moved = refine(shape, still_response(small), (_PRECISION,))
    before, after = (
        one.resized(size, fitted_at).rasterise((fitted_at[0], fitted_at[1])) for one in (shape, moved)
    )
    return moved if iou(before, after) > _ALIKE else shape
