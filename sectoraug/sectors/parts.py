"""Which frames of a clip count: few of another kind are left out, and a sector that changes is refused."""

from __future__ import annotations

from itertools import combinations

from sectoraug.sectors.clues.echoes import levels
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.oddities import quieted
from sectoraug.sectors.clues.parts import Part
from sectoraug.sectors.estimate import SectorNotFound
from sectoraug.sectors.outline.candidates import Candidate, best_candidate

PARTS = ("one", "longest")

_FEW = 0.1  # share of a clip's frames that may be of another kind
_SURE = 0.5  # quality from which on an outline may contradict another
_ALIKE = 0.9  # IoU under which two outlines are not the same: about 3 px of a radius of 100


def choose(parts: list[Part], which: str, longest_px: int) -> tuple[ClipStatistics, str]:
    """The statistics of the frames that count, and a note on the others.

    Args:
        parts: of the clip; `choose` may change them.
        which: "one": all frames, as one sector's; "longest": where the sector changes, those of the
            longest part.
        longest_px: the longer side at which outlines are compared.

    Raises:
        SectorNotFound: the sector changes, and `which` is "one".
    """
    n = sum(part.frames for part in parts)
    large = [part for part in parts if part.frames > _FEW * n]
    n_left_out = n - sum(part.frames for part in large)
    if n_left_out > _FEW * n:
        return _joined(parts), ""
    note = f"{n_left_out} of {n} frames show something else and are left out" if n_left_out else ""
    changed = _change(large, longest_px) if len(large) > 1 else None
    if changed is None:
        return _joined(large), note
    if which == "longest":
        longest = max(large, key=lambda part: part.frames)
        kept = f"frames {longest.first} to {longest.last} of {n} alone, as the sector changes"
        return longest.statistics(), kept
    raise SectorNotFound(
        f"the sector changes at frame {changed} of {n}, as where depth or zoom are turned; expected one "
        'sector: split the clip there, or use parts="longest".'
    )


def _joined(parts: list[Part]) -> ClipStatistics:
    for other in parts[1:]:
        parts[0].absorb(other)
    return parts[0].statistics()


def _change(parts: list[Part], longest_px: int) -> int | None:
    """The first frame of a part whose outline surely differs from that of one before; None without any."""
    outlines = [_outline(part, longest_px) for part in parts]
    for (_, one), (part, other) in combinations(zip(parts, outlines, strict=True), 2):
        if one.quality > _SURE and other.quality > _SURE and _overlap(one, other) < _ALIKE:
            return part.first
    return None


def _outline(part: Part, longest_px: int) -> Candidate:
    return best_candidate(levels(quieted(part.statistics().shrunk(longest_px))))


def _overlap(one: Candidate, other: Candidate) -> float:
    size = one.evidence.weight.shape
    a, b = one.shape.rasterise(size), other.shape.rasterise(size)
    return float((a & b).sum() / max((a | b).sum(), 1))
