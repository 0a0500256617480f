"""The donors that DataLoaders' workers draw under one seed, a digest an epoch: as JSON, for determinism.py.

python benchmarks/trust/loaders.py [KIND ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import torch
from made import by_albumentations, by_monai, by_torchvision, digest
from torch.utils.data import DataLoader, Dataset

PLUGS = {"albumentations": by_albumentations, "torchvision": by_torchvision, "MONAI": by_monai}
KINDS: dict[str, tuple[int, str | None, bool]] = {
    "0 workers": (0, None, False),
    "1 worker": (1, "fork", False),
    "2 workers": (2, "fork", False),
    "4 workers": (4, "fork", False),
    "persistent": (2, "fork", True),
    "forkserver": (2, "forkserver", False),
    "spawn": (2, "spawn", False),
}
"""Number of workers, how they start, and whether they outlive an epoch."""


class Donors(Dataset):
    """An item is the donors that all plugs draw; they are made in the worker, as a spawned one needs."""

    def __init__(self) -> None:
        self.draws: list[Callable[[], int]] = []

    def __len__(self) -> int:
        return 32

    def __getitem__(self, _: int) -> list[int]:
        self.draws = self.draws or [plug() for plug in PLUGS.values()]
        return [draw() for draw in self.draws]


def epochs(kind: str) -> dict[str, list[str]]:
    """The digests of two epochs, by plug."""
    workers, start, persistent = KINDS[kind]
    torch.manual_seed(0)
    loader = DataLoader(
        Donors(),
        batch_size=4,
        num_workers=workers,
        multiprocessing_context=start,
        persistent_workers=persistent,
    )
    found: dict[str, list[str]] = {name: [] for name in PLUGS}
    for _ in range(2):
        batches = list(loader)
        for k, name in enumerate(PLUGS):
            found[name].append(digest([int(donor) for batch in batches for donor in batch[k]]))
    return found


if __name__ == "__main__":
    print(json.dumps({kind: epochs(kind) for kind in sys.argv[1:] or KINDS}))
