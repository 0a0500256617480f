"""Flat bars and panels."""

from __future__ import annotations

import cv2
import numpy as np

from sectoraug.sectors.clues.bars import bars

SIZE = (240, 320)


def echoes() -> np.ndarray:
    picture = np.zeros(SIZE, np.uint8)
    picture[20:200, 60:260] = np.random.default_rng(0).integers(20, 160, (180, 200))
    return picture


def test_a_bar_beside_echoes_is_found_with_what_is_drawn_on_it() -> None:
    picture = echoes()
    picture[200:216, 40:280] = 28
    picture[200:216, 100:102] = 70  # between two buttons
    cv2.putText(picture, "2D", (150, 212), cv2.FONT_HERSHEY_PLAIN, 0.8, 200)
    found = bars(picture)
    assert found[200:216, 40:280].mean() > 0.95
    assert not found[20:199].any()


def test_echoes_the_dark_and_the_saturated_are_no_bars() -> None:
    assert not bars(echoes()).any()
    bright = echoes()
    bright[60:120, 100:200] = 255
    assert not bars(bright).any()


def test_smooth_echoes_are_no_bars() -> None:
    ramp = np.linspace(20, 120, 320)[None] + np.linspace(0, 40, 240)[:, None]
    rounded = np.where(ramp < 120, ramp, 0)
    assert not bars(cv2.GaussianBlur(rounded, (0, 0), 4).astype(np.uint8)).any()
