"""Finding the sector of a clip or a still, and saying how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import exp
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.sectors.clues.echoes import Evidence, weigh, without_overlay
from sectoraug.sectors.clues.motion import (
    ClipStatistics,
    clip_statistics,
    filled_region,
    hull_region,
    threshold_region,
)
from sectoraug.sectors.clues.oddities import border_share, doppler, oddity, pure_noise, quieted, several_areas
from sectoraug.sectors.outline.edges import LEFT_CUT, edges
from sectoraug.sectors.outline.fit import named, refine, settle
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.search import search

Plane = NDArray[np.float32]

METHODS = ("threshold", "filled", "hull", "fan")
IMAGE_METHODS = ("net", "intensity")

# Motion and echo levels in grey levels: noise floors need the first, grabbed analogue video the last.
_LEVELS = ((0.05, 3.0), (0.5, 8.0), (2.0, 20.0))
_FIT_PX = 640  # larger pictures are fitted at this longer side
_NO_EDGE = 0.4  # the contrast that a whole frame counts as having: edges must do better
_EVERYWHERE = 0.97  # share of the frame: evidence that covers it all tells no outline from another
_LEAST_SEEN = 24
_FAN_RAD = 0.5  # opening from which on an outline has a right way up
_RIGHT_WAY_UP = 0.95  # quality under which an apex at the bottom is tried too
_SURE = 0.8  # quality from which on the third level is not tried
_UNSURE = 0.15  # estimates of a lower quality are not given
_SMALLEST = 0.04  # share of the frame that a sector must cover
_WHOLE = 0.985  # share of the frame from which on the network's sector is the frame
_CONVEX = 0.97  # share of its convex hull from which on a sector has no dents
_FIT_AS_SEEN_PX = 96
_LEAST_ALIKE = 0.92  # IoU of the network's sector with the outline that fits it best: 0.94 where it was right
_ALIKE = 0.95  # IoU from which on the network and a fitted outline say the same


class SectorNotFound(ValueError):
    """The picture shows no sector that can be told from its background; the sentence says what it shows."""


@dataclass(frozen=True)
class SectorEstimate:
    """A sector that was found, and how sure that is."""

    sector: NDArray[np.bool_] = field(repr=False)
    """(H, W); True inside."""
    geometry: SectorGeometry | None
    """The outline as numbers; None for the motion recipes."""
    quality: float
    """0..1; above 0.5 the outline is one that edges confirm all around."""
    note: str = ""
    """What is worth knowing about it, such as "whole frame"."""


@dataclass(frozen=True)
class _Candidate:
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

    @property
    def score(self) -> float:
        """What the best candidate has most of; between equals the simpler shape wins."""
        if self.cut:
            return self.contrast * self.gathered * (0.93 if self.plausible_cut else 0.5)
        return self.contrast * self.gathered * (1.03 if self.shape.upright else 1.0)

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


def sector_from_clip(
    frames: Iterable[Any], method: str = "fan", *, level: float = 0.5, opening_px: int = 5
) -> SectorEstimate:
    """Find the sector of a clip in one pass over its frames, in memory that does not grow with them.

    Args:
        frames: (T, H, W) or (T, H, W, 3) uint8, or any iterable of such frames.
        method: "fan" fits an outline (phased or curved array, trapezoid, rectangle, whole frame) to
            motion and brightness. The paper's recipes (Zahn & Perrin, section 2.3.1) know motion only:
            "threshold" (all that moves), "filled" (opened, holes closed, largest piece) and "hull" (the
            convex hull of that).
        level: for the recipes, the mean absolute difference in grey levels above which a pixel moves.
        opening_px: for the recipes, the side of the square that cuts off what hangs on by less.

    Returns:
        The estimate. For the recipes `geometry` is None and `quality` the share of the hull that moved.
        A clip in which nothing moves, or a single frame, is treated by "fan" as by `sector_from_image`,
        and `note` says so.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
        TypeError, ValueError: frames are not uint8, or of several sizes, or there are none.

    Examples:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip(frames=8, seed=1)
        >>> found = sa.sector_from_clip(clip.frames)
        >>> found.geometry.kind, bool((found.sector & clip.overlay.any(0)).any())
        ('phased', False)
    """
    checks.choice(method, METHODS, "method")
    clip = clip_statistics(frames)
    if method == "fan":
        return _estimate(clip, ask_net=True)
    if clip.frames < 2:
        raise SectorNotFound(
            f'the clip has one frame; expected two or more, as "{method}" knows motion only: use '
            'method="fan" or sector_from_image.'
        )
    moving = threshold_region(clip.difference, level=level)
    filled = filled_region(moving, opening_px=opening_px)
    if filled.mean() < _SMALLEST:
        raise SectorNotFound(
            f"the largest moving piece covers {filled.mean():.1%} of the frame; expected at least "
            f"{_SMALLEST:.0%}: is the clip static, or the sector very small? "
            'Use method="fan", draw its sector by hand, or lower `level`.'
        )
    hull = hull_region(filled)
    chosen = {"threshold": moving, "filled": filled, "hull": hull}[method]
    return SectorEstimate(chosen, None, float((moving & hull).sum() / hull.sum()))


def sector_from_image(frame: NDArray[Any], method: str = "net") -> SectorEstimate:
    """Find the sector of a still.

    A still tells less than a clip: bright text and echoes look alike, so `quality` is lower, and more
    pictures are refused.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        method: "net" asks the small network that comes with the package (a U-Net; `geometry` is None),
            "intensity" fits an outline to brightness and texture.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
        TypeError, ValueError: the frame is no uint8 image.

    Examples:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip(frames=1, vendor=None, seed=1)
        >>> sa.sector_from_image(clip.frames[0]).sector.shape
        (112, 112)
    """
    checks.choice(method, IMAGE_METHODS, "method")
    checks.image(frame, "frame")
    if method == "net":
        return _by_net(frame, "it is a still")
    return _estimate(clip_statistics([frame]), ask_net=False)


def _by_net(frame: NDArray[Any], why: str) -> SectorEstimate:
    from sectoraug.sectors.clues.net import quality_of, sector_by_net  # imports torch

    small = clip_statistics([_at_most(frame, _FIT_PX)])
    _refuse_noise(small)
    if small.brightest.min() == small.brightest.max():
        raise SectorNotFound("all pixels are alike; expected echoes: was the right frame decoded?")
    sector, expected_iou = sector_by_net(frame)
    if sector.mean() < _SMALLEST:
        raise SectorNotFound(
            f"the network sees a sector in {sector.mean():.1%} of the frame; expected at least "
            f"{_SMALLEST:.0%}: the picture is empty or the sector very small, so draw it by hand."
        )
    if not _like_a_sector(sector):
        raise SectorNotFound(
            "what the network outlines is no sector, as in dual views; expected one sector: crop to one, "
            "or draw it by hand."
        )
    quality = quality_of(expected_iou)
    if quality < _UNSURE:
        raise SectorNotFound(
            f"the network is unsure of this sector, with a quality of {quality:.2f}; expected at least "
            f"{_UNSURE}: draw it by hand."
        )
    shape, notes = None, [f"found by the network: {why}"]
    if sector.mean() >= _WHOLE:
        shape = SectorGeometry.whole_frame(sector.shape)
        sector = shape.rasterise(sector.shape)
        notes.append("whole frame: no background")
    if doppler(small, _at_most(sector.view(np.uint8), _FIT_PX) > 0):
        notes.append("colour inside, as of Doppler")
    return SectorEstimate(sector, shape, round(quality, 4), "; ".join(notes))


def _like_a_sector(sector: NDArray[np.bool_]) -> bool:
    """Whether a ring segment or rectangle covers nearly the same; two areas that were joined are neither."""
    outlines, _ = cv2.findContours(sector.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if cv2.contourArea(outlines[0]) > _CONVEX * cv2.contourArea(cv2.convexHull(outlines[0])):
        return True
    small = _at_most(sector.astype(np.float32), _FIT_AS_SEEN_PX)
    seen = small > 0.5
    drawn = [shape.rasterise(seen.shape) for shape in search(2 * small - 1)]
    return any((one & seen).sum() > _LEAST_ALIKE * (one | seen).sum() for one in drawn)


def _at_most(picture: NDArray[Any], longest_px: int) -> NDArray[Any]:
    """The picture, or a smaller one whose longer side is this long."""
    factor = longest_px / max(picture.shape[:2])
    if factor >= 1:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def _agreed(seen: SectorEstimate, shape: SectorGeometry, clip: ClipStatistics) -> SectorEstimate:
    """The network's estimate, with the fitted outline in its place where both say the same."""
    drawn = shape.rasterise(seen.sector.shape)
    if (drawn & seen.sector).sum() < _ALIKE * (drawn | seen.sector).sum():
        return seen
    return replace(seen, sector=without_overlay(drawn, clip, moves=False), geometry=shape)


