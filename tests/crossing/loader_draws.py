"""Which donors a DataLoader's workers draw, as JSON on stdout; run by test_seeding.py.

A script of its own, so that workers started by spawn can import it. Most of its time is imports, so one
start answers several calls, and spawned workers draw for several plugs.
"""

# ruff: noqa: E402
from __future__ import annotations

import atexit
import gc

# A third of a short process's time is collecting what its imports left.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

import sectoraug as sa

N = 24
SIZE = (6, 6)


def make_pool() -> sa.BackgroundPool:
    """250 donors; the grey level of a background tells its index."""
    images = np.empty((250, *SIZE), np.uint8)
    images[:] = np.arange(1, 251, dtype=np.uint8)[:, None, None]
    return sa.BackgroundPool.from_arrays(images, np.broadcast_to(sector(), images.shape))


def sector() -> np.ndarray:
    inside = np.zeros(SIZE, bool)
    inside[2:4] = True
    return inside


def with_albumentations(seed: int | None) -> Callable[[np.ndarray], Any]:
    transform = A.Compose([sa.BackMix(make_pool())], seed=seed)
    return partial(_by_albumentations, transform)


def _by_albumentations(transform: Any, image: np.ndarray) -> Any:
    return transform(image=image, mask=sector().view(np.uint8))["image"][0, 0]


def with_torchvision(_: int | None) -> Callable[[np.ndarray], Any]:
    from sectoraug.plugins.torchvision import BackMix

    return partial(_by_torchvision, BackMix(make_pool()))


def _by_torchvision(transform: Any, image: np.ndarray) -> Any:
    from torchvision import tv_tensors

    return transform(tv_tensors.Image(image), tv_tensors.Mask(sector()))[0][0, 0, 0]


def with_monai(seed: int | None) -> Callable[[np.ndarray], Any]:
    from sectoraug.plugins.monai import BackMixd

    return partial(_by_monai, BackMixd("image", make_pool()).set_random_state(seed))


def _by_monai(transform: Any, image: np.ndarray) -> Any:
    return transform({"image": image[None], "sector": sector()})["image"][0, 0, 0]


class Frames(Dataset):
    """An item is the donors that several plugs draw, each a name and a seed, and the worker that draws."""

    def __init__(self, plugs: list[tuple[str, int | None]]) -> None:
        self.first_pixels = [globals()[f"with_{name}"](seed) for name, seed in plugs]

    def __len__(self) -> int:
        return N

    def __getitem__(self, index: int) -> tuple[list[int], int]:
        donors = [int(first_pixel(np.zeros(SIZE, np.uint8))) - 1 for first_pixel in self.first_pixels]
        worker = get_worker_info()
        return donors, -1 if worker is None else worker.id


def epochs(
    context: str | None, persistent: bool, plugs: list[tuple[str, int | None]], host: bool = False
) -> list[list[list[list[int]]]]:
    """Two epochs of [donors, worker ids] for each of the plugs.

    `context` None stays in the main process; `host`: with MONAI's DataLoader.
    """
    loader_of = DataLoader
    if host:
        import monai.data

        loader_of = monai.data.DataLoader
    loader = loader_of(
        Frames(plugs),
        batch_size=4,
        num_workers=0 if context is None else 2,
        multiprocessing_context=context,
        persistent_workers=persistent,
    )
    drawn: list[list[list[list[int]]]] = [[] for _ in plugs]
    for _ in range(2):
        batches = list(loader)
        workers = [worker for _, batch in batches for worker in batch.tolist()]
        for k, of_plug in enumerate(drawn):
            of_plug.append([[donor for donors, _ in batches for donor in donors[k].tolist()], workers])
    return drawn


def two_runs(*arguments: Any) -> list:
    """The epochs under seeds 0, 0 again and 1."""
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        runs.append(epochs(*arguments))
    return runs


def two_runs_as_rank(rank: int, *arguments: Any) -> list:
    os.environ["RANK"] = str(rank)
    try:
        return two_runs(*arguments)
    finally:
        del os.environ["RANK"]


def rank_process(rank: int, store: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    torch.manual_seed(0)
    unseeded, seeded = ("albumentations", None), ("albumentations", 7)
    drawn = {
        "no workers": epochs(None, False, [unseeded]),
        "fork": epochs("fork", False, [unseeded]) + epochs("fork", False, [seeded]),
        "spawn": epochs("spawn", False, [unseeded, seeded]),  # workers that start once
    }
    with open(f"{store}.{rank}", "w") as file:
        json.dump(drawn, file)
    torch.distributed.destroy_process_group()


def two_ranks() -> list:
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "store")
        torch.multiprocessing.spawn(rank_process, (store,), nprocs=2)
        return [json.load(open(f"{store}.{rank}")) for rank in (0, 1)]


if __name__ == "__main__":
    print(json.dumps([globals()[call](*arguments) for call, *arguments in json.loads(sys.argv[1])]))
