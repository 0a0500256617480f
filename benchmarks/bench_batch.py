"""The batch op beside kornia's and torchvision's mixing ops, torch.where and a copy.

python benchmarks/bench_batch.py [--device cuda] [--quick] [--write]
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import kornia.augmentation as K
import numpy as np
import torch
from timing import guard, interleaved, show, spread, write
from torch import Tensor
from torchvision.transforms import v2

import sectoraug as sa

cv2.setNumThreads(1)
torch.set_num_threads(1)

SHAPES = [(1, 112, 112), (3, 224, 224)]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "uint8": torch.uint8}
N_DONORS = 1024


def material(n: int, shape: tuple[int, int, int], dtype: torch.dtype, device: str) -> tuple[Tensor, Tensor]:
    """Random images, and triangular sectors of several widths that fill 40-45% of them."""
    _, height, width = shape
    images = torch.rand((n, *shape), device=device).mul_(255).to(dtype)
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    opening = 0.45 + 0.005 * (torch.arange(n, device=device) % 9)[:, None, None]
    sectors = (y > 4) & (y < height - 9) & ((x - width // 2).abs() < opening * y)
    return images, sectors


def contestants(n: int, shape: tuple[int, int, int], dtype: torch.dtype, device: str) -> dict[str, Any]:
    images, sectors = material(n, shape, dtype, device)
    donors, donor_sectors = material(N_DONORS, shape, dtype, device)
    donors[donor_sectors[:, None].expand_as(donors)] = 0
    pool = sa.DevicePool(donors)
    index = torch.randint(N_DONORS, (n,), device=device)
    shifted = torch.arange(n, device=device).roll(1)
    out, gathered, inside = torch.empty_like(images), donors[index], sectors[:, None]
    labels = torch.randint(10, (n,), device=device)
    in_batch, from_pool = sa.RandomBackMix(), sa.RandomBackMix(pool=pool)

    def where(images: Tensor, inside: Tensor, donors: Tensor, index: Tensor) -> Tensor:
        return torch.where(inside, images, donors[index])

    all_of_them: dict[str, Callable[[], Any]] = {
        "copy_": lambda: out.copy_(images),
        "swap, pool, out=": lambda: sa.swap_background_batch(
            images, sectors, donors, donor_index=index, out=out
        ),
        "swap, pool": lambda: sa.swap_background_batch(images, sectors, donors, donor_index=index),
        "swap, in batch, out=": lambda: sa.swap_background_batch(
            images, sectors, images, sectors, donor_index=shifted, out=out
        ),
        "RandomBackMix, pool": lambda: from_pool(images, sectors),
        "RandomBackMix, in batch": lambda: in_batch(images, sectors),
        "torch.where(out=), donors gathered before": lambda: torch.where(inside, images, gathered, out=out),
        "torch.where and gather": lambda: where(images, inside, donors, index),
    }
    if device == "cuda" or shutil.which("g++"):
        compiled = torch.compile(where, fullgraph=True)
        try:
            compiled(images, inside, donors, index)
        except Exception as error:  # such as code in torch's cache that was made for other instructions
            print(f"torch.compile fails here ({type(error).__name__}): its row is left out")
        else:
            all_of_them["compiled torch.where and gather"] = lambda: compiled(images, inside, donors, index)
    cut_mix = v2.CutMix(num_classes=10)
    all_of_them["torchvision v2.CutMix"] = lambda: cut_mix(images, labels)
    if dtype.is_floating_point:
        transplant, kornia_cut = K.RandomTransplantation(p=1.0).to(device), K.RandomCutMixV2(p=1.0).to(device)
        masks = sectors.to(dtype)
        all_of_them["kornia RandomTransplantation"] = lambda: transplant(images, masks)
        all_of_them["kornia RandomCutMixV2"] = lambda: kornia_cut(images, labels)
    return all_of_them


def bench(
    n: int, shape: tuple[int, int, int], dtype: torch.dtype, device: str, rounds: int, seconds: float
) -> dict[str, Any]:
    """Each contestant's time over a copy's; on a GPU also images/s and the share of the copy's bandwidth."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    times = interleaved(contestants(n, shape, dtype, device), rounds, seconds, wait)
    copy = times["copy_"]
    rows = {f"{name} / copy_": spread(taken / copy) for name, taken in times.items() if name != "copy_"}
    if device == "cuda":
        pixels = n * int(np.prod(shape)) * dtype.itemsize
        planes = n * shape[1] * shape[2]
        least = {"swap, pool, out=": 2 * pixels + planes, "swap, in batch, out=": 2 * pixels + 2 * planes}
        for name, n_bytes in least.items():
            rows[f"{name}: % of the copy's bandwidth"] = spread(
                100 * (n_bytes / times[name]) / (2 * pixels / copy), 1
            )
        rows |= {f"{name}: images/s": spread(n / taken, 0) for name, taken in times.items()}
    return rows


def bench_host(device: str, calls: int) -> dict[str, Any]:
    """Microseconds that a call keeps the host busy while the GPU does the work, and kernels a call."""
    images, sectors = material(16, SHAPES[0], torch.float32, device)
    index = torch.arange(16, device=device).roll(1)

    def swap() -> None:
        sa.swap_background_batch(images, sectors, images, sectors, donor_index=index)

    op, rows = sa.RandomBackMix(), {}
    for name, call in {"swap": swap, "RandomBackMix": lambda: op(images, sectors)}.items():
        taken = []
        for _ in range(20):
            call()
            torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(calls):
                call()
            taken.append((time.perf_counter() - start) / calls * 1e6)
            torch.cuda.synchronize()
        rows[f"{name}: host microseconds"] = spread(np.array(taken), 1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        swap()
        torch.cuda.synchronize()
    n_kernels = sum(event.device_type == torch.autograd.DeviceType.CUDA for event in profile.events())
    rows["swap: kernels"] = spread(np.array([n_kernels]), 0)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no numbers to quote"
    )
    parser.add_argument("--write", action="store_true", help="keep the result in results/batch_DEVICE.json")
    arguments = parser.parse_args()
    rounds, seconds = (3, 0.002) if arguments.quick else (15, 0.03)
    on_gpu = arguments.device == "cuda"
    sizes = (16,) if arguments.quick else (16, 64, 256, 1024) if on_gpu else (16, 64, 256)
    result: dict[str, Any] = {}
    for dtype_name, dtype in DTYPES.items():
        for shape in SHAPES:
            for n in sizes:
                name = f"{n}x{'x'.join(map(str, shape))} {dtype_name}"
                torch._dynamo.reset()
                result[name] = bench(n, shape, dtype, arguments.device, rounds, seconds)
                show(name, result[name])
    if on_gpu:
        result["host"] = bench_host(arguments.device, 10 if arguments.quick else 200)
        show("host", result["host"])
    if arguments.write:
        print("\nwritten to", write(f"batch_{arguments.device}", {"results": result}, arguments.device))
    if arguments.quick:
        ratios = {
            size: {k: v for k, v in rows.items() if k.endswith(" / copy_")} for size, rows in result.items()
        }
        guard(f"batch_{arguments.device}", ratios, ("swap", "RandomBackMix"))


if __name__ == "__main__":
    main()
