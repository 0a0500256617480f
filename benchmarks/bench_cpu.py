"""The swap on one CPU thread, against a copy, the authors' indexing and np.where; plugs against hosts' flips.

python benchmarks/bench_cpu.py [--quick] [--write NAME]
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations as A
import cv2
import numpy as np
import torch
from monai.transforms import RandFlipd
from timing import guard, interleaved, show, spread, write
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

import sectoraug as sa
from sectoraug.plugins.monai import BackMixd
from sectoraug.plugins.torchvision import BackMix

cv2.setNumThreads(1)
torch.set_num_threads(1)

SIZES = [(112, 112, 1), (224, 224, 3), (600, 800, 3)]
STREAM_BYTES = 192 << 20


def material(n: int, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Images of smooth speckle and triangular sectors of several widths."""
    height, width, channels = shape
    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.integers(0, 256, (height, width, channels), np.uint8), (0, 0), 1.5)
    images = np.empty((n, *shape), np.uint8)
    sectors = np.zeros((n, height, width), np.uint8)
    for i in range(n):
        images[i] = np.roll(speckle, 7 * i, axis=1).reshape(shape)
        left = 5 + i % 9
        corners = np.array([[width // 2, 5], [left, height - 10], [width - left, height - 10]])
        cv2.fillPoly(sectors[i], [corners], 1)
    return images, sectors


def indexing(
    image: np.ndarray, sector: np.ndarray, donor: np.ndarray, donor_sector: np.ndarray
) -> np.ndarray:
    """Boolean indexing throughout, as in the authors' data set class; copies keep the inputs whole."""
    donor, out = donor.copy(), image.copy()
    donor[donor_sector == 1] = np.zeros_like(donor[donor_sector == 1])
    out[sector == 0] = donor[sector == 0]
    return out


def bench_size(shape: tuple[int, int, int], streaming: bool, rounds: int, seconds: float) -> dict[str, Any]:
    n = max(8, STREAM_BYTES // int(np.prod(shape))) if streaming else 1
    images, sectors = material(n, shape)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    backgrounds = [pool[i][0] for i in range(n)]
    bools = sectors.astype(bool)
    out = np.empty(shape, np.uint8)
    where = [s[:, :, None] != 0 for s in sectors]
    mix, flip = A.Compose([sa.BackMix(pool)]), A.Compose([A.HorizontalFlip(p=1)])

    def over(call: Callable[[int], Any]) -> Callable[[], Any]:
        indices = cycle(range(n))
        return lambda: call(next(indices))

    def library_calls(i: int) -> None:
        np.copyto(out, backgrounds[-i])
        cv2.copyTo(images[i], sectors[i], out)

    contestants = {
        "memcpy": over(lambda i: np.copyto(out, images[i])),
        "library calls": over(library_calls),
        "swap, bool sector": over(
            lambda i: sa.swap_background(images[i], bools[i], backgrounds[-i], out=out)
        ),
        "swap, 0/1 sector": over(
            lambda i: sa.swap_background(images[i], sectors[i], backgrounds[-i], out=out)
        ),
        "np.where": over(lambda i: np.where(where[i], images[i], backgrounds[-i])),
        "authors' indexing": over(lambda i: indexing(images[i], sectors[i], images[-i], sectors[-i])),
        "Compose + BackMix": over(lambda i: mix(image=images[i], mask=sectors[i])),
        "Compose + HorizontalFlip": over(lambda i: flip(image=images[i], mask=sectors[i])),
        "flip's two library calls": over(lambda i: (cv2.flip(images[i], 1), cv2.flip(sectors[i], 1))),
    }
    times = interleaved(contestants, rounds, seconds)
    swap = times["swap, bool sector"]
    return {
        "swap / memcpy, bool sector": spread(swap / times["memcpy"]),
        "swap / memcpy, 0/1 sector": spread(times["swap, 0/1 sector"] / times["memcpy"]),
        "swap / its two library calls, bool sector": spread(swap / times["library calls"]),
        "its two library calls / memcpy": spread(times["library calls"] / times["memcpy"]),
        "authors' indexing / swap": spread(times["authors' indexing"] / swap, 1),
        "np.where / swap": spread(times["np.where"] / swap, 1),
        "Compose+BackMix / Compose+HorizontalFlip": spread(
            times["Compose + BackMix"] / times["Compose + HorizontalFlip"]
        ),
        "floor of that: a flip's Compose with the swap's two library calls": spread(
            1
            + (times["library calls"] - times["flip's two library calls"]) / times["Compose + HorizontalFlip"]
        ),
    }


def bench_plugs(shape: tuple[int, int, int], rounds: int, seconds: float) -> dict[str, Any]:
    """The plugs for torchvision and MONAI beside their hosts' flips of image and mask, hot."""
    images, sectors = material(2, shape)
    pool = sa.BackgroundPool.from_arrays(images, sectors)
    image = torch.from_numpy(images[0].transpose(2, 0, 1).copy())
    sector = torch.from_numpy(sectors[0])
    sample = {"image": tv_tensors.Image(image), "mask": tv_tensors.Mask(sector)}
    entries = {"image": image, "mask": sector[None]}
    transforms = {
        "torchvision": (BackMix(pool), sample),
        "v2.RandomHorizontalFlip": (v2.RandomHorizontalFlip(p=1), sample),
        "MONAI": (BackMixd("image", pool, sector_key="mask"), entries),
        "RandFlipd": (RandFlipd(["image", "mask"], prob=1, spatial_axis=1), entries),
    }
    contestants = {name: lambda t=transform, x=given: t(x) for name, (transform, given) in transforms.items()}
    times = interleaved(contestants, rounds, seconds)
    return {
        "torchvision BackMix / v2.RandomHorizontalFlip": spread(
            times["torchvision"] / times["v2.RandomHorizontalFlip"]
        ),
        "MONAI BackMixd / RandFlipd": spread(times["MONAI"] / times["RandFlipd"]),
    }


class PNGs(Dataset):
    """Decodes an image, and gives it to a transform if there is one."""

    def __init__(self, paths: list[Path], sectors: np.ndarray, transform: Any) -> None:
        self.paths, self.sectors, self.transform = paths, sectors, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        image = cv2.imread(str(self.paths[index]), cv2.IMREAD_COLOR)
        if self.transform is None:
            return image
        return self.transform(image=image, mask=self.sectors[index])["image"]


def bench_decode(n: int, rounds: int) -> dict[str, Any]:
    """CPU time that Compose + BackMix adds to a DataLoader that decodes PNGs, as a share of the decode."""
    images, sectors = material(n, (224, 224, 3))
    pool = sa.BackgroundPool.from_arrays(images, sectors)

    def library_calls(image: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        out = pool.background(random.randrange(n)).copy()
        return {"image": cv2.copyTo(image, mask, out)}

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.png") for i in range(n)]
        for path, image in zip(paths, images, strict=True):
            cv2.imwrite(str(path), image)
        transforms = {"without": None, "with": A.Compose([sa.BackMix(pool)]), "floor": library_calls}
        loaders = {k: DataLoader(PNGs(paths, sectors, t), batch_size=32) for k, t in transforms.items()}
        times: dict[str, list[float]] = {name: [] for name in (*loaders, "decode")}
        for _ in range(rounds):
            for name, loader in loaders.items():
                start = time.process_time()
                for _ in loader:
                    pass
                times[name].append(time.process_time() - start)
            start = time.process_time()
            for path in paths:
                cv2.imread(str(path), cv2.IMREAD_COLOR)
            times["decode"].append(time.process_time() - start)
    taken = {name: np.array(values) for name, values in times.items()}
    added = {name: 100 * (taken[name] - taken["without"]) / taken["decode"] for name in ("with", "floor")}
    return {
        "added CPU time, % of the decode": spread(added["with"]),
        "floor of that: the swap's two library calls": spread(added["floor"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no numbers to quote"
    )
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json, such as cpu")
    arguments = parser.parse_args()
    rounds, seconds = (5, 0.003) if arguments.quick else (25, 0.03)

    result: dict[str, Any] = {}
    for memory in ("hot", "streaming"):
        for shape in SIZES:
            name = f"{'x'.join(map(str, shape))}, {memory}"
            result[name] = bench_size(shape, memory == "streaming", rounds, seconds)
            if memory == "hot":
                result[name] |= bench_plugs(shape, rounds, seconds)
            show(name, result[name])
    result["DataLoader, 224x224 PNG"] = bench_decode(
        32 if arguments.quick else 400, 2 if arguments.quick else 15
    )
    show("DataLoader", result["DataLoader, 224x224 PNG"])
    if arguments.write:
        print("\nwritten to", write(arguments.write, {"results": result}))
    if arguments.quick:
        guard("cpu", result, ("swap", "Compose+BackMix", "torchvision BackMix", "MONAI BackMixd"))


if __name__ == "__main__":
    main()
