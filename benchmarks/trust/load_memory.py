"""Memory of what runs for days: a pool that many workers share, batches and draws by the million."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import psutil
import torch
from promises import Promise
from torch.utils.data import DataLoader, Dataset

import sectoraug as sa

MIB = 2**20
GROWTH_MIB = 8
SIDE_PX = 16
PER_WORKER = 2_000


class Swapped(Dataset[Any]):
    """Images on backgrounds that are drawn from a pool, (16, 16) uint8."""

    def __init__(self, pool: sa.BackgroundPool, n: int) -> None:
        self.n = n
        self.image = np.full((SIDE_PX, SIDE_PX), 9, np.uint8)
        self.sector = _sector().view(np.uint8)
        self.compose = A.Compose([sa.BackMix(pool)])

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        return self.compose(image=self.image, mask=self.sector, backmixed=False)["image"]


def loaders(folder: Path, n_donors: int, workers: int, epochs: int) -> Promise:
    """Epochs of workers that stay; after each, what every worker holds: its own, its share of the pool."""
    pool = _pool(folder / "pool", n_donors)
    loader = DataLoader(Swapped(pool, workers * PER_WORKER), 64, num_workers=workers, persistent_workers=True)
    own, pss = [], []
    for _ in range(epochs):
        for _batch in loader:
            pass
        pids = [worker.pid for worker in loader._iterator._workers]  # type: ignore[union-attr]
        held = [_held(pid) for pid in pids]
        own.append(max(each["Anonymous"] for each in held))
        pss.append(sum(each["Pss"] for each in held) / len(held))
    on_disk = sum(path.stat().st_size for path in (folder / "pool").iterdir()) / MIB
    growth = own[-1] - own[1]
    return Promise(
        "Workers share a pool's pages, and their memory does not grow over epochs",
        f"{workers} workers, {epochs} epochs of {PER_WORKER:,} draws each from {n_donors:,} backgrounds "
        f"({on_disk:.0f} MiB)",
        f"a worker's own memory grew by {growth:+.1f} MiB from the second epoch to the last, and its "
        f"proportional share was {pss[-1]:.0f} MiB in the mean",
        growth < GROWTH_MIB,
    )


def batches(n: int) -> Promise:
    """Swaps in batches of two 8x8 images."""
    images = torch.rand(2, 1, 8, 8)
    sectors = torch.zeros(2, 8, 8, dtype=torch.bool)
    sectors[:, 2:5] = True
    donors = torch.rand(2, 1, 8, 8)
    return _steady(
        "swap_background_batch",
        n,
        lambda: sa.swap_background_batch(images, sectors, donors, donor_sectors=sectors),
    )


def draws(n: int) -> Promise:
    """BackMix in a Compose on 16x16 images."""
    images = np.full((50, SIDE_PX, SIDE_PX), 7, np.uint8)
    swapped = Swapped(sa.BackgroundPool.from_arrays(images, np.repeat(_sector()[None], 50, 0)), 1)
    return _steady("BackMix in Compose", n, lambda: swapped[0])


def _steady(what: str, n: int, step: Callable[[], Any]) -> Promise:
    for _ in range(max(n // 20, 500)):
        step()
    gc.collect()
    before = psutil.Process().memory_info().rss
    for _ in range(n):
        step()
    gc.collect()
    growth = (psutil.Process().memory_info().rss - before) / MIB
    return Promise(
        "Memory does not grow with the number of steps",
        f"{n:,} steps of {what}",
        f"{growth:+.1f} MiB resident",
        growth < GROWTH_MIB,
    )


def _sector() -> np.ndarray:
    sector = np.zeros((SIDE_PX, SIDE_PX), bool)
    sector[2:14, 3:13] = True
    return sector


def _pool(folder: Path, n: int) -> sa.BackgroundPool:
    sector = _sector()

    def frames() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng = np.random.default_rng(0)
        for _ in range(n):
            yield rng.integers(1, 256, (SIDE_PX, SIDE_PX), dtype=np.uint8), sector

    return sa.BackgroundPool.from_streams(
        [("made", frames)], 1, (SIDE_PX, SIDE_PX), folder, resize="raise", progress=False
    )


def _held(pid: int) -> dict[str, float]:
    """What a process holds, in MiB: Anonymous is its own, Pss counts shared pages by their share."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        found[name.rstrip(":")] = int(value) / 1024
    return found
