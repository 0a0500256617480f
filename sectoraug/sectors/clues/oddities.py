"""Pictures that hold no single sector, or an unusual one, and how they are told."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.clips import to_grey
from sectoraug.sectors.clues.echoes import Evidence
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.pieces import pieces

# Speckle is several pixels wide, so neighbours are alike; electronic or simulated noise is not.
_LEAST_LIKENESS = 0.2
_LEAST_NOISE = 0.1  # grey levels of mean absolute difference
_SECOND_SHARE = 0.25  # of the largest piece: from here on a second one is an area of its own
_GAP_SHARE = 0.01  # of the width: a gap between two views
_SWEEP_SHARE = 0.3  # of the width: all that changes at a time lies within it in a sweep
_FARTHEST_PX = 12  # that a strip scrolls from a frame to the next
_COLOURED = 60  # grey levels between the strongest and the weakest channel


def oddity(clip: ClipStatistics, evidence: Evidence, inside: NDArray[np.bool_], kind: str) -> str:
    """What is wrong with a picture whose best outline is `inside`, as the start of a sentence; or ""."""
    second = _second_area(evidence, inside)
    if second:
        return second
    if kind == "rectangle" and _scrolls_or_sweeps(clip, inside):
        return "the picture scrolls or is swept from side to side, as M-mode and spectral strips are"
    return ""


def pure_noise(clip: ClipStatistics) -> bool:
    """Whether neighbouring pixels have nothing to do with each other, though they differ."""
    return bool(np.ptp(clip.brightest) > 0) and neighbour_likeness(clip) < _LEAST_LIKENESS


def quieted(clip: ClipStatistics) -> ClipStatistics:
    """The clip without the noise of its background, if that is white as an analogue grabber's is.

    Noise is measured where least moves; the echoes of a picture without background are not white, so
    nothing is taken from them.
    """
    smooth = cv2.blur(clip.difference, (7, 7))
    floor = float(np.percentile(smooth, 5))
    if floor < _LEAST_NOISE or neighbour_likeness(clip, smooth <= 1.2 * floor, change=True) > _LEAST_LIKENESS:
        return clip
    # Three standard deviations of a mean of |differences|, and of the brightest of many.
    most = floor * (1 + 3 * 0.75 / max(clip.frames - 1, 1) ** 0.5)
    brightest = cv2.medianBlur(clip.brightest, 3).astype(np.float32) - 3 * floor
    return replace(
        clip,
        difference=np.maximum(clip.difference - most, 0),
        brightest=np.maximum(brightest, 0).astype(np.uint8),
    )


def neighbour_likeness(
    clip: ClipStatistics, inside: NDArray[np.bool_] | None = None, *, change: bool = False
) -> float:
    """Correlation of pixels, all or those inside, with their neighbours below or beside: the higher one.

    `change`: of what changes from a frame to the next, which leaves out all that stands still.
    """
    greys = [to_grey(frame).astype(np.float32) for _, frame in clip.samples]
    plane = greys[-1]
    if change and clip.frames > 1:
        pairs = zip(greys, clip.samples, strict=True)
        plane = max(
            (grey - before for grey, (before, _) in pairs), key=lambda apart: float(np.abs(apart).mean())
        )
    found = 0.0
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        a, b = plane[here], plane[there]
        if inside is not None:
            both = inside[here] & inside[there]
            a, b = a[both], b[both]
        if a.size > 10:
            found = max(found, _correlation(a, b))
    return found


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Of planes of grey levels; 0 where one is flat. In single precision, eight times faster than NumPy's."""
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float((a * b).sum()) / spread if spread > 0 else 0.0


def several_areas(evidence: Evidence) -> str:
    """What may keep an outline from fitting: large areas apart from each other; or ""."""
    _, sizes = pieces(evidence.solid)
    if (sizes >= _SECOND_SHARE * sizes.max(initial=1)).sum() < 2:
        return ""
    return ", and there are several areas, as in dual views and above M-mode or spectral strips"


