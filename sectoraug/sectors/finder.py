"""Finding the sector of a clip or a still: one look at clues, one at outlines, and a decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.reading.regions import Region
from sectoraug.sectors import refusals
from sectoraug.sectors.clues.echoes import levels
from sectoraug.sectors.clues.halo import cleaned
from sectoraug.sectors.clues.motion import ClipStatistics
from sectoraug.sectors.clues.net import ENGINES
from sectoraug.sectors.clues.oddities import border_share, doppler
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.estimate import SectorEstimate, joined, note_on
from sectoraug.sectors.figures import figures
from sectoraug.sectors.outline.candidates import best_either_way_up
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.parts import FIT_PX, PARTS, Group, chosen, groups_of_clip
from sectoraug.sectors.recipes import RECIPES, by_recipe
from sectoraug.sectors.rim import without_overlay
from sectoraug.sectors.stills import looked_at, sector_of_still

METHODS = (*RECIPES, "fan")
IMAGE_METHODS = ("net", "intensity")


def sector_from_clip(
    frames: Iterable[Any],
    method: str = "fan",
    *,
    level: float = 0.5,
    opening_px: int = 5,
    parts: str = "one",
    regions: Sequence[Region] = (),
    engine: str = "torch",
    candidates: Sequence[SectorGeometry] = (),
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
        parts: for "fan": "one" refuses a clip whose sector changes midway, as where depth is turned;
            "longest" takes its longest part. Up to one frame in ten that shows something else (flash,
            blank, title) is left out. `note` says so.
        regions: for "fan", what `read_regions` found in the file's header: one more clue, never believed
            unchecked.
        engine: for "fan", what computes the network: "torch", or "onnx", which imports no torch (the extra
            `onnx`).
        candidates: for "fan", outlines at the frames' size that are judged beside those found, as they are
            and moved onto edges, such as one of another clip from the same scanner. `candidate` of the
            estimate says which one won, if one did.

    Returns:
        The estimate. For the recipes `geometry` is None and `quality` the share of the hull that moved.
        A clip in which nothing moves, or one frame, is treated by "fan" as by `sector_from_image`.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
        TypeError, ValueError: frames are not uint8, or of several sizes, or there are none; a candidate is no
            outline.
        ImportError: the engine's library is not installed.

    Examples:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip(frames=8, seed=1)
        >>> found = sa.sector_from_clip(clip.frames)
        >>> found.geometry.kind, bool((found.sector & clip.overlay.any(0)).any())
        ('phased', False)
    """
    checks.choice(method, METHODS, "method")
    checks.choice(parts, PARTS, "parts")
    checks.choice(engine, ENGINES, "engine")
    _check_known(regions, candidates)
    level, opening_px = checks.number(level, 0, 255, "level"), checks.whole(opening_px, 1, 255, "opening_px")
    if method != "fan":
        return by_recipe(clip_statistics(frames), method, level=level, opening_px=opening_px)
    return sector_of_group(chosen(groups_of_clip(frames), parts), regions, candidates, engine)


def sector_of_group(
    group: Group,
    regions: Sequence[Region] = (),
    candidates: Sequence[SectorGeometry] = (),
    engine: str = "torch",
) -> SectorEstimate:
    """The sector of frames that show one; errors as of `sector_from_clip`."""
    found = _decide(group.statistics, regions, candidates, engine)
    return replace(found, note=joined(found.note, group.note))


