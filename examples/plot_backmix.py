"""BackMix on real echo frames in a real DataLoader
================================================

Takes the clip and the stills that ship inside pydicom, finds the clip's sector from its motion, uses
hand-drawn corners for the stills (a still has no motion), builds a pool of backgrounds, runs rotation,
brightness, flip and BackMix in a DataLoader with workers, checks every swap, and draws a picture.

    python examples/plot_backmix.py [--out FOLDER] [--workers 2] [--epochs 3]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import matplotlib
import numpy as np
import torch
from pydicom import examples
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

SIZE = (192, 256)

# Corners (x, y) of the sectors of stills, drawn by hand; the second still is a dual linear view.
HAND_DRAWN = {
    "palette_color": [(350, 60), (410, 84), (460, 90), (510, 84), (570, 60), (765, 349), (154, 349)],
    "rgb_color": [(6, 53), (312, 53), (312, 169), (6, 169)],
}


def load() -> tuple[list[np.ndarray], list[np.ndarray], int]:
    """Frames and sectors; the first n frames come from the clip, the others are stills."""
    clip = sa.read_clip(examples.get_path("ybr_color"))
    found = sa.sector_from_clip(clip, method="hull")
    print(f"clip: {len(clip)} frames, sector found from motion, quality {found.quality:.2f}")
    frames, sectors = list(clip), [found.sector] * len(clip)
    for name, corners in HAND_DRAWN.items():
        frame = sa.read_clip(examples.get_path(name))[0]
        sector = np.zeros(frame.shape[:2], np.uint8)
        cv2.fillPoly(sector, [np.array(corners)], 1)
        frames.append(frame)
        sectors.append(sector.astype(bool))
    return frames, sectors, len(clip)


class Frames(Dataset):
    """Augmented and swapped clip frames; `backmixed` says where the background was replaced."""

    def __init__(self, frames: list[np.ndarray], sectors: list[np.ndarray], pool: sa.BackgroundPool) -> None:
        self.frames, self.sectors = frames, sectors
        self.augment = A.Compose([A.Rotate((-30, 30)), A.RandomBrightnessContrast(), A.HorizontalFlip()])
        # One Compose would do; two let the checks below see the image before the swap.
        self.swap = A.Compose([sa.BackMix(pool)])

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        before = self.augment(image=self.frames[index], mask=self.sectors[index])
        after = self.swap(image=before["image"], mask=before["mask"], backmixed=False)
        return {"original": self.frames[index], "before": np.ascontiguousarray(before["image"]), **after}


def donor_of(image: np.ndarray, sector: np.ndarray, pool: sa.BackgroundPool) -> int:
    """Which background stands outside the sector; -1 if none does, bit for bit."""
    outside = sector == 0
    for index in range(len(pool)):
        if np.array_equal(image[outside], pool[index][0][outside]):
            return index
    return -1


def outlined(image: np.ndarray, sector: np.ndarray) -> np.ndarray:
    contours, _ = cv2.findContours(sector.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(image.copy(), contours, -1, (255, 200, 0), 2)


def draw(rows: list[dict[str, np.ndarray]], pool: sa.BackgroundPool, path: Path) -> None:
    titles = ("original", "augmented, its sector", "background drawn", "swap")
    figure, axes = plt.subplots(
        len(rows), 4, figsize=(10, 2.1 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, line in zip(rows, axes, strict=True):
        background = pool[donor_of(row["image"], row["mask"], pool)][0]
        panels = (row["original"], outlined(row["before"], row["mask"]), background, row["image"])
        for axis, panel in zip(line, panels, strict=True):
            axis.imshow(panel)
            axis.axis("off")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(sys.argv[0]).parent / "output")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    frames, sectors, n_clip = load()
    # The clip's 30 frames share one background, so one of them is enough for the pool.
    pool = sa.BackgroundPool.from_arrays(frames[n_clip - 1 :], sectors[n_clip - 1 :], size=SIZE, resize="pad")
    print(pool)

    resize = A.Compose([A.Resize(*SIZE)])
    small = [resize(image=f, mask=s.astype(np.uint8)) for f, s in zip(frames[:n_clip], sectors, strict=False)]
    data = Frames([item["image"] for item in small], [item["mask"] for item in small], pool)
    loader = DataLoader(data, batch_size=6, shuffle=True, num_workers=arguments.workers)

    swapped = changed = unknown = 0
    donors: list[int] = []
    shown: dict[int, dict[str, np.ndarray]] = {}
    with tqdm(total=arguments.epochs * len(loader), desc="batches", disable=None) as bar:
        for _ in range(arguments.epochs):
            for batch in loader:
                swapped += int(batch["backmixed"].sum())
                arrays = {key: batch[key].numpy() for key in ("original", "before", "image", "mask")}
                for i in range(len(arrays["image"])):
                    row = {key: array[i] for key, array in arrays.items()}
                    inside = row["mask"] != 0
                    changed += int((row["image"][inside] != row["before"][inside]).sum())
                    donor = donor_of(row["image"], row["mask"], pool)
                    unknown += donor < 0
                    if donor >= 0:
                        shown.setdefault(donor, row)
                    donors.append(donor)
                bar.update()

    path = arguments.out / "backmix.png"
    draw(list(shown.values()), pool, path)
    print(f"""
images                              {len(donors)}
backgrounds swapped                 {swapped}
pixels changed inside a sector      {changed}
backgrounds that are no donor's     {unknown}
draws of each donor                 {np.bincount([d for d in donors if d >= 0], minlength=len(pool)).tolist()}
picture                             {os.path.relpath(path)}""")
    if changed or unknown or swapped != len(donors):
        raise SystemExit("a swap is not what it should be")


if __name__ == "__main__":
    main()
