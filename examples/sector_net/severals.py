"""Made-up screens that hold no single sector: dual and quad views, M-mode and spectral strips."""

from __future__ import annotations

import cv2
import numpy as np
from outlines import Rng, Size, outline
from textures import Plane, echoes_in, smooth

Areas = tuple[Plane, Plane]  # echoes (H, W) uint8, and where they are (H, W) bool


def several(rng: Rng, size: Size) -> Areas:
    """Two to four views, or a strip, maybe with a view above or beside it."""
    return (views, strip)[rng.integers(2)](rng, size)


def view(rng: Rng, size: Size) -> Areas:
    """One sector."""
    shape = outline(rng, size)
    return echoes_in(rng, shape, size), shape.rasterise(size)


def views(rng: Rng, size: Size) -> Areas:
    """Side by side, one above the other, or four; often of one outline, some touching."""
    height, width = size
    echoes, areas = np.zeros(size, np.uint8), np.zeros(size, bool)
    across, down = ((2, 1), (1, 2), (2, 2), (3, 1))[rng.choice(4, p=[0.65, 0.15, 0.12, 0.08])]
    gap = int(rng.choice([0, rng.integers(0, 4), rng.integers(4, 30)]))
    tile = height // down - gap, width // across - gap
    alike = outline(rng, tile) if rng.random() < 0.6 else None
    for row in range(down):
        for column in range(across):
            shape = alike or outline(rng, tile)
            inside = shape.rasterise(tile)
            place = np.s_[row * (tile[0] + gap) :, column * (tile[1] + gap) :]
            here = place[0].start, place[1].start
            part = np.s_[here[0] : here[0] + tile[0], here[1] : here[1] + tile[1]]
            echoes[part][inside] = echoes_in(rng, shape, tile)[inside]
            areas[part] |= inside
    return echoes, areas


def strip(rng: Rng, size: Size) -> Areas:
    """M-mode or spectral, below or beside a small view, or alone."""
    height, width = size
    echoes, areas = np.zeros(size, np.uint8), np.zeros(size, bool)
    top = round(height * rng.choice([0.0, rng.uniform(0.2, 0.65)], p=[0.2, 0.8]))
    left = 0
    if top == 0 and rng.random() < 0.4:  # beside
        left = round(width * rng.uniform(0.2, 0.5))
    small = (top, round(width * rng.uniform(0.4, 1))) if top > 0.15 * height else (height, max(left, 1))
    if min(small) > 60:
        seen, inside = view(rng, small)
        off = int(rng.integers(0, width - small[1] + 1)) if top else 0
        echoes[: small[0], off : off + small[1]][inside] = seen[inside]
        areas[: small[0], off : off + small[1]] |= inside
    bottom, right = round(height * rng.uniform(0.85, 1)), round(width * rng.uniform(0.85, 1))
    left = max(left, round(width * rng.choice([0, rng.uniform(0, 0.12)])))
    long = (m_mode if rng.random() < 0.5 else spectrum)(rng, (bottom - top, right - left))
    if rng.random() < 0.4:  # the gap that sweeps
        at = int(rng.integers(long.shape[1]))
        long[:, at : at + int(rng.integers(3, 40))] = 0
    echoes[top:bottom, left:right], areas[top:bottom, left:right] = long, True
    return echoes, areas


def m_mode(rng: Rng, size: Size) -> Plane:
    """Layers over time, some of which beat."""
    height, width = size
    depth = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    time = np.arange(width, dtype=np.float32)[None] / width
    beat = np.abs(np.sin(np.pi * time * rng.uniform(2, 14))) ** rng.uniform(1, 4)
    wander = rng.uniform(0, 0.12) * beat * np.sin(np.pi * depth) + rng.uniform(0, 0.02) * np.sin(9 * time)
    layers = np.clip(rng.normal(60, 30) + 60 * smooth(rng, (512, 1), int(rng.integers(12, 70)), 1), 0, 255)
    rows = ((depth + wander) * 450).astype(np.float32)
    picture = cv2.remap(layers.astype(np.float32), np.zeros_like(rows), rows, cv2.INTER_LINEAR)
    grain = rng.uniform(4, 30) * smooth(rng, size, height // 3 + 1, width // int(rng.integers(2, 12)) + 1)
    return np.clip(picture * (1 - rng.uniform(0, 0.8) * depth) + grain, 0, 255).astype(np.uint8)


def spectrum(rng: Rng, size: Size) -> Plane:
    """Velocities over time above and below a line."""
    height, width = size
    time = np.arange(width) / width
    beat = np.abs(np.sin(np.pi * time * rng.uniform(2, 12) + rng.uniform(0, 3))) ** rng.uniform(0.5, 3)
    base = rng.uniform(0.2, 0.85)
    up, down = rng.uniform(0.2, 1) * base * beat, rng.uniform(0, 0.5) * (1 - base) * (1 - beat)
    rows = np.linspace(0, 1, height)[:, None]
    filled = (rows > base - up) & (rows < base + down)
    grain = np.abs(smooth(rng, size, height // 2 + 1, width // 2 + 1))
    picture = filled * rng.uniform(40, 140) * (0.4 + grain) + rng.uniform(0, 20) * grain
    picture[np.abs(rows - base)[:, 0] < 0.004] = rng.integers(100, 256)
    return np.clip(picture, 0, 255).astype(np.uint8)
