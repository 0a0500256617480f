"""Train a view classifier with and without BackMix, and see where it looks.

    python examples/train_resnet18.py                  # phantom, a quarter as wide, 3 runs, 10 epochs
    python examples/train_resnet18.py --full           # as wide as the paper's, 4 runs of 3 seeds, 8 epochs
    python examples/train_resnet18.py --data folder --root DATA       # the BackMix authors' layout
    python examples/train_resnet18.py --data tmed2 --root TMED2 --sectors SECTORS
    python examples/train_resnet18.py --augment gpu             # whole batches, by kornia, on the device
    torchrun --nproc-per-node N examples/train_resnet18.py      # N processes: NCCL on GPUs, gloo on CPUs

A run is METHOD or METHOD@FRACTION: baseline, backmix, wbackmix, black, noise, shuffle, dim or blur, with
sectors for that fraction of the training images. Each run is judged at its epoch of best validation accuracy,
or after one cycle of the learning rate at its last.
Stop it at any time: the same command goes on after the last finished epoch and ends with the same table.

It writes table.md, results.json, swaps.png, heatmaps.png and curves.png into --out.

Layouts of real data (grey, 8-bit):
    folder  ROOT/{train,val,test}/NNNN_LABEL.npy, sectors as ROOT/masking2/{train,val,test}/NNNN_LABEL.npy;
            an unseen hospital, if there is one, as ROOT/ood/ and ROOT/masking2/ood/
    tmed2   ROOT/DEV479/TMED2_fold0_labeledpart.csv (query_key, SourceFolder, view_label,
            view_classifier_split), its PNGs under ROOT/SourceFolder; sectors as SECTORS/query_key
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import kornia.augmentation as K
import torch
import torch.distributed as dist
from frames import BareFrames, Frames, reseed, standardised
from judging import evaluate, judge_epoch
from ranks import rank_and_world, start_ranks, wait_for_all
from resnet18 import ResNet18
from splits import CLASSES, Split, few_sectors, load_folder, load_phantom, load_tmed2, pool_of
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from tqdm import tqdm
from train_arguments import FILLS, Run, parse, parse_run, settings_of
from train_report import draw_curves, draw_heatmaps, draw_swaps, table
from whole_files import write_whole

import sectoraug as sa


def mixes(run: Run) -> bool:
    return run.method in ("backmix", "wbackmix")


def training_transform(run: Run, train: Split) -> A.Compose:
    """Augments one image at a time, in the DataLoader's workers."""
    steps: list[Any] = [A.Rotate((-30, 30)), A.RandomBrightnessContrast(), A.HorizontalFlip()]
    if mixes(run):
        steps.append(sa.BackMix(pool_of(train), missing="skip"))
    elif run.method in FILLS:
        steps.append(FILLS[run.method](missing="skip"))
    return A.Compose(steps)


