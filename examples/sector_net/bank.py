"""Pictures made once, kept on disk at the network's size, and drawn in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from outlines import Rng
from scenes import Scene
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sectoraug.sectors.clues.net import SIDE_PX, squeezed

_UNKNOWN = 255


class Batch(NamedTuple):
    """What the network learns from."""

    greys: torch.Tensor
    """(n, 1, H, W), 0..255"""
    sectors: torch.Tensor
    """(n, 1, H, W), 0..1"""
    single: torch.Tensor
    """(n,), 0 or 1"""
    overlay: torch.Tensor
    """(n, 1, H, W), 0..1"""
    known: torch.Tensor
    """(n, 1, H, W) bool: where the overlay is known"""


@dataclass(frozen=True)
class Made(Dataset):
    """Scenes at the network's size, made when asked for."""

    n: int
    make: Callable[[int], Scene]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        cv2.setNumThreads(1)
        scene = self.make(i)
        sector, overlay, known = (
            squeezed(p.view(np.uint8) * 255) for p in (scene.sector, scene.overlay, scene.known)
        )
        return (
            squeezed(scene.grey),
            sector,
            np.where(known > 254, overlay * 254 / 255, _UNKNOWN),
            scene.single,
        )


class Bank:
    """Greys, sectors and overlays (N, H, W), and whether a picture shows one sector (N,)."""

    def __init__(self, path: Path, n: int, make: Callable[[int], Scene], workers: int) -> None:
        size = (n, SIDE_PX, SIDE_PX)
        done = path.with_suffix(".done")
        mode = "r" if done.exists() else "w+"
        self.greys = np.lib.format.open_memmap(path.with_suffix(".greys.npy"), mode, np.float16, size)
        self.sectors = np.lib.format.open_memmap(path.with_suffix(".sectors.npy"), mode, np.uint8, size)
        self.overlays = np.lib.format.open_memmap(path.with_suffix(".overlays.npy"), mode, np.uint8, size)
        self.single = np.lib.format.open_memmap(path.with_suffix(".single.npy"), mode, np.bool_, (n,))
        if mode == "r":
            return
        loader = DataLoader(Made(n, make), batch_size=None, num_workers=workers)
        for i, (grey, sector, overlay, single) in enumerate(tqdm(loader, desc=path.stem)):
            self.greys[i], self.sectors[i], self.overlays[i], self.single[i] = grey, sector, overlay, single
        done.touch()


def draw(rng: Rng, parts: list[tuple[Bank, np.ndarray]], n: int) -> Batch:
    """Equal shares of banks, among these of their pictures; some mirrored, brighter or darker."""
    drawn = [(bank, rng.choice(among)) for i in range(n) for bank, among in [parts[i % len(parts)]]]

    def planes(name: str) -> torch.Tensor:
        stacked = np.stack([getattr(bank, name)[k] for bank, k in drawn]).astype(np.float32)
        return torch.from_numpy(stacked)[:, None]

    greys, sectors, overlays = planes("greys"), planes("sectors"), planes("overlays")
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    for plane in (greys, sectors, overlays):
        plane[mirrored] = plane[mirrored].flip(-1)
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.3, n)).astype(np.float32))
    single = torch.tensor([float(bank.single[k]) for bank, k in drawn])
    greys = (greys * gain[:, None, None, None]).clamp(0, 255)
    return Batch(greys, sectors / 255, single, overlays / 254, overlays < _UNKNOWN)


def contact_sheet(bank: Bank, across: int, down: int) -> np.ndarray:
    """The bank's first pictures: (H, W, 3) BGR.

    Sectors are outlined, in red where there are several; what is written or drawn is blue.
    """
    tiles = []
    for k in range(across * down):
        tile = cv2.cvtColor(bank.greys[k].astype(np.uint8), cv2.COLOR_GRAY2BGR)
        written = (bank.overlays[k] > 63) & (bank.overlays[k] < _UNKNOWN)
        tile[written] = tile[written] // 2 + (127, 0, 0)
        outlines, _ = cv2.findContours(
            (bank.sectors[k] > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        colour = (0, 200, 255) if bank.single[k] else (0, 0, 255)
        tiles.append(cv2.drawContours(tile, outlines, -1, colour, 1))
    return np.vstack([np.hstack(tiles[k : k + across]) for k in range(0, across * down, across)])
