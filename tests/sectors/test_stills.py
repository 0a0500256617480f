"""Deciding on what the network sees of a still."""

from __future__ import annotations

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.reading.regions import Region
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.stills import Look, looked_at, quality_of, sector_of_still

SIZE = (240, 320)
FAN = sa.SectorGeometry("phased", (-0.5, -0.5, 319.5, 239.5), (160, 10), (-0.6, 0.6), (3, 215))

SPECK = np.zeros(SIZE, bool)
SPECK[100:105, 100:105] = True


def seen(inside: np.ndarray, sure: float = 5.0, single: float = 0.99) -> Look:
    return Look(np.where(inside, sure, -sure).astype(np.float32), single)


def decided(look: Look) -> sa.SectorEstimate:
    """On echoes where the network sees the sector, and black."""
    echoes = np.random.default_rng(0).integers(40, 160, SIZE, dtype=np.uint8)
    clip = clip_statistics([np.where(look.log_odds > 0, echoes, np.uint8(0))])
    return sector_of_still(clip, clip, look, "it is a still")


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_an_outline_that_explains_what_is_seen_stands_for_it() -> None:
    sector = FAN.rasterise(SIZE)
    found = decided(seen(sector))
    assert found.geometry is not None
    assert found.geometry.kind == "phased"
    assert iou(found.sector, sector) > 0.98
    assert found.quality > 0.9


def test_what_no_outline_explains_stays_as_it_is_and_is_doubted() -> None:
    cross = np.zeros(SIZE, bool)
    cross[20:220, 140:180] = cross[100:140, 20:300] = True
    found = decided(seen(cross))
    assert found.geometry is None
    assert iou(found.sector, cross) > 0.95
    assert found.quality < decided(seen(FAN.rasterise(SIZE))).quality


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (seen(SPECK), r"the network sees a sector in 0\.0% of the frame"),
        (seen(FAN.rasterise(SIZE), single=0.1), "several views or a strip"),
        (Look(np.where(FAN.rasterise(SIZE), 0.05, -1).astype(np.float32), 0.99), "unsure of this sector"),
    ],
)
def test_what_is_refused(look: Look, said: str) -> None:
    with pytest.raises(sa.SectorNotFound, match=said):
        decided(look)


def test_quality_grows_with_the_expected_iou() -> None:
    values = [quality_of(share) for share in (0.0, 0.5, 0.9, 0.97, 0.99, 1.0)]
    assert values == sorted(values)
    assert values[0] < 0.01
    assert values[-1] > 0.9


def test_regions_are_heard_but_not_obeyed() -> None:
    clip = sa.phantom.make_clip(frames=1, size=SIZE, seed=4, vendor=None)
    small = clip_statistics([clip.frames[0]])
    strip = Region("m-mode", (0, 160, 319, 239))
    alone, told = looked_at(small), looked_at(small, [strip])
    assert told.single < alone.single
    wrong = Region("2d", (0, 0, 159, 239))  # half of the sector
    found = sa.sector_from_image(clip.frames[0], regions=[wrong])
    assert iou(found.sector, clip.sector) > 0.9
