"""Masks as formats take them, and made-up ones for hypothesis."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import sectoraug as sa
from sectoraug.workbench.formats.clip_mask import ClipMask

SIZE = (96, 128)


def clip_mask(
    folder: str | Path,
    sector: np.ndarray,
    geometry: sa.SectorGeometry | None = None,
    *,
    name: str = "patient/view.dcm",
    clip: Path | None = None,
    drawn: bool = False,
) -> ClipMask:
    file = Path(folder, "mask.png")
    cv2.imwrite(str(file), (sector != 0) * np.uint8(255))
    return ClipMask(name, file, geometry, lambda: clip, drawn)


sectors = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 1)
).filter(lambda sector: sector.any())
"""(H, W) of 0/1 with a pixel inside: several pieces, holes and corners that touch."""


@st.composite
def fans(draw: st.DrawFn) -> sa.SectorGeometry:
    """A fan in an image of SIZE, cut by its sides or not."""
    number = lambda low, high: draw(st.floats(low, high, allow_nan=False))  # noqa: E731
    near = number(0, 25)
    middle, half = number(-0.2, 0.2), number(0.25, 0.9)
    return sa.SectorGeometry(
        "phased",
        (number(-0.5, 20), number(-0.5, 5), number(100, 127.5), number(75, 95.5)),
        (number(40, 90), number(-10, 15)),
        (middle - half, middle + half),
        (near, near + number(40, 80)),
        number(0.8, 1.25),
    )


@st.composite
def rectangles(draw: st.DrawFn) -> sa.SectorGeometry:
    left, top = draw(st.integers(0, 60)), draw(st.integers(0, 40))
    return sa.SectorGeometry(
        "rectangle", (left, top, draw(st.integers(left + 3, 127)), draw(st.integers(top + 3, 95)))
    )


def near_the_edge(geometry: sa.SectorGeometry, points: np.ndarray, within_px: float) -> np.ndarray:
    """Whether both what is inside and what is outside lies that near to (N, 2) points, x and y."""
    turn = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    around = points[:, None] + within_px * np.stack([np.sin(turn), np.cos(turn)], 1)
    inside = geometry.holds(around[..., 0], around[..., 1])
    return inside.any(1) & ~inside.all(1)
