"""The paper's three recipes for a sector from motion alone (Zahn & Perrin, section 2.3.1)."""

from __future__ import annotations

from sectoraug.sectors.clues.motion import ClipStatistics, filled_region, hull_region, threshold_region
from sectoraug.sectors.estimate import SectorEstimate, SectorNotFound
from sectoraug.sectors.refusals import SMALLEST

RECIPES = ("threshold", "filled", "hull")


def by_recipe(clip: ClipStatistics, recipe: str, *, level: float, opening_px: int) -> SectorEstimate:
    """A sector by one of RECIPES; errors and arguments are those of `sector_from_clip`."""
    if clip.frames < 2:
        raise SectorNotFound(
            f'the clip has one frame; expected two or more, as "{recipe}" knows motion only: use '
            'method="fan" or sector_from_image.'
        )
    moving = threshold_region(clip.difference, level=level)
    filled = filled_region(moving, opening_px=opening_px)
    if filled.mean() < SMALLEST:
        raise SectorNotFound(
            f"the largest moving piece covers {filled.mean():.1%} of the frame; expected at least "
            f"{SMALLEST:.0%}: is the clip static, or the sector very small? "
            'Use method="fan", draw its sector by hand, or lower `level`.'
        )
    hull = hull_region(filled)
    chosen = {"threshold": moving, "filled": filled, "hull": hull}[recipe]
    return SectorEstimate(chosen, None, float((moving & hull).sum() / hull.sum()))
