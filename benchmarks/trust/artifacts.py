"""What the package makes from fixed seeds, a digest each: JSON on stdout, for determinism.py to compare.

python benchmarks/trust/artifacts.py [--device cuda] [NAME ...] [--loaders KIND ...]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from artifacts_trained import gradcam, loss, trained
from loaders import epochs
from made import (
    CLIPS,
    DRAWS,
    FRAMES,
    POOL,
    SECTORS,
    SIZE,
    batch,
    by_albumentations,
    by_monai,
    by_torchvision,
    digest,
    levels,
)

import sectoraug as sa


def swap_numpy(_: str) -> str:
    pairs = zip(FRAMES, SECTORS, range(1, 7), strict=True)
    return digest(*(sa.swap_background(image, s, POOL[k % 6][0]) for image, s, k in pairs))


def swap_torch(device: str) -> str:
    images, sectors = batch(device)
    new = []
    for dtype in (torch.uint8, torch.bfloat16, torch.float32):
        given = (images * 255).to(dtype)
        new += sa.swap_background_batch(given, sectors, given.flip(0), sectors.flip(0))
    return digest(*new)


def swap_gradient(device: str) -> str:
    images, sectors = batch(device)
    images.requires_grad_()
    sa.swap_background_batch(images, sectors, images.detach().flip(0), sectors.flip(0))[
        0
    ].square().sum().backward()
    return digest(images.grad)


def fill(name: str) -> Callable[[str], str]:
    def made(_: str) -> str:
        parts = []
        for images in (FRAMES, FRAMES.astype(np.float32) / 255):
            for image, sector in zip(images, SECTORS, strict=True):
                rng = np.random.default_rng(1)
                arguments = {"black": (image,), "noise": (image, rng), "shuffle": (image, sector, rng)}
                parts.append(getattr(sa.fills, name)(*arguments.get(name, (image, sector))))
        return digest(*parts)

    return made


def reshaped(_: str) -> str:
    torch.manual_seed(0)
    reshape = sa.ReshapeSector(p=1.0)
    outs = [reshape(image=i, mask=s.view(np.uint8)) for i, s in zip(FRAMES[:3], SECTORS, strict=False)]
    return digest(*(out[key] for out in outs for key in ("image", "mask")))


def pool_folder(size: tuple[int, int] | None, resize: str = "raise") -> Callable[[str], str]:
    def made(_: str) -> str:
        kinds = []
        for images in (FRAMES, FRAMES.astype(np.float32) / 255):
            pool = sa.BackgroundPool.from_arrays(images, SECTORS, size=size or SIZE, resize=resize)
            with tempfile.TemporaryDirectory() as folder:
                pool.save(Path(folder) / "pool", progress=False)
                kinds += [path.read_bytes() for path in sorted(Path(folder, "pool").iterdir())]
        return digest(*kinds)

    return made


def pool_draws(_: str) -> str:
    rng, pool = np.random.default_rng(0), levels()
    return digest([pool.draw(rng) for _ in range(DRAWS)], [pool.draw(rng, 3) for _ in range(DRAWS)])


def subset(_: str) -> str:
    pool = levels()
    return digest([int(pool.subset(share, seed)[0][0][0, 0]) for share in (0.1, 0.5) for seed in range(20)])


def donors(plug: Callable[[], Callable[[], int]]) -> Callable[[str], str]:
    def made(_: str) -> str:
        torch.manual_seed(int(os.environ.get("SECTORAUG_SEED", 0)))
        draw = plug()
        return digest([draw() for _ in range(DRAWS)])

    return made


def by_kornia(with_pool: bool) -> Callable[[str], str]:
    def made(device: str) -> str:
        images, sectors = batch(device)
        torch.manual_seed(int(os.environ.get("SECTORAUG_SEED", 0)))
        pool = POOL.to(device, torch.float32, progress=False) if with_pool else None
        op = sa.RandomBackMix(p=0.7, pool=pool)
        new = [op(images, sectors) for _ in range(8)]
        return digest(op._params["donor_index"], op.mixed, *new)

    return made


def phantom(_: str) -> str:
    data = sa.phantom.make_dataset(12, shortcut=0.95, outline_shortcut=0.5, size=SIZE)
    return digest(*(clip.frames for clip in CLIPS), data.images, data.sectors, data.labels)


def found_in_clips(_: str) -> str:
    return digest(*(sa.sector_from_clip(clip.frames).sector for clip in CLIPS))


def found_in_images(_: str) -> str:
    parts: list[Any] = []
    for frame in FRAMES:
        try:
            parts.append(sa.sector_from_image(frame).sector)
        except sa.SectorNotFound as error:
            parts.append(str(error))
    return digest(*parts)


def planted(_: str) -> str:
    data = sa.phantom.make_dataset(40, size=SIZE, seed=1)
    made = sa.plant_shortcut(data.images, data.sectors, data.labels, POOL, strength=0.95)
    return digest(made.images, made.donors, made.styles, made.tie)


def audited(_: str) -> str:
    data = sa.phantom.make_dataset(60, shortcut=0.95, size=SIZE)
    report = sa.audit(
        data.images, data.sectors, data.labels, data.patients, n_permutations=19, progress=False
    )
    return digest(json.dumps(report.to_dict(), sort_keys=True, default=str))


def clustering(_: str) -> str:
    features = np.random.default_rng(0).normal(size=(200, 16))
    runs = {"a": features[:6, 0].tolist(), "b": features[6:12, 0].tolist()}
    return digest(sa.clustering_scores(features), str(sa.compare_runs(runs)))


@cache
def by_command() -> tuple[str, str]:
    """Masks of six clips, and their manifest; with as many workers as SECTORAUG_WORKERS says."""
    workers = os.environ.get("SECTORAUG_WORKERS", "1")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "clips").mkdir()
        for k, clip in enumerate(CLIPS):
            np.savez(place / "clips" / f"clip{k}.npz", frames=clip.frames)
        words = ("masks", place / "clips", "--out", place / "out", "--workers", workers)
        command = [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)]
        subprocess.run(command, check=True, capture_output=True)
        lines = [json.loads(line) for line in (place / "out" / "manifest.jsonl").read_text().splitlines()]
        lines = [{key: line[key] for key in line if key not in ("path", "visit")} for line in lines]
        lines.sort(key=lambda line: line["source"])
        files = sorted((place / "out" / "masks").rglob("*.png"))
        return digest(*(p.read_bytes() for p in files)), digest(json.dumps(lines, sort_keys=True))


ARTIFACTS: dict[str, Callable[[str], str]] = {
    "swap, NumPy": swap_numpy,
    "swap, tensors": swap_torch,
    "gradient of the swap": swap_gradient,
    **{f"fill: {name}": fill(name) for name in ("black", "noise", "shuffle", "dim", "blur")},
    "`ReshapeSector`": reshaped,
    "pool's folder, size kept": pool_folder(None),
    "pool's folder, stretched": pool_folder((40, 48), "stretch"),
    "pool's folder, padded": pool_folder((100, 90), "pad"),
    "`pool.draw`": pool_draws,
    "`pool.subset`": subset,
    "donors: albumentations": donors(by_albumentations),
    "donors: torchvision": donors(by_torchvision),
    "donors: MONAI": donors(by_monai),
    "donors: kornia, a pool": by_kornia(True),
    "donors: kornia, the batch": by_kornia(False),
    "phantom": phantom,
    "sectors found in clips": found_in_clips,
    "sectors found in stills": found_in_images,
    "`plant_shortcut`": planted,
    "audit's scores": audited,
    "GradCAM, %E, %F": gradcam,
    "`WeightedBackMixLoss`": loss,
    "a training's steps": trained,
    "clustering, comparison of runs": clustering,
    "masks by the command": lambda _: by_command()[0],
    "their manifest, outlines as numbers": lambda _: by_command()[1],
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--loaders", nargs="*", default=[], help="kinds of loaders.py")
    options = parser.parse_args()
    drawn = {kind: epochs(kind) for kind in options.loaders}  # workers are forked: before there are threads
    torch.set_num_threads(int(os.environ.get("SECTORAUG_THREADS", 1)))
    cv2.setNumThreads(int(os.environ.get("SECTORAUG_THREADS", 1)))
    made = {name: ARTIFACTS[name](options.device) for name in options.names or ARTIFACTS}
    print(json.dumps(made | {"loaders": drawn, "processor": torch.backends.cpu.get_cpu_capability()}))