def _why_static(clip: ClipStatistics) -> str:
    return "nothing in it moves" if clip.frames > 1 else "it is a still"


def _refuse_noise(clip: ClipStatistics) -> None:
    if pure_noise(clip):
        raise SectorNotFound(
            "neighbouring pixels are unrelated, as in pure noise; expected echoes: was the clip decoded?"
        )


def _estimate(clip: ClipStatistics, *, ask_net: bool) -> SectorEstimate:
    """By fitting an outline; `ask_net`: with the network as judge where nothing moves."""
    size = clip.mean.shape
    small = clip.shrunk(_FIT_PX)
    _refuse_noise(small)
    small = quieted(small)
    best = _best_fit(small)
    if best.quality < _RIGHT_WAY_UP:
        turned = _best_fit(small.upside_down())
        if turned.shape.opening_rad > _FAN_RAD and turned.score > 1.1 * best.score:
            evidence = turned.evidence.upside_down()
            best = replace(turned, shape=turned.shape.upside_down(small.mean.shape[0]), evidence=evidence)
    notes = [f"found from brightness alone: {_why_static(clip)}"] if best.evidence.static else []
    inside = best.shape.rasterise(small.mean.shape)
    for what, share in (("echoes cover", best.evidence.weight > 0), ("the outline found covers", inside)):
        if share.mean() < _SMALLEST:
            raise SectorNotFound(
                f"{what} {share.mean():.1%} of the frame; expected at least {_SMALLEST:.0%}: the picture is "
                "empty or the sector very small, so draw it by hand."
            )
    reason = oddity(small, best.evidence, inside, best.shape.kind)
    if reason:
        raise SectorNotFound(f"{reason}; expected one sector: crop to one, or draw it by hand.")
    shape = best.shape.scaled(size[1] / small.mean.shape[1], size[0] / small.mean.shape[0])
    if ask_net and best.evidence.static:
        return _agreed(_by_net(clip.samples[-1][1], _why_static(clip)), shape, clip)
    whole = bool(inside.all())
    quality = best.quality
    if whole:
        quality = border_share(small, best.evidence) * (0.6 if best.evidence.static else 1.0)
    if quality < (0.3 if whole else _UNSURE):
        raise SectorNotFound(
            f"no outline fits{several_areas(best.evidence)}: the best one has quality {quality:.2f}; "
            f"expected at least {_UNSURE}: draw this sector by hand."
        )
    if whole:
        notes.append("whole frame: no background")
    if doppler(small, inside):
        notes.append("colour inside, as of Doppler")
    if whole:
        shape = SectorGeometry.whole_frame(size)
    sector = without_overlay(shape.rasterise(size), clip, moves=not best.evidence.static)
    return SectorEstimate(sector, shape, round(quality, 4), "; ".join(notes))


