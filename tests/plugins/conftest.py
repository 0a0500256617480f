"""What tests of this folder are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from kornia_batches import SIDE, N

import sectoraug as sa


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Grey images whose backgrounds are 0.01 * (i + 1) and whose sectors, all different, are above 0.5."""
    sectors = torch.zeros((N, SIDE, SIDE), dtype=torch.bool)
    images = torch.empty((N, 1, SIDE, SIDE))
    for i in range(N):
        sectors[i, 3 + i % 3 : 15, 2 : 12 + i % 5] = True
        images[i] = 0.01 * (i + 1)
        images[i, 0][sectors[i]] = 0.5 + 0.01 * i
    return images, sectors


@pytest.fixture
def backgrounds() -> sa.BackgroundPool:
    images = np.full((5, SIDE, SIDE), 1, np.uint8) * np.arange(60, 110, 10, dtype=np.uint8)[:, None, None]
    sectors = np.zeros((5, SIDE, SIDE), bool)
    sectors[:, 5:12, 5:12] = True
    return sa.BackgroundPool.from_arrays(images, sectors)
