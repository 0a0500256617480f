"""Plugs as sources of donors' numbers: a call gives as many draws as one asks for."""

from __future__ import annotations

import os

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torchvision import tv_tensors

import sectoraug as sa
from sectoraug.plugins.monai import BackMixd
from sectoraug.plugins.torchvision import BackMix

N_DONORS = 7
SIZE = (2, 2)
SECTOR = np.array([[1, 0], [0, 0]], np.uint8)
IMAGE = np.zeros(SIZE, np.uint8)
Draw = Callable[[int], np.ndarray]


def pool_of(n: int) -> sa.BackgroundPool:
    """Donors whose grey level, less 1, tells their index."""
    images = np.empty((n, *SIZE), np.uint8)
    images[:] = np.arange(1, n + 1, dtype=np.uint8)[:, None, None]
    return sa.BackgroundPool.from_arrays(images, np.broadcast_to(SECTOR, images.shape))


def by_pool(pool: sa.BackgroundPool, exclude: int | None = None) -> Draw:
    rng = np.random.default_rng(0)
    return lambda n: np.array([pool.draw(rng, exclude) for _ in range(n)])


def by_albumentations(pool: sa.BackgroundPool, own: int | None = None, p: float = 1.0) -> Draw:
    """Through whole calls; -1 where the image kept its background."""
    mix = sa.BackMix(pool, p=p)
    call = {"image": IMAGE, "mask": SECTOR} | ({} if own is None else {"pool_index": own})
    return lambda n: np.array([mix(**call)["image"][1, 1] for _ in range(n)], int) - 1


def by_torchvision(pool: sa.BackgroundPool, own: int | None = None, p: float = 1.0) -> Draw:
    mix = BackMix(pool, p=p)
    return lambda n: np.array([_number(mix.draw(own).donor) for _ in range(n)])


def by_torchvision_batch(pool: sa.BackgroundPool) -> Draw:
    mix = BackMix(pool)
    images, planes = torch.zeros(512, 1, *SIZE, dtype=torch.uint8), torch.from_numpy(SECTOR).expand(512, 2, 2)
    batch = tv_tensors.Image(images), tv_tensors.Mask(planes)
    return lambda n: (
        np.concatenate([mix(*batch)[0][:, 0, 1, 1].numpy() for _ in range(-(-n // 512))])[:n] - 1.0
    )


def by_monai(pool: sa.BackgroundPool, own: int | None = None, p: float = 1.0) -> Draw:
    mix = BackMixd("image", pool, prob=p).set_random_state(0)
    return lambda n: np.array([_number(mix.draw(own).donor) for _ in range(n)])


def by_kornia(pool: sa.BackgroundPool, p: float = 1.0) -> Draw:
    op, planes = sa.RandomBackMix(p=p, pool=pool.to("cpu", progress=False)), torch.ones(1, *SIZE)

    def draw(n: int) -> np.ndarray:
        drawn = op.draw(planes.expand(n, -1, -1))
        return drawn["donor_index"].where(drawn["batch_prob"] > 0.5, -1).numpy()

    return draw


def rings(size: int) -> Draw:
    """Which of the (size - 1)! rings through a batch was drawn."""
    op, planes = sa.RandomBackMix(), torch.from_numpy(SECTOR).expand(size, 2, 2)

    def draw(n: int) -> np.ndarray:
        seen, which = {}, []
        for _ in range(n):
            which.append(seen.setdefault(tuple(op.draw(planes)["donor_index"].tolist()), len(seen)))
        return np.array(which)

    return draw


def _number(donor: int | None) -> int:
    return -1 if donor is None else donor


class InWorkers(Dataset):
    """Item: the donor drawn, and by which worker."""

    def __init__(self, plug: Callable[..., Draw], n: int) -> None:
        self.draw, self.n = plug(pool_of(N_DONORS)), n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, _: int) -> tuple[int, int]:
        return int(self.draw(1)[0]), get_worker_info().id


def in_workers(plug: Callable[..., Draw], n: int, workers: int) -> np.ndarray:
    """(workers, draws) in a DataLoader of forked workers."""
    loader = DataLoader(
        InWorkers(plug, n), batch_size=64, num_workers=workers, multiprocessing_context="fork"
    )
    found = [torch.stack(batch).numpy() for batch in loader]
    donors, who = np.concatenate(found, 1)
    each = [donors[who == worker] for worker in range(workers)]
    return np.stack([row[: min(map(len, each))] for row in each])


PLUGS: dict[str, Callable[..., Draw]] = {
    "albumentations": by_albumentations,
    "torchvision": by_torchvision,
    "MONAI": by_monai,
}