def _second_area(evidence: Evidence, inside: NDArray[np.bool_]) -> str:
    labels, areas = pieces(evidence.solid)
    covered = np.bincount(labels[inside], minlength=len(areas))
    beside = np.where(covered < 0.2 * areas, areas, 0)
    share = float(beside.max(initial=0) / max((areas - beside).max(initial=1), 1))
    if share >= _SECOND_SHARE:
        return (
            f"beside the largest area there is another of {share:.0%} of its size, as in dual views and "
            "above M-mode or spectral strips"
        )
    large = np.flatnonzero((areas >= _SECOND_SHARE * areas.max(initial=1)) & (covered >= 0.8 * areas))
    if len(large) < 2:
        return ""
    echoes = (evidence.weight > 0) & inside
    if _gap(np.asarray(np.isin(labels, large).any(0))):
        return "two areas stand side by side, as in dual views"
    # In a still a dark band may be a vessel or an eye; in a clip even those flicker somewhere.
    if not evidence.static and _gap(np.asarray(echoes.any(1))):
        return "one area stands above another, as above M-mode or spectral strips"
    return ""


def _gap(full: NDArray[np.bool_]) -> bool:
    """Whether there is a wide gap between the first and the last full row or column."""
    first, last = np.flatnonzero(full)[[0, -1]]
    empty = np.flatnonzero(~full[first:last])
    runs = np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1)
    return max(len(run) for run in runs) >= max(2, _GAP_SHARE * len(full))


def _scrolls_or_sweeps(clip: ClipStatistics, inside: NDArray[np.bool_]) -> bool:
    if len(clip.samples) < 3:
        return False
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    crop = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if columns[-1] - columns[0] < 4 * _FARTHEST_PX:
        return False
    scrolled, changing = [], []
    for before, frame in clip.samples[1:]:
        old = before[crop].astype(np.int16)
        new = to_grey(frame)[crop].astype(np.int16)
        apart = np.abs(new - old)
        columns_changing = (apart > 8).mean(0) > 0.02
        if not columns_changing.any():
            continue  # a frame shown twice
        changing.append(columns_changing)
        still = apart.mean()
        shifts = [np.abs(new[:, :-k] - old[:, k:]).mean() for k in range(1, _FARTHEST_PX + 1)]
        shifts += [np.abs(new[:, k:] - old[:, :-k]).mean() for k in range(1, _FARTHEST_PX + 1)]
        scrolled.append(still > 0.5 and min(shifts) < 0.3 * still)
    if len(changing) < 3:
        return False
    if np.mean(scrolled) > 0.7:
        return True
    # A sweep changes a narrow band at a time, each time another one; a heart beats where it beats.
    narrow = np.median([np.ptp(np.flatnonzero(part)) / len(part) for part in changing]) < _SWEEP_SHARE
    apart = [(a & b).sum() < 0.2 * (a | b).sum() for a, b in pairwise(changing)]
    return bool(narrow and np.mean(apart) > 0.7)


def border_share(clip: ClipStatistics, evidence: Evidence) -> float:
    """Share of the frame's outermost pixels that speak for the sector, without the side with the least.

    One side may lie in the dark: depth swallows sound. 0 where more than two corners are flat or noise.
    """
    height, width = evidence.weight.shape
    corners = 0
    for rows in (slice(None, height // 6), slice(-(height // 6), None)):
        for columns in (slice(None, width // 6), slice(-(width // 6), None)):
            corner = np.zeros((height, width), np.bool_)
            corner[rows, columns] = True
            corners += neighbour_likeness(clip, corner, change=not evidence.static) > _LEAST_LIKENESS
    if corners < 2:
        return 0.0
    echoes = cv2.morphologyEx((evidence.weight > 0).view(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9)))
    wide = max(2, round(0.02 * max(echoes.shape)))
    strips = echoes[:wide], echoes[-wide:], echoes[:, :wide], echoes[:, -wide:]
    return float(sorted(strip.mean() for strip in strips)[1])


def doppler(clip: ClipStatistics, inside: NDArray[np.bool_]) -> bool:
    """Whether some of the sector is strongly coloured and the rest is not."""
    frame = clip.samples[-1][1]
    if frame.ndim == 2 or frame.shape[2] == 1:
        return False
    red, green, blue = cv2.split(frame)
    strongest = cv2.max(cv2.max(red, green), blue)
    coloured = cv2.subtract(strongest, cv2.min(cv2.min(red, green), blue)) > _COLOURED
    n_coloured, n_bright = int(coloured[inside].sum()), int((strongest > _COLOURED)[inside].sum())
    return n_coloured > 0.005 * inside.sum() and n_coloured < 0.9 * n_bright
