"""Which outline explains the evidence: shapes looked for, fitted, and judged against each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.echoes import Evidence
from sectoraug.sectors.clues.motion import at_most
from sectoraug.sectors.outline.edges import LEFT_CUT, edges
from sectoraug.sectors.outline.fit import named, refine
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.likely import expected_iou, most_likely, probability
from sectoraug.sectors.outline.search import search
from sectoraug.sectors.outline.settle import settle

Plane = NDArray[np.float32]

UNSURE = 0.15  # quality under which an outline is not given
_NO_EDGE = 0.6  # the contrast that an outline counts as having where it is the border of the image
_TRUST = 2  # the power to which another clue's expected IoU counts
_EVERYWHERE = 0.97  # share of the frame: evidence that covers it all tells no outline from another
_LEAST_SEEN = 24
_FAN_RAD = 0.5  # opening from which on an outline has a right way up
_RIGHT_WAY_UP = 0.95  # quality under which an apex at the bottom is tried too
_JUDGED_PX = 160  # longer side of the planes on which evidence is summed
_SURE = 0.8  # quality from which on the third level is not tried
_CERTAIN, _SAME = 0.95, 0.96  # quality, and IoU expected by another clue, for the second
# What a settled one's score counts more, as a person has seen it. On 36 phantom clips right ones had .92 to
# 1.16 of the best score found (one .58), those of another depth .66 or less where a sector was found at all.
_GIVEN = 1.12
_AGREED, _KEPT = 0.93, 2  # the latter from which on another level starts from so many outlines of the first


@dataclass(frozen=True)
class Candidate:
    """An outline, and how it agrees with the picture."""

    shape: SectorGeometry
    evidence: Evidence
    contrast: float
    """Mean over the visible outline, -1..1."""
    supported: float
    """Share of the visible outline where the inside responds thrice as much as the outside."""
    cuts_supported: float
    """The same, of straight cuts alone."""
    seen: int
    """Samples of the outline that lie inside the image, of 48 a side."""
    gathered: float
    """Evidence inside as a share of all that is positive, at most 1: the lower one of its own level and the
    most sensitive level that does not see evidence everywhere."""
    expected_iou: float = 1.0
    """0..1: as another clue has it; 1 without one."""
    given: int | None = None
    """Which of the outlines that were given it is, or comes from; None for what was found."""
    settled: bool = False
    """Whether it was given as it is, and no side of it lies along what is dead or short of what lives."""

    @property
    def score(self) -> float:
        """What the best candidate has most of; between equals the simpler shape wins."""
        explained = self.contrast * self.gathered * self.expected_iou**_TRUST
        if self.settled:
            explained *= _GIVEN
        if self.cut:
            return explained * (0.93 if self.plausible_cut else 0.5)
        return explained * (1.03 if self.shape.upright else 1.0)

    @property
    def cut(self) -> bool:
        """Whether straight cuts inside the image go through a ring segment."""
        return self.shape.apex_px is not None and max(self._cut_depths) > 0.01

    @property
    def plausible_cut(self) -> bool:
        """A crop shows along most of its length; and a trapezoid that is cut on its sides is a rectangle."""
        upright_sides = self.shape.opening_rad < _FAN_RAD and max(self._cut_depths[::2]) > 0.01
        return self.cuts_supported > 0.6 and not upright_sides

    @property
    def _cut_depths(self) -> tuple[float, float, float, float]:
        """How far inside the image the box's left, top, right and bottom lie, in longer sides."""
        height, width = self.evidence.weight.shape
        left, top, right, bottom = self.shape.box_px
        unit = max(height, width)
        return left / unit, top / unit, (width - 1 - right) / unit, (height - 1 - bottom) / unit

    @property
    def whole(self) -> bool:
        """Whether no part of the outline lies inside the image."""
        return self.seen == 0

    @property
    def quality(self) -> float:
        """Logistic in the edges' support and the evidence gathered.

        Fitted to whether the IoU is .95 or more, on 240 phantom clips, their first frames as stills, and
        the real development set; then moved towards caution by 1, and what is found by brightness alone by
        another 1.5.
        """
        logit = 14.0 * self.gathered + 9.7 * self.supported - 19.2 - 1.5 * self.evidence.static
        return 1 / (1 + exp(-logit))


def best_either_way_up(
    levels: Iterable[Evidence],
    turned: Iterable[Evidence],
    log_odds: Plane | None = None,
    given: Sequence[SectorGeometry] = (),
) -> Candidate:
    """The best candidate, with its apex at the top or, where that is not sure and the other one is, below.

    Args:
        levels: the evidence, the finest first.
        turned: the same levels of the picture upside down, asked for only then.
        log_odds: (h, w) of each pixel's lying inside, in another clue's eyes; of any size.
        given: outlines of the evidence's size that are judged beside those found.
    """
    best = best_candidate(levels, log_odds, given)
    if best.quality >= _RIGHT_WAY_UP:
        return best
    other = best_candidate(turned, None if log_odds is None else np.ascontiguousarray(log_odds[::-1]))
    if other.shape.opening_rad <= _FAN_RAD or other.score <= 1.1 * best.score:
        return best
    height = other.evidence.weight.shape[0]
    return replace(other, shape=other.shape.upside_down(height), evidence=other.evidence.upside_down())


