"""Screens: the same for another patient, another one for another layout, depth or size."""

from __future__ import annotations

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.clues.parts import clip_statistics
from sectoraug.sectors.clues.screen import Screen, screen_of

SIZE = (240, 320)
SECTOR = sa.SectorGeometry("phased", (0, 0, 319, 239), (160, 8), (-0.6, 0.6), (4, 215)).rasterise(SIZE)


def shown(vendor: str | None, seed: int, step_px: float = 0.0, size: tuple[int, int] = SIZE) -> Screen:
    """The screen of a vendor's clip, with a ruler beside it if there is a step between its ticks."""
    frames = sa.phantom.make_clip(frames=4, seed=seed, vendor=vendor, size=size).frames.copy()
    if step_px:
        for tick in range(12):
            row = round(14 + tick * step_px)
            frames[:, row : row + 2, 310:316] = 200
    return screen_of(clip_statistics(frames))


@pytest.mark.parametrize("vendor", ["aster", "boreal"])
def test_another_patient_on_the_same_scanner_has_the_same_screen(vendor: str) -> None:
    one, other = shown(vendor, 1), shown(vendor, 22)
    assert one.same_as(other, SECTOR)
    assert other.same_as(one, SECTOR)


def test_another_vendors_screen_differs() -> None:
    one = shown("aster", 1)
    assert not any(one.same_as(shown(vendor, 2), SECTOR) for vendor in ("boreal", "dune", "grove"))


def test_another_depth_moves_the_ticks() -> None:
    one = shown("aster", 1, 17.0)
    assert len(one.rulers) >= 1
    assert one.rulers[-1].step_px == pytest.approx(17, abs=0.2)
    assert one.same_as(shown("aster", 2, 17.0), SECTOR)
    for other in (15.5, 16.3, 17.7, 18.5):
        assert not one.same_as(shown("aster", 2, other), SECTOR), other
    assert not one.same_as(shown("aster", 2), SECTOR), "no ruler there"


def test_another_size_is_another_screen() -> None:
    assert not shown("aster", 1).same_as(shown("aster", 1, size=(240, 300)), SECTOR)


def test_screens_without_overlay_are_never_the_same() -> None:
    assert not shown(None, 1).same_as(shown(None, 1), SECTOR)


def test_no_letter_can_be_read_from_a_screen() -> None:
    one = shown("aster", 1)
    assert len(one.blocks) == 40 * 30 // 8
    assert len(np.unpackbits(np.frombuffer(one.blocks, np.uint8))) * 64 == SIZE[0] * SIZE[1]