def sector_from_image(
    frame: NDArray[Any],
    method: str = "net",
    *,
    regions: Sequence[Region] = (),
    engine: str = "torch",
    candidates: Sequence[SectorGeometry] = (),
) -> SectorEstimate:
    """Find the sector of a still.

    A still tells less than a clip: bright text and echoes look alike, so `quality` is lower, and more
    pictures are refused.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        method: "net" asks the small network that comes with the package (a U-Net) and fits an outline to
            what it sees; where none explains that, `geometry` is None and the quality lower;
            "intensity" fits an outline to brightness and texture.
        regions: for "net", as of `sector_from_clip`.
        engine: for "net", as of `sector_from_clip`.
        candidates: as of `sector_from_clip`.

    Raises:
        SectorNotFound: there is no sector, or none that stands out; the sentence says what there is.
        TypeError, ValueError: the frame is no uint8 image, or a candidate no outline.
        ImportError: the engine's library is not installed.

    Examples:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip(frames=1, vendor=None, seed=1)
        >>> sa.sector_from_image(clip.frames[0]).sector.shape
        (112, 112)
    """
    checks.choice(method, IMAGE_METHODS, "method")
    checks.choice(engine, ENGINES, "engine")
    checks.picture(frame, "frame")
    _check_known(regions, candidates)
    if method == "intensity":
        return _decide(clip_statistics([frame]), candidates=candidates)
    clip = clip_statistics([frame])
    small = clip.shrunk(FIT_PX)
    refusals.refuse_noise(small)
    refusals.refuse_blank(small)
    return sector_of_still(clip, small, looked_at(small, regions, engine), "it is a still", candidates)


def with_figures(found: SectorEstimate, clip: ClipStatistics, engine: str = "torch") -> SectorEstimate:
    """A sector that was drawn, with the figures that a found one has."""
    small = clip.shrunk(FIT_PX)
    evidence = next(levels(cleaned(small)))
    moving = () if evidence.static else (small, evidence)
    return replace(found, **figures(found.sector, looked_at(small, (), engine), *moving)._asdict())


def _check_known(regions: Any, candidates: Any) -> None:
    """Raise TypeError unless what is known beforehand are rows of what they should be."""
    for name, row, kind, hint in (
        ("regions", regions, Region, "expected a Region: use read_regions"),
        ("candidates", candidates, SectorGeometry, "expected a SectorGeometry: use fit_outline for a mask"),
    ):
        if not isinstance(row, Sequence):
            raise TypeError(f"{name} is {checks.describe(row)}; expected a list or tuple.")
        for number, one in enumerate(row):
            if not isinstance(one, kind):
                raise TypeError(f"{name}[{number}] is {checks.describe(one)}; {hint}.")


def _decide(
    clip: ClipStatistics,
    regions: Sequence[Region] = (),
    candidates: Sequence[SectorGeometry] = (),
    engine: str | None = None,
) -> SectorEstimate:
    """By fitting an outline; with an engine, where nothing moves the network decides."""
    raw = clip.shrunk(FIT_PX)
    refusals.refuse_noise(raw)
    refusals.refuse_blank(raw)
    small = cleaned(raw)
    seen = None if engine is None else looked_at(raw, regions, engine)
    size = clip.mean.shape
    best = best_either_way_up(
        levels(small),
        levels(small.upside_down()),
        None if seen is None else seen.log_odds,
        [shape.resized(size, small.mean.shape) for shape in candidates],
    )
    inside = best.shape.rasterise(small.mean.shape)
    refusals.refuse_odd(small, best, inside)
    shape, won, static = best.shape.resized(inside.shape, size), best.given, best.evidence.static
    why = "nothing in it moves" if clip.frames > 1 else "it is a still"
    if seen is not None and static:
        return sector_of_still(clip, raw, seen, why, candidates)
    if seen is not None:
        refusals.refuse_several(seen.single)
    whole, quality = bool(inside.all()), best.quality
    if whole:
        quality = border_share(small, best.evidence) * (0.6 if static else 1.0)
        shape, won = SectorGeometry.whole_frame(size), None
    refusals.refuse_unfitting(best, quality, whole=whole)
    sector = without_overlay(shape.rasterise(size), clip, moves=not static)
    how = f"found from brightness alone: {why}" if static else ""
    note = note_on(how, whole=whole, coloured=doppler(small, inside))
    found = SectorEstimate(sector, shape, round(quality, 4), note, candidate=won)
    return found if seen is None else replace(found, **figures(sector, seen, raw, best.evidence)._asdict())