class BatchTransform(nn.Module):
    """The same for whole batches, on the model's device; the pool lies there, too."""

    def __init__(self, run: Run, train: Split, device: torch.device) -> None:
        super().__init__()
        steps: list[nn.Module] = [
            K.RandomRotation(30.0),
            K.RandomBrightness((0.8, 1.2)),
            K.RandomContrast((0.8, 1.2)),
            K.RandomHorizontalFlip(),
        ]
        self.mix = None
        if mixes(run):
            pool = pool_of(train).to(device, progress=False)
            self.mix = sa.RandomBackMix(pool=pool, donor_values=torch.arange(256) / 255)
            steps.append(self.mix)
        self.steps = K.AugmentationSequential(*steps, data_keys=["input", "mask"])

    def forward(self, images: torch.Tensor, sectors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        augmented, _ = self.steps(images.float() / 255, sectors)
        mixed = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        return standardised(augmented), mixed if self.mix is None else self.mix.mixed


def model_of(arguments: argparse.Namespace) -> ResNet18:
    return ResNet18(len(CLASSES), arguments.stem, arguments.width)


def training_batches(
    run: Run, data: Split, arguments: argparse.Namespace, device: torch.device
) -> tuple[int, Callable[[int], Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]]]:
    """How many batches an epoch has, and what yields those of one: images, labels and who was mixed."""
    rank, n_ranks = rank_and_world()
    transform = BatchTransform(run, data, device).to(device) if arguments.augment == "gpu" else None
    dataset = BareFrames(data) if transform else Frames(data, training_transform(run, data))
    sampler = DistributedSampler(dataset, seed=run.seed, drop_last=True) if n_ranks > 1 else None
    loader = DataLoader(
        dataset,
        64 // n_ranks,
        shuffle=sampler is None,
        sampler=sampler,
        drop_last=True,
        num_workers=arguments.workers,
        worker_init_fn=None if transform else reseed,
        pin_memory=device.type == "cuda",
    )

    def batches_of(epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        # All randomness of an epoch starts here, so that a resumed run goes on as it would have.
        seed = 1000 * run.seed + epoch + 1 + 10**6 * rank
        torch.manual_seed(seed)
        if sampler is not None:
            sampler.set_epoch(epoch)
        if isinstance(dataset, Frames):
            dataset.transform.set_random_seed(seed)
        label = f"{run.name} seed {run.seed} epoch {epoch + 1}"
        for images, labels, extra in tqdm(loader, desc=label, leave=False, disable=rank > 0):
            images, labels, extra = (value.to(device, non_blocking=True) for value in (images, labels, extra))
            if transform is not None:
                images, extra = transform(images, extra)
            yield images.contiguous(memory_format=torch.channels_last), labels, extra

    return len(loader), batches_of


def train(
    run: Run, splits: dict[str, Split], arguments: argparse.Namespace, device: torch.device
) -> dict[str, Any]:
    """Train one run, or finish it; return the checkpoint, with the best model's weights and the curves.

    Under torchrun each rank takes its share of every batch, and rank 0 judges and saves.
    """
    rank, n_ranks = rank_and_world()
    data = few_sectors(splits["train"], run.fraction, run.seed)
    n_batches, batches_of = training_batches(run, data, arguments, device)
    lam = arguments.lam if run.method == "wbackmix" else 0.0
    loss_of = sa.WeightedBackMixLoss(lam=lam, fraction=run.fraction)

    torch.manual_seed(run.seed)
    model = model_of(arguments).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.lr)
    n_steps = arguments.epochs * n_batches
    schedule = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1),
        "one-cycle": lambda: torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.lr, n_steps),
    }[arguments.schedule]()
    state: dict[str, Any] = {"epoch": 0, "best": -1.0, "best_model": {}, "losses": [], "accuracies": []}
    path = arguments.out / "runs" / f"{run.file}.pt"
    if path.exists():
        saved = torch.load(path, map_location=device, weights_only=True)
        model.load_state_dict(saved.pop("model"))
        optimizer.load_state_dict(saved.pop("optimizer"))
        schedule.load_state_dict(saved.pop("schedule"))
        state = saved
    trained = DistributedDataParallel(model) if n_ranks > 1 else model

    for epoch in range(state["epoch"], arguments.epochs):
        model.train()
        losses = []
        for images, labels, mixed in batches_of(epoch):
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                loss = loss_of(trained(images), labels, mixed)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        if rank == 0:
            judge_epoch(state, losses, model, splits["val"], device, arguments.schedule == "one-cycle")
            parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
            whole = state | {name: part.state_dict() for name, part in parts.items()}
            write_whole(path, lambda part, whole=whole: torch.save(whole, part))
        wait_for_all()
    return state


def main() -> None:
    arguments = parse(__doc__)
    runs = [parse_run(text, seed, arguments.fraction) for text in arguments.runs for seed in arguments.seeds]
    if arguments.augment == "gpu" and any(run.method in FILLS for run in runs):
        raise SystemExit(f"--augment gpu has no {', '.join(FILLS)}; use --augment cpu for these runs.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    device = start_ranks()
    rank, n_ranks = rank_and_world()
    settings = settings_of(arguments)
    load = {"phantom": load_phantom, "folder": load_folder, "tmed2": load_tmed2}[arguments.data]
    splits = load(arguments)
    tests = [name for name in splits if name not in ("train", "val")]
    if rank == 0:
        sizes = ", ".join(f"{name} {len(split.labels)}" for name, split in splits.items())
        ranks = f" x {n_ranks}" if n_ranks > 1 else ""
        shape = f"{arguments.size}x{arguments.size}"
        print(f"{device.type}{ranks}, {shape}, {arguments.epochs} epochs; images: {sizes}")
        draw_swaps(splits["train"], pool_of(splits["train"]), arguments.out / "swaps.png")

    states = [train(run, splits, arguments, device) for run in tqdm(runs, desc="runs", disable=rank > 0)]
    if dist.is_initialized():
        dist.destroy_process_group()
    if rank > 0:
        return

    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    models: dict[str, nn.Module] = {}
    curves: dict[str, dict[str, list[float]]] = {}
    for run, state in zip(runs, tqdm(states, desc="maps"), strict=True):
        model = model_of(arguments).to(device)
        model.load_state_dict(state["best_model"])
        for test in tests:
            row = evaluate(model, splits[test], arguments.layer, device)
            results.setdefault(run.name, {}).setdefault(test, []).append(row)
        models.setdefault(run.name, model)
        curves.setdefault(run.name, {key: state[key] for key in ("losses", "accuracies")})

    summary = table(results, arguments)
    (arguments.out / "table.md").write_text(summary + "\n")
    (arguments.out / "results.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=1) + "\n"
    )
    unseen = tests[min(1, len(tests) - 1)]
    draw_heatmaps(models, splits[unseen], arguments.layer, device, arguments.out / "heatmaps.png")
    draw_curves(curves, arguments.out / "curves.png")
    print(f"\n{summary}\n\ntable, numbers and pictures are in {arguments.out}")


if __name__ == "__main__":
    os.umask(0o077)  # the pictures show what was burned in
    main()
