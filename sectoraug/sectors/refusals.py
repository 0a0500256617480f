"""Why a picture gets no sector: one sentence each, raised as SectorNotFound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.oddities import oddity, pure_noise, several_areas
from sectoraug.sectors.estimate import SectorNotFound
from sectoraug.sectors.outline.candidates import UNSURE, Candidate

SMALLEST = 0.04  # share of the frame that a sector must cover
_UNSURE_WHOLE = 0.3  # the same of a whole frame
_GUESS = 0.005  # quality under which what the network sees is hardly more than a guess


def refuse_noise(clip: ClipStatistics) -> None:
    """Refuse what was never an image."""
    if pure_noise(clip):
        raise SectorNotFound(
            "neighbouring pixels are unrelated, as in pure noise; expected echoes: was the clip decoded?"
        )


def refuse_blank(clip: ClipStatistics) -> None:
    """Refuse a picture of one grey level."""
    if clip.brightest.min() == clip.brightest.max():
        raise SectorNotFound("all pixels are alike; expected echoes: decode the right frame.")


def refuse_odd(clip: ClipStatistics, best: Candidate, inside: NDArray[np.bool_]) -> None:
    """Refuse a clip whose best outline is tiny, or that holds more or other than one sector."""
    for what, share in (("echoes cover", best.evidence.weight > 0), ("the outline found covers", inside)):
        if share.mean() < SMALLEST:
            raise SectorNotFound(
                f"{what} {share.mean():.1%} of the frame; expected at least {SMALLEST:.0%}: the picture is "
                "empty or the sector very small, so draw it by hand."
            )
    reason = oddity(clip, best.evidence, inside, best.shape.kind)
    if reason:
        raise SectorNotFound(f"{reason}; expected one sector: crop to one, or draw it by hand.")


def refuse_unfitting(best: Candidate, quality: float, *, whole: bool) -> None:
    """Refuse an outline, or a whole frame, that too little speaks for."""
    if quality < (_UNSURE_WHOLE if whole else UNSURE):
        raise SectorNotFound(
            f"no outline fits{several_areas(best.evidence)}: the best one has quality {quality:.2f}; "
            f"expected at least {UNSURE}: draw this sector by hand."
        )


def refuse_unseen(sector: NDArray[np.bool_]) -> None:
    """Refuse what the network sees where that is tiny."""
    if sector.mean() < SMALLEST:
        raise SectorNotFound(
            f"the network sees a sector in {sector.mean():.1%} of the frame; expected at least "
            f"{SMALLEST:.0%}: the picture is empty or the sector very small, so draw it by hand."
        )


def refuse_several(single: float) -> None:
    """Refuse what has log-odds of being one sector, rather than several or a strip, below 0."""
    if single < 0:
        raise SectorNotFound(
            "the network sees several views or a strip, as in dual views and above M-mode or spectral "
            "strips; expected one sector: crop to one, or draw it by hand."
        )


def refuse_unsure(quality: float) -> None:
    """Refuse what is hardly more than a guess."""
    if quality < _GUESS:
        raise SectorNotFound(
            f"the network is unsure of this sector, with a quality of {quality:.4f}; expected at least "
            f"{_GUESS}: draw it by hand."
        )
