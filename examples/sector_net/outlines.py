"""Made-up outlines of sectors: any probe, opening, steering, zoom and crop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import sectoraug as sa

Rng = np.random.Generator
Size = tuple[int, int]

_LEAST_SHARE = 0.06  # of the screen
_KINDS = {"phased": 0.3, "curved": 0.27, "zoomed": 0.09, "trapezoid": 0.1, "rectangle": 0.17, "frame": 0.07}


def outline(rng: Rng, size: Size) -> sa.SectorGeometry:
    """Any sector that covers a sixteenth of an (H, W) screen or more."""
    height, width = size
    while True:
        shape = _outline(rng, height, width)
        if shape.scaled(0.125).rasterise((height // 8, width // 8)).mean() > _LEAST_SHARE:
            return shape


def _outline(rng: Rng, height: int, width: int) -> sa.SectorGeometry:
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "frame":
        return _framed(rng, height, width)
    if kind == "rectangle":
        wide, high = width * rng.uniform(0.15, 1), height * rng.uniform(0.3, 1)
        left, top = rng.uniform(0, width - wide), rng.uniform(0, height - high)
        return sa.SectorGeometry("rectangle", (left, top, left + wide, top + high))
    shape = _ring(rng, str(kind), height, width)
    if kind != "trapezoid" and rng.random() < 0.15:
        shape = _cut(rng, shape, height, width)
    return shape.upside_down(height) if rng.random() < 0.04 else shape


def _framed(rng: Rng, height: int, width: int) -> sa.SectorGeometry:
    """The whole screen, or nearly."""
    left, top, right, bottom = np.where(rng.random(4) < 0.3, rng.uniform(0, 0.12, 4), 0)
    box = left * width - 0.5, top * height - 0.5, (1 - right) * width - 0.5, (1 - bottom) * height - 0.5
    return sa.SectorGeometry("rectangle", box)


def _ring(rng: Rng, kind: str, height: int, width: int) -> sa.SectorGeometry:
    """A ring segment seen from above."""
    if kind == "phased":
        half, depth = rng.uniform(0.13, 0.9), rng.uniform(0.45, 1.05)
        first, top = rng.choice([rng.uniform(0, 0.05), rng.uniform(0, 0.12)]), rng.uniform(-0.02, 0.28)
    elif kind == "curved":
        half, depth = rng.uniform(0.2, 0.85), rng.uniform(0.4, 0.95)
        first, top = rng.uniform(0.08, 0.6), rng.uniform(-0.05, 0.25)
        if rng.random() < 0.25:  # within the body: nearly all around a small probe
            half, first = rng.uniform(0.8, 1.48), rng.uniform(0.05, 0.2)
        top -= first * np.cos(half)
    elif kind == "zoomed":
        half, depth = rng.uniform(0.2, 0.7), rng.uniform(1, 2)
        first, top = rng.uniform(0, 0.4), -rng.uniform(0.1, 0.9)
    else:
        half, depth = rng.uniform(0.02, 0.3), rng.uniform(0.35, 0.9)
        first, top = rng.uniform(0.8, 3), rng.uniform(0, 0.3)
        top -= first
    start, end = -half, half
    if kind != "trapezoid" and rng.random() < 0.15:
        if rng.random() < 0.5:  # steered
            turn = rng.normal(0, 0.2)
            start, end = start + turn, end + turn
        else:  # lopsided
            start *= rng.uniform(0.35, 1)
            end *= rng.uniform(0.8, 1)
            if rng.random() < 0.5:
                start, end = -end, -start
    long = max(height, min(width, 1.25 * height))
    middle = rng.normal(0.5, 0.09) if rng.random() < 0.8 else rng.uniform(0.1, 0.9)
    aspect = float(np.exp(rng.normal(0, 0.02) + rng.choice([0, rng.normal(0, 0.25)], p=[0.8, 0.2])))
    return sa.SectorGeometry(
        "curved" if kind == "zoomed" else kind,
        (-0.5, -0.5, width - 0.5, height - 0.5),
        (width * middle, height * top),
        (float(start), float(end)),
        (float(long * first), float(long * (first + depth))),
        aspect,
    )


def _cut(rng: Rng, shape: sa.SectorGeometry, height: int, width: int) -> sa.SectorGeometry:
    """Cut straight on a side or two, as by a maker's window."""
    box = list(shape.box_px)
    for side in rng.choice(4, rng.integers(1, 3), replace=False):
        by = rng.uniform(0.02, 0.25) * (height, width)[1 - side % 2]
        box[side] += by if side < 2 else -by
    return replace(shape, box_px=tuple(box))
