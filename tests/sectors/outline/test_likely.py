"""Outlines looked for in sums of evidence, and in log-odds."""

from __future__ import annotations

import numpy as np
import pytest

from sectoraug import SectorGeometry
from sectoraug.sectors.outline.likely import expected_iou, largest, most_likely, probability, second_share
from sectoraug.sectors.outline.polar import best_runs, best_segments
from sectoraug.sectors.outline.search import search

SIZE = (192, 256)
WHOLE = (-0.5, -0.5, 255.5, 191.5)
SHAPES = {
    "phased": SectorGeometry("phased", WHOLE, (128, 8), (-0.7, 0.7), (4, 170)),
    "lopsided": SectorGeometry("phased", WHOLE, (150, 8), (-0.7, 0.26), (4, 170)),
    "steered": SectorGeometry("curved", WHOLE, (100, 0), (-0.2, 0.7), (30, 180)),
    "wide": SectorGeometry("curved", WHOLE, (128, 60), (-1.4, 1.4), (15, 110)),
    "curved": SectorGeometry("curved", WHOLE, (128, -60), (-0.45, 0.45), (80, 240)),
    "trapezoid": SectorGeometry("trapezoid", WHOLE, (128, -400), (-0.12, 0.12), (420, 580)),
    "rectangle": SectorGeometry("rectangle", (60, 20, 200, 170)),
    "running off two sides": SectorGeometry("phased", WHOLE, (60, -30), (-0.8, 0.8), (0, 300)),
}


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def log_odds_of(sector: np.ndarray, sure: float = 6.0) -> np.ndarray:
    return np.where(sector, sure, -sure).astype(np.float32)


@pytest.mark.parametrize("name", SHAPES)
def test_the_outline_of_clear_log_odds_is_found(name: str) -> None:
    sector = SHAPES[name].rasterise(SIZE)
    found = most_likely(log_odds_of(sector))
    assert found is not None
    assert iou(found.shape.rasterise(SIZE), sector) > 0.975, found.shape
    assert found.expected_iou > 0.97


def test_what_hangs_on_a_side_is_left_out() -> None:
    sector = SHAPES["phased"].rasterise(SIZE)
    seen = sector.copy()
    seen[60:80, 20:100] = True  # a label that the network took in
    found = most_likely(log_odds_of(seen))
    assert found is not None
    assert iou(found.shape.rasterise(SIZE), sector) > 0.97


def test_a_torn_sector_is_completed() -> None:
    sector = SHAPES["curved"].rasterise(SIZE)
    seen = sector.copy()
    seen[100:112] = False
    found = most_likely(log_odds_of(seen, 3))
    assert found is not None
    assert iou(found.shape.rasterise(SIZE), sector) > 0.95


def test_nothing_has_no_outline() -> None:
    assert most_likely(np.full(SIZE, -3, np.float32)) is None
    assert not any(search(np.full(SIZE, -1, np.float32)))


def test_the_expected_iou_is_that_of_certain_pixels() -> None:
    sector, other = SHAPES["phased"].rasterise(SIZE), SHAPES["curved"].rasterise(SIZE)
    assert expected_iou(other, probability(log_odds_of(sector, 50))) == pytest.approx(iou(sector, other))


def test_the_largest_piece_is_kept_and_filled() -> None:
    inside = np.zeros((20, 20), bool)
    inside[2:12, 2:12] = True
    inside[5, 5] = False
    inside[15:18, 15:18] = True
    assert largest(inside).sum() == 100


def test_the_second_piece_is_compared_with_the_largest_and_specks_are_not() -> None:
    inside = np.zeros((60, 100), bool)
    inside[5:45, 5:45] = True
    inside[50:53, 5:95] = True  # a thread
    assert second_share(inside) == 0
    inside[5:25, 60:80] = True
    assert second_share(inside) == pytest.approx(0.25)
    assert second_share(np.zeros((60, 100), bool)) == 0


def test_best_runs_against_all_runs() -> None:
    rng = np.random.default_rng(0)
    for cost in (0.0, 0.7):
        sums = rng.normal(0, 1, (30, 9))
        value, first, last = best_runs(sums, cost)
        for row, best, i, j in zip(sums, value, first, last, strict=True):

            def worth(a: int, b: int, row: np.ndarray = row, cost: float = cost) -> float:
                return row[a : b + 1].sum() - cost * ((a > 0) + (b < 8))

            every = [worth(a, b) for a in range(9) for b in range(a, 9)]
            assert best == pytest.approx(max(every))
            assert worth(int(i), int(j)) == pytest.approx(best)


def test_apexes_looked_at_together_are_as_alone() -> None:
    evidence = np.where(SHAPES["phased"].scaled(0.25).rasterise((48, 64)), 1, -0.5).astype(np.float32)
    apexes = np.array([(32.0, 2.0), (32.0, -20.0), (20.0, 5.0)])
    for upright in (True, False):
        together = best_segments(evidence, apexes, upright=upright)
        for k, apex in enumerate(apexes):
            alone = best_segments(evidence, apex[None], upright=upright)
            assert alone.value[0] == pytest.approx(together.value[k])
            assert np.allclose(alone.radii_px[0], together.radii_px[k])
            assert np.allclose(alone.angles_rad[0], together.angles_rad[k])
        assert np.argmax(together.value) == 0
