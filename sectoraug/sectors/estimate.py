"""What the finder answers: a sector and how sure it is of it, or a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.geometry import SectorGeometry

CLEAN_PERCENT = 0.1
"""Of a sector: with more overlay than this inside, it is not good, whatever its quality."""


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
    overlay_inside_percent: float | None = None
    """Of the sector: what the network takes for text, rulers, marks or curves; None for the recipes."""
    echoes_outside_percent: float | None = None
    """Of what moves and shines (in a still, of what the network takes for the sector): what lies outside."""
    candidate: int | None = None
    """Which of the candidates that were given explains the picture best, from 0; None: one that was found."""

    @property
    def clean(self) -> bool:
        """Whether the network sees no text, ruler, mark or curve inside."""
        return is_clean(self.overlay_inside_percent)


def is_clean(overlay_inside_percent: float | None) -> bool:
    """Whether so much overlay inside a sector is none; what was never looked at counts as clean."""
    return overlay_inside_percent is None or overlay_inside_percent <= CLEAN_PERCENT


def note_on(how: str, *, whole: bool, coloured: bool) -> str:
    """How a sector was found, and what is unusual about it."""
    return joined(
        how,
        "whole frame: no background" if whole else "",
        "colour inside, as of Doppler" if coloured else "",
    )


def joined(*notes: str) -> str:
    """The notes that there are, as one."""
    return "; ".join(note for note in notes if note)