def _best_fit(clip: ClipStatistics) -> _Candidate:
    """The candidate that edges and evidence support best, among three levels of sensitivity."""
    candidates: list[_Candidate] = []
    reference, everywhere = None, False
    for motion, echo in _LEVELS:
        evidence = weigh(clip, motion, echo)
        if reference is None:
            if (evidence.weight > 0).mean() < _EVERYWHERE:
                reference = evidence.weight
            else:
                everywhere = True
        for rough in search(evidence.weight):
            fine = refine(rough, evidence.response)
            if not evidence.static:
                moving = clip.difference > motion
                fine = settle(fine, moving, moving & (evidence.off > echo))
            first, second = _judged(fine, evidence, reference), _judged(rough, evidence, reference)
            # Refining moves onto edges; where it loses evidence it moved onto the wrong ones.
            kept = first.gathered > second.gathered - 0.025 and first.score > 0.6 * second.score
            candidates += [first] if kept else [first, second]
        candidates.append(_judged(SectorGeometry.whole_frame(evidence.weight.shape), evidence, reference))
        # Where echoes are everywhere, only an outline that shows much of itself beats the whole frame.
        if everywhere:
            candidates = [c for c in candidates if c.seen >= _LEAST_SEEN or c.whole]
        best = max(candidates, key=lambda c: c.score)
        if motion != _LEVELS[0][0] and best.quality > _SURE:
            break
    return replace(best, shape=named(best.shape))


def _judged(shape: SectorGeometry, evidence: Evidence, reference: Plane | None) -> _Candidate:
    weight = evidence.weight
    sector = shape.rasterise(weight.shape)
    found = edges(shape, evidence.response, max(3, round(0.01 * max(weight.shape))))
    n, cuts = len(found.side), found.side >= LEFT_CUT
    gathered = min(
        max(float(plane[sector].sum()) / max(float(np.maximum(plane, 0).sum()), 1e-9), -1.0)
        for plane in ((weight,) if reference is None else (weight, reference))
    )
    return _Candidate(
        shape,
        evidence,
        float(found.contrast_here.mean()) if n else _NO_EDGE,
        float((found.contrast_here > 0.5).mean()) if n else _NO_EDGE,
        float((found.contrast_here[cuts] > 0.5).mean()) if cuts.any() else 1.0,
        n,
        gathered,
    )
