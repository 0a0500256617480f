"""A whole training step of ResNet18 with and without RandomBackMix.

python benchmarks/bench_step.py [--device cuda] [--quick] [--write]
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch
from bench_batch import N_DONORS, material
from timing import interleaved, show, spread, write
from torchvision.models import resnet18

import sectoraug as sa

cv2.setNumThreads(1)
torch.set_num_threads(1)


def bench(n: int, shape: tuple[int, int, int], device: str, rounds: int) -> dict[str, Any]:
    """Per cent that the op adds to a step; bfloat16 and channels last on a GPU, float32 on a CPU."""
    gpu = device == "cuda"
    dtype = torch.bfloat16 if gpu else torch.float32
    model = resnet18(num_classes=4)
    model.conv1 = torch.nn.Conv2d(shape[0], 64, 7, stride=2, padding=3, bias=False)
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=gpu)
    images, sectors = material(n, shape, dtype, device)
    donors, donor_sectors = material(N_DONORS, shape, dtype, device)
    donors[donor_sectors[:, None].expand_as(donors)] = 0
    labels = torch.randint(4, (n,), device=device)
    ops = {
        "in batch": sa.RandomBackMix(),
        "pool": sa.RandomBackMix(pool=sa.DevicePool(donors)),
        "without": lambda images, _: images,
    }

    def step(op: Any) -> None:
        mixed = op(images, sectors).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device, torch.bfloat16, enabled=gpu):
            loss = torch.nn.functional.cross_entropy(model(mixed / 255), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    wait = torch.cuda.synchronize if gpu else lambda: None
    times = interleaved({name: lambda op=op: step(op) for name, op in ops.items()}, rounds, 0.2, wait)
    return {
        f"RandomBackMix, {name}: % of a step": spread(100 * (times[name] / times["without"] - 1))
        for name in ("in batch", "pool")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; no numbers to quote"
    )
    parser.add_argument("--write", action="store_true", help="keep the result in results/step_DEVICE.json")
    arguments = parser.parse_args()
    sizes = (
        [(64, (1, 112, 112)), (256, (3, 224, 224))] if arguments.device == "cuda" else [(16, (1, 112, 112))]
    )
    result = {}
    for n, shape in sizes:
        name = f"ResNet18, {n}x{'x'.join(map(str, shape))}"
        result[name] = bench(n, shape, arguments.device, 2 if arguments.quick else 15)
        show(name, result[name])
    if arguments.write:
        print("\nwritten to", write(f"step_{arguments.device}", {"results": result}, arguments.device))


if __name__ == "__main__":
    main()
