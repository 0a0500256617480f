"""What a DataLoader gives: grey images of mean 0 and deviation 1, or bare ones for what augments batches."""

from __future__ import annotations

import albumentations as A
import numpy as np
import torch
from splits import Split
from torch.utils.data import Dataset, get_worker_info


class Frames(Dataset):
    """(image (1, H, W) float32 of mean 0 and deviation 1, label, whether its background was replaced)."""

    def __init__(self, split: Split, transform: A.Compose | None) -> None:
        self.split, self.transform = split, transform

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, bool]:
        out = {"image": self.split.images[index], "backmixed": False}
        if self.transform is not None:
            out = self.transform(**out, mask=self.split.sectors[index])
        return standardised(as_planes(out["image"])), int(self.split.labels[index]), out["backmixed"]


class BareFrames(Dataset):
    """(image (1, H, W) uint8, label, sector (1, H, W) uint8), for what augments whole batches."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, torch.Tensor]:
        image, sector = self.split.images[index], self.split.sectors[index]
        return as_planes(image), int(self.split.labels[index]), as_planes(sector)


def as_planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image))[None]


def standardised(images: torch.Tensor) -> torch.Tensor:
    """Each image of (..., 1, H, W) with mean 0 and deviation 1."""
    images = images.float()
    mean = images.mean((-3, -2, -1), keepdim=True)
    return (images - mean) / (images.std((-3, -2, -1), keepdim=True) + 1e-6)


def reseed(worker_id: int) -> None:
    """albumentations 2.0.8 would rotate and flip alike in every worker."""
    worker = get_worker_info()
    worker.dataset.transform.set_random_seed(worker.seed % 2**32)
