"""Which frames of a clip count: few of another kind are left out, and a sector that changes is refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sectoraug.sectors.clues.echoes import levels
from sectoraug.sectors.clues.halo import cleaned
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.parts import Part, clip_parts
from sectoraug.sectors.estimate import SectorNotFound
from sectoraug.sectors.outline.candidates import Candidate, best_candidate
from sectoraug.sectors.outline.overlap import iou

PARTS = ("one", "longest")
FIT_PX = 640
"""Larger pictures are looked at at this longer side."""

_FEW = 0.1  # share of a clip's frames that may be of another kind
_SURE = 0.5  # quality from which on an outline may contradict another
_ALIKE = 0.9  # IoU under which two outlines are not the same: about 3 px of a radius of 100


@dataclass(frozen=True)
class Group:
    """Frames that show one sector."""

    statistics: ClipStatistics
    frames: int
    runs: list[list[int]] | None
    """First and last number of frames that follow each other; None for all frames of the clip."""
    note: str = ""
    """On what is left out."""


def groups_of_clip(frames: Iterable[Any]) -> list[Group]:
    """The groups of a clip: one, but where the sector changes midway one for each large part, by time.

    Args and errors are those of `clip_parts`.
    """
    parts = clip_parts(frames)
    n = sum(part.frames for part in parts)
    large = [part for part in parts if part.frames > _FEW * n]
    n_left_out = n - sum(part.frames for part in large)
    if n_left_out > _FEW * n:
        return [_joined(parts)]
    different = _told_apart(large) if len(large) > 1 else large
    if len(different) == 1:
        left_out = f"{n_left_out} of {n} frames show something else and are left out" if n_left_out else ""
        return [_joined(different, left_out)]
    return [
        Group(
            part.statistics(),
            part.frames,
            part.runs,
            f"{_shown(part.runs)} of {n} alone, as the sector changes",
        )
        for part in different
    ]


def chosen(found: list[Group], which: str) -> Group:
    """The one group, or of several the longest if `which` is "longest"; else raises SectorNotFound."""
    if len(found) == 1 or which == "longest":
        return max(found, key=lambda group: group.frames)
    first = found[1].runs[0][0] if found[1].runs else 0
    raise SectorNotFound(
        f"the sector changes at frame {first}, as where depth or zoom are turned; expected one sector: split "
        'the clip there, or use parts="longest", or `sectoraug masks --parts each`.'
    )


def _shown(runs: list[list[int]]) -> str:
    """ "frames 0 to 29", or several such."""
    return "frames " + ", ".join(f"{first} to {last}" for first, last in runs)


def _joined(parts: list[Part], note: str = "") -> Group:
    for other in parts[1:]:
        parts[0].absorb(other)
    return Group(parts[0].statistics(), parts[0].frames, None, note)


def _told_apart(parts: list[Part]) -> list[Part]:
    """The parts, joined where their outlines do not surely differ."""
    found: list[tuple[Part, Candidate]] = []
    for part in parts:
        outline = _outline(part)
        alike = next((one for one, before in found if not _differ(before, outline)), None)
        if alike is None:
            found.append((part, outline))
        else:
            alike.absorb(part)
    return [part for part, _ in found]


def _differ(one: Candidate, other: Candidate) -> bool:
    return one.quality > _SURE and other.quality > _SURE and _overlap(one, other) < _ALIKE


def _outline(part: Part) -> Candidate:
    return best_candidate(levels(cleaned(part.statistics().shrunk(FIT_PX))))


def _overlap(one: Candidate, other: Candidate) -> float:
    size = one.evidence.weight.shape
    return iou(one.shape.rasterise(size), other.shape.rasterise(size))
