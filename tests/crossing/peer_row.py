"""One thing that a peer's own tests ask of its transforms, asked of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import sectoraug as sa


@dataclass(frozen=True)
class Row:
    peer: str
    """The library whose test this is after."""
    test: str
    """Its name there."""
    what: str
    """What is asked, as a user would say it."""
    ask: Callable[[], None]
    """Asserts that it is so."""
    refused: str = ""
    """For what is not supported: how the error's sentence begins, or a part of it."""


N, SIDE = 6, 12
SECTORS = np.zeros((N, SIDE, SIDE), np.uint8)
for k in range(N):
    SECTORS[k, 2 : 8 + k % 3, 3 : 7 + k % 4] = 1
IMAGES = np.random.default_rng(0).integers(1, 256, (N, SIDE, SIDE), dtype=np.uint8)


def images_of(dtype: object = np.uint8, channels: int | None = None) -> np.ndarray:
    """(N, H, W[, C]), uint8 or float32 in 0..1."""
    images = IMAGES if channels is None else np.stack([IMAGES + np.uint8(c) for c in range(channels)], -1)
    return images.copy() if dtype == np.uint8 else images.astype(np.float32) / 255


def pool_of(images: np.ndarray) -> sa.BackgroundPool:
    """Their negatives, so that no image can draw its own background."""
    highest = images.dtype.type(255 if images.dtype == np.uint8 else 1)
    return sa.BackgroundPool.from_arrays(highest - images, SECTORS)


def batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 1, H, W) images and (N, H, W) bool sectors."""
    images = torch.from_numpy(IMAGES)[:, None]
    images = images.to(dtype) / 255 if dtype.is_floating_point else images.to(dtype)
    return images, torch.from_numpy(SECTORS).bool()


def is_swapped(new: object, old: object, sector: object) -> None:
    """Inside the sector nothing changed, outside of it something did; channels last or none."""
    new, old, inside = np.asarray(new), np.asarray(old), np.asarray(sector) != 0
    assert new.shape == old.shape and new.dtype == old.dtype
    assert np.array_equal(new[inside], old[inside])
    assert not np.array_equal(new[~inside], old[~inside])
