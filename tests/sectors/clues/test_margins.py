"""Margins of one grey level at a picture's borders."""

from __future__ import annotations

import cv2
import numpy as np

import sectoraug as sa
from sectoraug.sectors.clues.margins import margins
from sectoraug.sectors.outline.overlap import iou

SIZE = (120, 160)


def test_even_rows_and_columns_at_the_borders_are_margins() -> None:
    picture = np.random.default_rng(0).integers(40, 90, SIZE).astype(np.uint8)
    picture[:7] = 0
    picture[-20:] = 12
    picture[-20::2] += 1  # as a codec leaves it
    picture[7:-20, :9] = 0  # even, but not from end to end
    expected = np.zeros(SIZE, bool)
    expected[:7] = expected[-20:] = True
    np.testing.assert_array_equal(margins(picture), expected)
    np.testing.assert_array_equal(margins(np.ascontiguousarray(picture.T)), expected.T)


def test_an_even_band_inside_and_an_even_picture_have_none() -> None:
    picture = np.random.default_rng(1).integers(40, 90, SIZE).astype(np.uint8)
    picture[50:70] = 0
    assert not margins(picture).any()
    assert not margins(np.full(SIZE, 7, np.uint8)).any()


def faded(fan: sa.SectorGeometry, power: int) -> tuple[np.ndarray, np.ndarray]:
    """A still (400, 400) whose echoes fade with depth into black, and its sector."""
    sector = fan.rasterise((400, 400))
    depth = np.linspace(1, 0, 400)[:, None] ** power
    speckle = cv2.GaussianBlur(np.random.default_rng(2).gamma(1.5, 60, (400, 400)), (0, 0), 1.2)
    return np.clip(sector * depth * speckle, 0, 255).astype(np.uint8), sector


def test_a_still_ends_before_the_black_margin_that_its_far_field_fades_into() -> None:
    fan = sa.SectorGeometry("curved", (0, 0, 399, 399), (200, -160), (-0.5, 0.5), (120, 490))
    frame, sector = faded(fan, power=3)
    frame[320:] = 0
    assert iou(sa.sector_from_image(frame).sector, sector) > 0.9


def test_a_still_that_fades_into_a_black_margin_is_not_sure_to_reach_its_end() -> None:
    fan = sa.SectorGeometry("curved", (0, 0, 399, 319), (200, -300), (-0.9, 0.9), (310, 900))
    frame, sector = faded(fan, power=8)
    found = sa.sector_from_image(frame)
    assert found.quality < 0.5 or iou(found.sector, sector) > 0.9
