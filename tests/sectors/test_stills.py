"""Deciding on what the network sees of a still."""

from __future__ import annotations

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.reading.regions import Region
from sectoraug.sectors.clues.net import Seen
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.figures import figures
from sectoraug.sectors.stills import looked_at, quality_of, sector_of_still

SIZE = (240, 320)
FAN = sa.SectorGeometry("phased", (-0.5, -0.5, 319.5, 239.5), (160, 10), (-0.6, 0.6), (3, 215))

SPECK = np.zeros(SIZE, bool)
SPECK[100:105, 100:105] = True


def seen(
    inside: np.ndarray, sure: float = 5.0, outside: float = 5.0, single: float = 5.0, written: object = False
) -> Seen:
    log_odds = np.where(inside, sure, -outside).astype(np.float32)
    return Seen(log_odds, np.broadcast_to(np.asarray(written), SIZE).astype(np.float32), single)


def decided(look: Seen) -> sa.SectorEstimate:
    """On echoes where the network sees the sector, white where it sees overlay, and black."""
    echoes = np.random.default_rng(0).integers(40, 160, SIZE, dtype=np.uint8)
    picture = np.where(look.log_odds > 0, echoes, np.uint8(0))
    picture[look.overlay > 0] = 255
    clip = clip_statistics([picture])
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
        (seen(FAN.rasterise(SIZE), single=-0.1), "several views or a strip"),
        (seen(FAN.rasterise(SIZE), sure=0.05, outside=1.0), "unsure of this sector"),
    ],
)
def test_what_is_refused(look: Seen, said: str) -> None:
    with pytest.raises(sa.SectorNotFound, match=said):
        decided(look)


def test_a_ruler_across_the_rim_is_cut_off_and_one_inside_is_counted() -> None:
    sector = FAN.rasterise(SIZE)
    ruler, caliper = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    ruler[222:236, 160:162] = True  # across the lower arc
    caliper[100, 140:180] = True
    crossed = sector & ruler
    assert crossed.any()
    found = decided(seen(sector, written=ruler))
    assert not (found.sector & ruler).any()
    assert iou(found.sector, sector) > 0.95
    assert found.clean
    marked = decided(seen(sector, written=caliper))
    assert (marked.sector & caliper).sum() == 40
    assert marked.overlay_inside_percent == pytest.approx(100 * 40 / marked.sector.sum(), rel=0.02)
    assert not marked.clean


def test_what_the_network_surely_calls_overlay_is_cut_off_the_rim_wherever_it_ends() -> None:
    box = np.zeros(SIZE, bool)
    box[20:200, 60:260] = True
    curve = np.zeros(SIZE, bool)
    curve[198, 80:240] = True  # along the lower end, inside
    assert not (decided(seen(box, written=curve)).sector & curve).any()
    assert decided(seen(box, written=0.4 * curve)).sector[curve].all()


def test_a_flat_bar_is_left_out_though_the_network_takes_it_in() -> None:
    box = np.zeros(SIZE, bool)
    box[20:200, 60:260] = True
    bar = np.zeros(SIZE, bool)
    bar[200:216, 60:260] = True
    picture = np.where(box, np.random.default_rng(0).integers(40, 160, SIZE, dtype=np.uint8), np.uint8(0))
    picture[bar] = 30
    clip = clip_statistics([picture])
    found = sector_of_still(clip, clip, seen(box | bar), "it is a still")
    assert not (found.sector & bar).any()
    assert iou(found.sector, box) > 0.97
    assert found.echoes_outside_percent < 1


def test_two_pieces_speak_against_one_sector(monkeypatch: pytest.MonkeyPatch) -> None:
    two = np.zeros(SIZE, bool)
    two[20:200, 20:150] = two[20:200, 170:300] = True
    still = clip_statistics([np.where(two, np.uint8(90), np.uint8(0))])

    def single(inside: np.ndarray) -> float:
        monkeypatch.setattr("sectoraug.sectors.stills.seen_by_net", lambda *_: seen(inside, single=2.0))
        return looked_at(still).single

    torn = two.copy()
    torn[20:200, 150:170] = True
    torn[205:220, 40:60] = True
    assert single(torn) > 1.5
    assert single(two) < 0


def test_echoes_that_a_sector_leaves_out_are_counted() -> None:
    cross = np.zeros(SIZE, bool)
    cross[20:220, 140:180] = cross[100:140, 20:300] = True
    whole = figures(cross, seen(cross))
    assert whole == (0, 0)
    half = cross.copy()
    half[:120] = False
    assert figures(half, seen(cross)).echoes_outside_percent == pytest.approx(
        100 * cross[:120].sum() / cross.sum(), abs=1e-3
    )


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
