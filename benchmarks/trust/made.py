"""What artifacts are made of: the phantom's frames, sectors and pools, and plugs that say whom they drew."""

from __future__ import annotations

import os

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import hashlib
from collections.abc import Callable
from typing import Any

import albumentations as A
import numpy as np
import torch

import sectoraug as sa
from sectoraug.plugins.monai import BackMixd
from sectoraug.plugins.torchvision import BackMix as TorchvisionBackMix

SIZE = (64, 64)
CLIPS = [sa.phantom.make_clip(frames=8, size=SIZE, seed=seed) for seed in range(6)]
FRAMES = np.stack([clip.frames[0] for clip in CLIPS])
SECTORS = np.stack([clip.sector for clip in CLIPS])
POOL = sa.BackgroundPool.from_arrays(FRAMES, SECTORS)
DRAWS = 64
N_DONORS = 251
"""Of `levels`; a prime, so that it divides no range of random bits."""


def digest(*parts: Any) -> str:
    """Eight hex digits of an artifact's parts: arrays, tensors, bytes, or anything with a true repr."""
    made = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            part = part.detach().cpu()
            part = (part.view(torch.int16) if part.dtype == torch.bfloat16 else part).numpy()
        if isinstance(part, np.ndarray):
            made.update(f"{part.dtype}{part.shape}".encode())
            part = np.ascontiguousarray(part).tobytes()
        made.update(part if isinstance(part, bytes) else repr(part).encode())
    return made.hexdigest()[:8]


def levels() -> sa.BackgroundPool:
    """Donors whose grey level tells their index."""
    images = np.empty((N_DONORS, 6, 6), np.uint8)
    images[:] = np.arange(1, N_DONORS + 1, dtype=np.uint8)[:, None, None]
    return sa.BackgroundPool.from_arrays(images, np.broadcast_to(small_sector(), images.shape))


def small_sector() -> np.ndarray:
    sector = np.zeros((6, 6), bool)
    sector[2:4] = True
    return sector


def batch(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(FRAMES)[:, None].float() / 255
    return images.to(device), torch.from_numpy(SECTORS).to(device)


def by_albumentations(seed: int | None = None) -> Callable[[], int]:
    mix, plane = A.Compose([sa.BackMix(levels())], seed=seed), small_sector().view(np.uint8)
    return lambda: int(mix(image=np.zeros((6, 6), np.uint8), mask=plane)["image"][0, 0]) - 1


def by_torchvision() -> Callable[[], int]:
    from torchvision import tv_tensors

    mix, plane = TorchvisionBackMix(levels()), tv_tensors.Mask(small_sector())
    return lambda: int(mix(tv_tensors.Image(torch.zeros(1, 6, 6, dtype=torch.uint8)), plane)[0][0, 0, 0]) - 1


def by_monai() -> Callable[[], int]:
    mix = BackMixd("image", levels()).set_random_state(0)
    sample = {"image": np.zeros((1, 6, 6), np.uint8), "sector": small_sector()}
    return lambda: int(mix(sample)["image"][0, 0, 0]) - 1
