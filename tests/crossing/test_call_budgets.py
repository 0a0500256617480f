"""How many calls one transform makes, in Python and in C: no noise hides a slower hot path here.

Counted is what the package calls, and what NumPy and the standard library call for it, but not what goes on
inside the host libraries, whose versions differ.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch

import sectoraug as sa

pytest.importorskip("torchvision")
pytest.importorskip("monai")

from torchvision import tv_tensors

from sectoraug.plugins.monai import BackMixd
from sectoraug.plugins.torchvision import BackMix

HOSTS = {"albumentations", "kornia", "monai", "torch", "torchvision"}
SLACK = 1.2
IMAGE = np.full((32, 32), 9, np.uint8)
SECTOR = np.zeros((32, 32), np.uint8)
SECTOR[8:24, 8:24] = 1
TENSOR, PLANE = torch.from_numpy(IMAGE)[None], torch.from_numpy(SECTOR)
BATCH, PLANES = TENSOR.expand(8, 1, 32, 32), PLANE.expand(8, 32, 32)
OUT, BACKGROUND = np.empty_like(IMAGE), np.zeros_like(IMAGE)


def calls_of(transform: Callable[[], Any]) -> int:
    count = depth = 0

    def library(frame: FrameType | None) -> str:
        return "" if frame is None else frame.f_globals.get("__name__", "").split(".")[0]

    def watch(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count, depth
        caller = frame.f_back if event == "call" else frame
        if event in ("call", "c_call") and depth and library(caller) not in HOSTS:
            count += 1
        if event in ("call", "return") and library(frame) == "sectoraug":
            depth += 1 if event == "call" else -1

    transform()  # what is made once is made now
    sys.setprofile(watch)
    try:
        transform()
    finally:
        sys.setprofile(None)
    return count


def transforms() -> dict[str, tuple[int, Callable[[], Any]]]:
    """Each with its budget: what it made when it was last made faster."""
    pool = sa.BackgroundPool.from_arrays(IMAGE[None].repeat(3, 0), SECTOR[None].repeat(3, 0))
    mix, noise = A.Compose([sa.BackMix(pool)]), A.Compose([sa.NoiseBackground()])
    in_torchvision, in_monai = BackMix(pool), BackMixd("image", pool)
    sample = {"image": tv_tensors.Image(TENSOR), "sector": tv_tensors.Mask(PLANE)}
    clip, white = np.stack([IMAGE] * 4), SECTOR * np.uint8(255)
    in_batch, from_pool = sa.RandomBackMix(), sa.RandomBackMix(pool=pool)
    return {
        "swap_background": (16, lambda: sa.swap_background(IMAGE, SECTOR, BACKGROUND, out=OUT)),
        "albumentations": (45, lambda: mix(image=IMAGE, mask=SECTOR, backmixed=False)),
        "albumentations, 0/255": (47, lambda: mix(image=IMAGE, mask=white)),
        "albumentations, bool": (45, lambda: mix(image=IMAGE, mask=SECTOR.view(bool))),
        "albumentations, clip of 4": (53, lambda: mix(images=clip, mask=SECTOR)),
        "albumentations, noise": (62, lambda: noise(image=IMAGE, mask=SECTOR)),
        "torchvision": (66, lambda: in_torchvision(sample)),
        "monai": (57, lambda: in_monai({"image": TENSOR, "sector": PLANE})),
        "swap_background_batch": (118, lambda: sa.swap_background_batch(BATCH, PLANES, BATCH, PLANES)),
        "kornia, in batch": (176, lambda: in_batch(BATCH, PLANES)),
        "kornia, pool": (126, lambda: from_pool(BATCH, PLANES)),
    }


@pytest.mark.parametrize("name", list(transforms()))
def test_calls_stay_within_the_budget(name: str) -> None:
    budget, transform = transforms()[name]
    made = calls_of(transform)
    assert made <= SLACK * budget, f"{name} makes {made} calls; its budget is {budget}"
