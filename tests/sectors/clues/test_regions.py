"""What a header's regions speak for."""

from __future__ import annotations

from sectoraug.reading.regions import Region
from sectoraug.sectors.clues.regions import outside, single

SIZE = (480, 640)


def test_one_region_speaks_against_what_lies_outside() -> None:
    plane = outside([Region("2d", (100, 50, 500, 400)), Region("colour", (200, 100, 400, 300))], SIZE)
    assert plane[20, 20] < 0
    assert plane[200, 300] == 0
    assert single([Region("2d", (100, 50, 500, 400))], SIZE) == 0


def test_a_region_of_a_larger_screen_says_nothing() -> None:
    assert not outside([Region("2d", (84, 31, 1024, 414))], SIZE).any()


def test_strips_and_second_pictures_speak_against_one_sector() -> None:
    left, right = Region("2d", (0, 50, 310, 400)), Region("2d", (320, 50, 630, 400))
    assert single([left, right], SIZE) < 0
    assert not outside([left, right], SIZE).any()
    assert single([left, Region("m-mode", (0, 300, 630, 470))], SIZE) < 0
    assert single([left, Region("other", (0, 300, 630, 470))], SIZE) == 0
    assert single([], SIZE) == 0
