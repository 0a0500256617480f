"""Flat surroundings, and strokes thinner than any structure."""

from __future__ import annotations

import numpy as np
import pytest

from sectoraug.sectors.clues.surroundings import even, opened, stroke_px, strokes_above


def test_even_where_a_whole_window_is_of_one_level() -> None:
    grey = np.full((9, 9), 40, np.uint8)
    grey[4, 4] = 42
    expected = np.ones((9, 9), bool)
    expected[3:6, 3:6] = False
    np.testing.assert_array_equal(even(grey), expected)
    assert even(grey, within=2).all()
    np.testing.assert_array_equal(even(grey, (1, 3))[:, 4], np.arange(9) != 4)


@pytest.mark.parametrize(("size", "px"), [((112, 112), 5), ((480, 640), 13), ((1080, 1920), 39)])
def test_no_stroke_is_wider_than_two_percent_and_windows_have_a_middle(
    size: tuple[int, int], px: int
) -> None:
    assert stroke_px(size) == px
    assert px % 2


def test_strokes_are_thin_and_stand_out() -> None:
    grey = np.full((100, 200), 30, np.uint8)
    grey[:, 20:22] = 80  # a stroke
    grey[:, 60:64] = 50  # too faint
    grey[:, 100:140] = 200  # too broad
    found = strokes_above(grey, 30)
    np.testing.assert_array_equal(np.flatnonzero(found.any(0)), [20, 21])
    np.testing.assert_array_equal(np.flatnonzero((opened(grey, 5) < grey).any(0)), [20, 21, 60, 61, 62, 63])