def best_candidate(
    levels: Iterable[Evidence], log_odds: Plane | None = None, given: Sequence[SectorGeometry] = ()
) -> Candidate:
    """The candidate that edges and evidence support best, among levels of sensitivity, the finest first.

    Levels are taken one at a time, and no more once a candidate of the second or a later one is sure, or
    one of the first that the other clue agrees with.
    """
    candidates: list[Candidate] = []
    best: Candidate | None = None
    reference, everywhere = None, False
    likely = None if log_odds is None else most_likely(log_odds)
    chance = None if log_odds is None else probability(at_most(log_odds, _JUDGED_PX))
    for number, evidence in enumerate(levels):
        small = np.asarray(at_most(evidence.weight, _JUDGED_PX), np.float32)
        if reference is None:
            if (evidence.weight > 0).mean() < _EVERYWHERE:
                reference = small
            else:
                everywhere = True
        planes = (small,) if reference is None else (small, reference)
        if best is not None and best.expected_iou > _AGREED:
            found = [c for c in candidates if c.given is None]
            roughs = [c.shape for c in sorted(found, key=lambda c: -c.score)[:_KEPT]]
        else:
            roughs = list(chain.from_iterable(search(evidence.weight)))
        if log_odds is not None and likely is not None:
            height, width = evidence.weight.shape
            roughs.append(likely.shape.scaled(width / log_odds.shape[1], height / log_odds.shape[0]))
        for rough in roughs:
            candidates += _fitted(rough, evidence, planes, chance)
        for k, shape in enumerate(given):
            at_rest = not evidence.static and settle(shape, evidence.alive, evidence.surely) == shape
            for one, settled in ((shape, at_rest), (_moved(shape, evidence), False)):
                judged = _judged(one, evidence, planes, chance)
                candidates.append(replace(judged, given=k, settled=settled))
        candidates.append(
            _judged(SectorGeometry.whole_frame(evidence.weight.shape), evidence, planes, chance)
        )
        # Where echoes are everywhere, only an outline that shows much of itself beats the whole frame.
        if everywhere:
            candidates = [c for c in candidates if c.seen >= _LEAST_SEEN or c.whole]
        best = max(candidates, key=lambda c: c.score)
        agreed = chance is not None and best.expected_iou > _SAME and best.quality > _CERTAIN
        if agreed or (number and best.quality > _SURE):
            break
    assert best is not None
    if best.given is not None and best.quality < UNSURE:  # it would be refused: then what was found decides
        best = max((c for c in candidates if c.given is None), key=lambda c: c.score)
    return replace(best, shape=named(best.shape))


def _fitted(
    rough: SectorGeometry, evidence: Evidence, planes: tuple[Plane, ...], chance: Plane | None
) -> list[Candidate]:
    """A rough outline moved onto edges; and as it is, if evidence was lost on the way."""
    moved = _moved(rough, evidence)
    first, second = (_judged(shape, evidence, planes, chance) for shape in (moved, rough))
    kept = first.gathered > second.gathered - 0.025 and first.score > 0.6 * second.score
    return [first] if kept else [first, second]


def _moved(rough: SectorGeometry, evidence: Evidence) -> SectorGeometry:
    """An outline moved onto edges, and where things move to where they end."""
    fine = refine(rough, evidence.response)
    return fine if evidence.static else settle(fine, evidence.alive, evidence.surely)


def _judged(
    shape: SectorGeometry, evidence: Evidence, planes: tuple[Plane, ...], chance: Plane | None
) -> Candidate:
    """`planes`: the weight, small, of its own level and maybe of another."""
    size = evidence.weight.shape

    def drawn(at: tuple[int, ...]) -> NDArray[np.bool_]:
        return shape.scaled(at[1] / size[1], at[0] / size[0]).rasterise((at[0], at[1]))

    sector = drawn(planes[0].shape)
    found = edges(shape, evidence.response, max(3, round(0.01 * max(size))))
    n, cuts = len(found.side), found.side >= LEFT_CUT
    gathered = min(
        max(float(plane[sector].sum()) / max(float(np.maximum(plane, 0).sum()), 1e-9), -1.0)
        for plane in planes
    )
    return Candidate(
        shape,
        evidence,
        _contrast(found.contrast_here, sector, planes[0] > 0),
        float((found.contrast_here > 0.5).mean()) if n else _NO_EDGE,
        float((found.contrast_here[cuts] > 0.5).mean()) if cuts.any() else 1.0,
        n,
        gathered,
        1.0 if chance is None else expected_iou(drawn(chance.shape), chance),
    )


def _contrast(visible: NDArray[np.float64], sector: NDArray[np.bool_], echoes: NDArray[np.bool_]) -> float:
    """The mean along a sector's outline; where that is the image's border, echoes count as _NO_EDGE."""
    inner = cv2.erode(
        sector.view(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=1
    )
    n_visible = int((sector & (inner == 0)).sum())
    alive = cv2.morphologyEx(echoes.view(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) > 0
    ends = ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1))
    n_border = sum(int(sector[end].sum()) for end in ends)
    n_alive = sum(int((sector[end] & alive[end]).sum()) for end in ends)
    seen = float(visible.mean()) if len(visible) else 0.0
    return (seen * n_visible + _NO_EDGE * n_alive) / max(n_visible + n_border, 1)
