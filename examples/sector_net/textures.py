"""Made-up echoes: speckle, layers, cavities, shadows, and all that darkens parts of a sector."""

from __future__ import annotations

import cv2
import numpy as np
from outlines import Rng, Size

import sectoraug as sa

Plane = np.ndarray

_SHOWS, _LEAST_SHOWN = 8, 0.05  # grey levels, and the share of a sector that must be brighter
_NEPER = 40  # grey levels
_GRID = 200, 160  # depths and beams of what is taken off real echoes


def smooth(rng: Rng, size: Size, rows: int, columns: int) -> Plane:
    """Noise of mean 0 and standard deviation 1 on a grid of so many cells, drawn out to `size`."""
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    return cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)


def echoes_in(rng: Rng, shape: sa.SectorGeometry, size: Size) -> Plane:
    """Echoes of which something shows in the sector: (H, W) uint8, the nearest echo outside it."""
    inside = shape.rasterise(size)
    while True:
        picture = _texture(rng, shape, size)
        if (picture[inside] > _SHOWS).mean() >= _LEAST_SHOWN:
            return picture


def dimmed(rng: Rng, echoes: Plane, shape: sa.SectorGeometry) -> Plane:
    """A picture (H, W) uint8 whose sector lost what depth, shadows or little gain swallow."""
    loss = _on_screen(np.maximum(_NEPER * _darkness(rng, _GRID), 0), shape, echoes.shape)
    return np.clip(echoes - loss, 0, 255).astype(np.uint8)


def _on_screen(beams: Plane, shape: sa.SectorGeometry, size: Size) -> Plane:
    """(H, W) of what lies along beams (depths, beams), the nearest of it outside the sector."""
    maps = shape.cartesian_maps(size, *beams.shape)
    return cv2.remap(beams, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _texture(rng: Rng, shape: sa.SectorGeometry, size: Size) -> Plane:
    """Along the beams."""
    grid = (int(rng.integers(120, 320)), int(rng.integers(100, 220)))
    level = _tissue(rng, grid) - _darkness(rng, grid)
    level += _speckle(rng, grid) * rng.uniform(0.2, 1.1)
    if rng.random() < 0.4:  # bright reflectors
        level += rng.uniform(1, 3) * (smooth(rng, grid, *rng.integers(4, 30, 2)) > 1.8)
    if rng.random() < (0.5 if shape.kind == "phased" else 0.15):  # the skin, or a bright apex
        depth = np.linspace(0, 1, grid[0], dtype=np.float32)[:, None]
        level += rng.uniform(2, 8) * np.exp(-depth / rng.uniform(0.01, 0.05))
    shown = 128 * rng.uniform(0.5, 1.2) + rng.uniform(20, 60) * level
    picture = np.clip(shown, 0, 255) * rng.uniform(0.4, 1)
    picture = np.maximum(picture, _noise_floor(rng, grid))
    return _on_screen(picture.astype(np.uint8), shape, size)


def _tissue(rng: Rng, grid: Size) -> Plane:
    """In nepers: regions, layers across the beams, cavities without echoes."""
    level = np.zeros(grid, np.float32)
    for _ in range(rng.integers(1, 4)):
        level += rng.uniform(0.2, 1) * smooth(rng, grid, *rng.integers(2, 20, 2))
    if rng.random() < 0.6:
        level += rng.uniform(0.2, 1.2) * smooth(rng, grid, int(rng.integers(8, 50)), int(rng.integers(2, 5)))
    if rng.random() < 0.6:
        cavity = smooth(rng, grid, *rng.integers(2, 7, 2)) > rng.uniform(-0.3, 1.2)
        level -= rng.uniform(1, 6) * cv2.GaussianBlur(cavity.astype(np.float32), (0, 0), rng.uniform(0.5, 3))
    return level


def _darkness(rng: Rng, grid: Size) -> Plane:
    """In nepers: what depth swallows, silent zones, shadows, dark near fields and far corners."""
    depth = np.linspace(0, 1, grid[0], dtype=np.float32)[:, None]
    beam = np.linspace(-1, 1, grid[1], dtype=np.float32)
    dark = rng.normal(0.8, 1.2) * depth * np.ones(grid, np.float32)
    if rng.random() < 0.2:  # silence above or below some depth
        beyond = depth > rng.uniform(0.1, 0.95)
        dark += rng.uniform(2, 8) * (beyond if rng.random() < 0.75 else ~beyond)
    if rng.random() < 0.2:  # the near field
        dark += rng.uniform(1, 7) * np.exp(-((depth / rng.uniform(0.03, 0.25)) ** 2))
    if rng.random() < 0.3:  # far corners
        sides = (
            np.abs(beam) ** rng.uniform(1, 6) * rng.choice([0, 1], 2, p=[0.25, 0.75])[(beam > 0).astype(int)]
        )
        dark += rng.uniform(1, 8) * sides * depth ** rng.uniform(0.5, 3)
    if rng.random() < 0.5:  # shadows, or probes without contact at the sides
        beams = smooth(rng, (1, grid[1]), 1, int(rng.integers(3, 12))) > rng.uniform(0.2, 1.5)
        shade = cv2.GaussianBlur(np.repeat(beams.astype(np.float32), grid[0], 0), (0, 0), rng.uniform(0.5, 4))
        dark += rng.uniform(0.5, 5) * shade * (depth > rng.uniform(-0.3, 0.6))
    if rng.random() < 0.1:  # half a probe without contact
        silent = (rng.choice([-1, 1]) * beam > rng.uniform(-0.3, 0.8)).astype(np.float32)[None]
        dark += rng.uniform(2, 8) * cv2.GaussianBlur(silent, (0, 0), rng.uniform(0.5, 8))
    if rng.random() < 0.2:  # so little gain that only the strongest echoes show, anywhere
        off = (depth - rng.uniform(0, 0.6)) ** 2 / rng.uniform(0.2, 0.7) ** 2
        off = off + (beam - rng.uniform(-0.7, 0.7)) ** 2 / rng.uniform(0.2, 0.8) ** 2
        dark += rng.uniform(2, 8) * np.clip(off - 1, 0, 1)
    if rng.random() < 0.08:  # a probe in air: rings near it and noise
        dark += 8 * (depth > rng.uniform(0.02, 0.2))
    return dark


def _speckle(rng: Rng, grid: Size) -> Plane:
    fine = rng.standard_normal((2, *grid)).astype(np.float32)
    blur = (rng.uniform(0.3, 2.5), rng.uniform(0.3, 1.5))
    fine = np.stack([cv2.GaussianBlur(p, (0, 0), sigmaX=blur[0], sigmaY=blur[1]) for p in fine])
    return np.log(np.hypot(*(fine / fine.std())) + 0.05)


def _noise_floor(rng: Rng, grid: Size) -> Plane | float:
    """In grey levels: none, even, or growing with depth."""
    if rng.random() < 0.45:
        return 0.0
    depth = np.linspace(0, 1, grid[0], dtype=np.float32)[:, None]
    if rng.random() < 0.3:  # nothing down to some depth
        depth = np.maximum(depth - rng.uniform(0, 0.7), 0)
        depth = depth / depth[-1]
    grown = depth ** rng.uniform(0.5, 3) if rng.random() < 0.6 else 1.0
    grain = rng.random(grid, np.float32)
    if rng.random() < 0.5:
        grain = cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.4, 1.2))
    return rng.uniform(0, rng.choice([8, 30, 90], p=[0.6, 0.3, 0.1])) * grown * grain
