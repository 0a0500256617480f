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
import csv
import json
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A
import cv2
import kornia.augmentation as K
import matplotlib
import numpy as np
import torch
import torch.distributed as dist
from resnet18 import STEMS, ResNet18
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler, get_worker_info
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)
from tqdm import tqdm

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

CLASSES = ("PLAX", "PSAX", "A2C", "A4C")
FILLS = {
    "black": sa.BlackBackground,
    "noise": sa.NoiseBackground,
    "shuffle": sa.ShuffleBackground,
    "dim": sa.DimBackground,
    "blur": sa.BlurBackground,
}
METHODS = ("baseline", "backmix", "wbackmix", *FILLS)
COLUMNS = ("accuracy", "precision", "recall", "f1", "energy", "focus", "coverage")


# -- data -----------------------------------------------------------------------------------------


@dataclass
class Split:
    images: np.ndarray
    """(N, H, W) uint8"""
    sectors: np.ndarray
    """(N, H, W) uint8, nonzero inside; all zero where there is none"""
    labels: np.ndarray
    """(N,) int64, an index into CLASSES"""


def load_phantom(arguments: argparse.Namespace) -> dict[str, Split]:
    """Overlays tell the label in training, validation and i.d. test, but not o.o.d., nor at other sites.

    The other sites also have vendors, openings and scanner settings that training never saw.
    """
    n, size = arguments.images, (arguments.size, arguments.size)
    wanted = {
        "train": (n, arguments.shortcut, "train"),
        "val": (n // 4, arguments.shortcut, "train"),
        "i.d.": (n // 4, arguments.shortcut, "train"),
        "o.o.d.": (n // 4, 0.0, "train"),
        "other sites": (n // 4, 0.0, "shifted"),
    }
    splits = {}
    for seed, (name, (count, shortcut, domain)) in enumerate(tqdm(wanted.items(), desc="phantom")):
        data = sa.phantom.make_dataset(count, shortcut=shortcut, seed=seed, size=size, domain=domain)
        splits[name] = Split(data.images, data.sectors.astype(np.uint8), data.labels)
    return splits


def load_folder(arguments: argparse.Namespace) -> dict[str, Split]:
    folders = {"train": "train", "val": "val", "i.d.": "test", "o.o.d.": "ood"}
    splits = {}
    for name, folder in folders.items():
        paths = sorted((arguments.root / folder).glob("*_*.npy"))
        if not paths and name == "o.o.d.":
            continue
        items = [
            (path, path.stem.rsplit("_", 1)[1], arguments.root / "masking2" / folder / path.name)
            for path in paths
        ]
        splits[name] = read_split(items, arguments.size, f"{arguments.root / folder}/NNNN_LABEL.npy")
    return splits


def load_tmed2(arguments: argparse.Namespace) -> dict[str, Split]:
    if arguments.sectors is None:
        raise SystemExit(
            "--data tmed2 needs --sectors FOLDER, with a PNG named as each image that has a sector."
        )
    table = arguments.root / "DEV479" / "TMED2_fold0_labeledpart.csv"
    with open(table, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["view_label"] in CLASSES]
    splits = {}
    for name, split in {"train": "train", "val": "val", "i.d.": "test"}.items():
        items = [
            (
                arguments.root / r["SourceFolder"] / r["query_key"],
                r["view_label"],
                arguments.sectors / r["query_key"],
            )
            for r in rows
            if r["view_classifier_split"] == split
        ]
        splits[name] = read_split(items, arguments.size, str(table))
    return splits


def read_split(items: list[tuple[Path, str, Path]], size: int, where: str) -> Split:
    if not items:
        raise SystemExit(f"no image was found as {where}; see the layouts in this file's head.")
    images, sectors = np.zeros((2, len(items), size, size), np.uint8)
    for i, (image, _, sector) in enumerate(tqdm(items, desc=where)):
        images[i] = cv2.resize(read_grey(image), (size, size), interpolation=cv2.INTER_AREA)
        if sector.exists():
            inside = (read_grey(sector) > 0).astype(np.uint8)
            sectors[i] = cv2.resize(inside, (size, size), interpolation=cv2.INTER_NEAREST)
    return Split(images, sectors, np.array([CLASSES.index(label) for _, label, _ in items]))


def read_grey(path: Path) -> np.ndarray:
    pixels = (
        np.load(path, allow_pickle=False)
        if path.suffix == ".npy"
        else cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    )
    if pixels is None:
        raise SystemExit(f"{path} could not be decoded; replace it.")
    return pixels.astype(np.uint8)


class Frames(Dataset):
    """(image (1, H, W) float32 of mean 0 and deviation 1, label, whether its background was replaced)."""

    def __init__(self, split: Split, transform: A.Compose | None) -> None:
        self.split, self.transform = split, transform

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, bool]:
        out = {"image": self.split.images[index], "backmixed": False}
        if self.transform is not None:
            out = self.transform(**out, mask=self.split.sectors[index])
        return standardised(as_planes(out["image"])), int(self.split.labels[index]), out["backmixed"]


class BareFrames(Dataset):
    """(image (1, H, W) uint8, label, sector (1, H, W) uint8), for what augments whole batches."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, torch.Tensor]:
        image, sector = self.split.images[index], self.split.sectors[index]
        return as_planes(image), int(self.split.labels[index]), as_planes(sector)


def as_planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image))[None]


def standardised(images: torch.Tensor) -> torch.Tensor:
    """Each image of (..., 1, H, W) with mean 0 and deviation 1."""
    images = images.float()
    mean = images.mean((-3, -2, -1), keepdim=True)
    return (images - mean) / (images.std((-3, -2, -1), keepdim=True) + 1e-6)


def reseed(worker_id: int) -> None:
    """albumentations 2.0.8 would rotate and flip alike in every worker."""
    worker = get_worker_info()
    worker.dataset.transform.set_random_seed(worker.seed % 2**32)


# -- one run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    method: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        sectors = "" if self.method == "baseline" else f" f={self.fraction:g}"
        return f"{self.method}{sectors}"

    @property
    def file(self) -> str:
        return f"{self.method}-f{self.fraction:g}-seed{self.seed}"


def few_sectors(split: Split, fraction: float, seed: int, sample: int = 0) -> Split:
    """Keep the sectors of a random share of the images; samples 0, 1, ... of one seed do not overlap."""
    n = max(2, round(fraction * len(split.labels)))
    kept = np.random.default_rng(seed).permutation(len(split.labels))[sample * n : (sample + 1) * n]
    sectors = np.zeros_like(split.sectors)
    sectors[kept] = split.sectors[kept]
    return Split(split.images, sectors, split.labels)


def pool_of(split: Split) -> sa.BackgroundPool:
    """The backgrounds of all images that have a sector."""
    inside = split.sectors.any(axis=(1, 2))
    return sa.BackgroundPool.from_arrays(split.images[inside], split.sectors[inside], skip_invalid=True)


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


def judge_epoch(
    state: dict[str, Any],
    losses: list[torch.Tensor],
    model: nn.Module,
    validation: Split,
    device: torch.device,
    keep_last: bool = False,
) -> None:
    """Add an epoch's mean loss and validation accuracy to the curves; keep the best or the last weights."""
    accuracy = float((predictions(model, validation, device) == validation.labels).mean())
    state["losses"].append(float(torch.stack(losses).mean()))
    state["accuracies"].append(accuracy)
    if keep_last or accuracy > state["best"]:
        state["best"] = accuracy
        state["best_model"] = {key: value.clone() for key, value in model.state_dict().items()}
    state["epoch"] += 1


def rank_and_world() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def wait_for_all() -> None:
    if dist.is_initialized():
        dist.barrier()


def start_ranks() -> torch.device:
    """Join torchrun's other processes, if there are any, and name this one's device."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return device


def write_whole(path: Path, write: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    write(part)
    part.replace(path)


@torch.no_grad()
def predictions(model: nn.Module, split: Split, device: torch.device) -> np.ndarray:
    model.eval()
    guesses = [
        model(images.to(device)).argmax(1).cpu() for images, _, _ in DataLoader(Frames(split, None), 128)
    ]
    return torch.cat(guesses).numpy()


# -- evidence -------------------------------------------------------------------------------------


def batches(split: Split) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    loader = DataLoader(Frames(split, None), 64)
    for start, (images, labels, _) in zip(range(0, len(split.labels), 64), loader, strict=True):
        yield images, labels, torch.from_numpy(split.sectors[start : start + 64])


def evaluate(
    model: nn.Module, split: Split, layer: str, device: torch.device, n: int = len(CLASSES)
) -> dict[str, float]:
    """All of COLUMNS in percent, how many images had a dead CAM, and the CAM's grid; for n classes."""
    alone = {"sync_on_compute": False}  # one rank judges
    scores = MetricCollection(
        {
            "accuracy": MulticlassAccuracy(n, average="micro", **alone),
            "precision": MulticlassPrecision(n, **alone),
            "recall": MulticlassRecall(n, **alone),
            "f1": MulticlassF1Score(n, **alone),
        }
    )
    focus = sa.Focus(**alone)
    model.eval()
    with sa.GradCAM(model, layer) as gradcam:
        for images, labels, sectors in batches(split):
            cam = gradcam(images.to(device))
            scores.update(gradcam.scores.argmax(1).cpu(), labels)
            known = (sectors != 0).flatten(1).any(1)
            if known.any():
                focus.update(cam.cpu()[known], sectors[known])
        grid = gradcam.grid
    seen = {key: float(value) for key, value in focus.compute().items()}
    return {
        **{key: 100 * float(value) for key, value in scores.compute().items()},
        "energy": seen["energy_percent"],
        "focus": seen["focus_percent"],
        "coverage": seen["coverage_percent"],
        "n_empty": seen["n_empty"],
        "grid": "x".join(map(str, grid)),
    }


def table(results: dict[str, dict[str, list[dict[str, float]]]], arguments: argparse.Namespace) -> str:
    """Markdown: a row a run and test set, mean and standard deviation over the seeds."""
    lines = [
        "| run | test | accuracy | precision | recall | F1 | %E | %F | coverage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, tests in results.items():
        for test, rows in tests.items():
            cells = []
            for column in COLUMNS:
                values = [row[column] for row in rows]
                deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.mean(values):.1f}{deviation}")
            lines.append(f"| {name} | {test} | {' | '.join(cells)} |")
    first = next(iter(next(iter(results.values())).values()))[0]
    empty = sum(int(row["n_empty"]) for tests in results.values() for rows in tests.values() for row in rows)
    lines.append(
        f"\nPercent; {len(arguments.seeds)} seed(s), mean ± standard deviation. %E and %F: GradCAM of the "
        f"predicted class at {arguments.layer}, a {first['grid']} grid; {empty} dead maps left out. "
        "A uniform map scores the coverage."
    )
    return "\n".join(lines)


# -- pictures -------------------------------------------------------------------------------------


def draw_swaps(train_split: Split, path: Path) -> None:
    transform = A.Compose([sa.BackMix(pool_of(train_split), missing="skip")], seed=0)
    figure, axes = plt.subplots(2, 8, figsize=(13, 3.6), layout="constrained")
    for i, (top, bottom) in enumerate(axes.T):
        top.imshow(train_split.images[i], cmap="gray", vmin=0, vmax=255)
        out = transform(image=train_split.images[i], mask=train_split.sectors[i])
        bottom.imshow(out["image"], cmap="gray", vmin=0, vmax=255)
        top.set_title(CLASSES[train_split.labels[i]], fontsize=9)
        top.axis("off")
        bottom.axis("off")
    figure.suptitle("training images, and the same with backgrounds of others", fontsize=10)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_heatmaps(
    models: dict[str, nn.Module], split: Split, layer: str, device: torch.device, path: Path
) -> None:
    """Images of one test set, those that most models get wrong first, and where each model looks."""
    wrong = np.zeros(len(split.labels))
    for model in models.values():
        wrong += predictions(model, split, device) != split.labels
    chosen = np.argsort(-wrong, kind="stable")[:8]
    n, size = len(chosen), (1.6 * len(chosen), 1.75 * len(models))
    figure, axes = plt.subplots(len(models), n, figsize=size, squeeze=False, layout="constrained")
    for line, (name, model) in zip(axes, models.items(), strict=True):
        draw_heatmap_row(line, name, model, layer, split, chosen, CLASSES, device)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_heatmap_row(
    axes: Any,
    name: str,
    model: nn.Module,
    layer: str,
    split: Split,
    chosen: Any,
    classes: Sequence[str],
    device: torch.device,
) -> None:
    """One model's GradCAM maps of the chosen images, with sectors, and what it takes them for."""
    images = standardised(torch.from_numpy(np.array(split.images[chosen]))[:, None]).to(device)
    with sa.GradCAM(model.eval(), layer) as gradcam:
        maps = np.nan_to_num(gradcam(images).cpu().numpy())
    predicted = gradcam.scores.argmax(1).tolist()
    for axis, i, cam, guess in zip(axes, chosen, maps, predicted, strict=True):
        axis.imshow(split.images[i], cmap="gray", vmin=0, vmax=255)
        axis.imshow(cam, cmap="inferno", alpha=0.5, vmin=0, vmax=1)
        axis.contour(split.sectors[i], [0.5], colors="cyan", linewidths=0.7)
        truth, said = classes[split.labels[i]], classes[guess]
        right = truth == said
        axis.set_title(
            f"{truth} ✓" if right else f"{truth}, not {said}",
            fontsize=7,
            color="black" if right else "crimson",
        )
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].set_ylabel(name, fontsize=8)


def draw_curves(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, curve in curves.items():
        epochs = range(1, len(curve["losses"]) + 1)
        left.plot(epochs, curve["losses"], label=name)
        right.plot(epochs, [100 * a for a in curve["accuracies"]], label=name)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation accuracy, %")
    left.legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


# -- command line ---------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=("phantom", "folder", "tmed2"), default="phantom")
    parser.add_argument("--root", type=Path, help="where the real data is")
    parser.add_argument("--sectors", type=Path, help="where TMED-2's sectors are")
    parser.add_argument("--runs", nargs="+", metavar="METHOD[@FRACTION]")
    parser.add_argument("--fraction", type=float, default=1.0, help="for runs that name none")
    parser.add_argument("--lam", type=float, default=1.0, help="lambda of wBackMix")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument(
        "--full", action="store_true", help="as wide as the paper's, 8 epochs, 4 runs, 3 seeds"
    )
    parser.add_argument("--size", type=int, help="height and width in pixels")
    parser.add_argument("--images", type=int, default=1600, help="training images of the phantom")
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--shortcut", type=float, default=0.95, help="how often the phantom's overlay tells the label"
    )
    parser.add_argument(
        "--augment",
        choices=("cpu", "gpu"),
        default="cpu",
        help="image by image, or whole batches on the device",
    )
    parser.add_argument("--stem", choices=STEMS, default="torchvision")
    parser.add_argument("--schedule", choices=("constant", "one-cycle"), help="of the learning rate")
    parser.add_argument("--lr", type=float, help="the learning rate, or one cycle's highest")
    parser.add_argument("--width", type=int, help="channels of the first stage; 64 in the paper")
    parser.add_argument("--layer", default="layer3", help="where GradCAM looks")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "output" / "train_resnet18")
    arguments = parser.parse_args()
    full = arguments.full or arguments.data != "phantom"
    parser.set_defaults(
        runs=["baseline", "backmix@1", "wbackmix@0.05"] + ["backmix@0.05"] * full,
        seeds=[0, 1, 2] if full else [0],
        size=112,
        width=64 if full else 16,
        schedule="constant" if full else "one-cycle",
        lr=1e-3 if full else 3e-3,
        epochs=100 if arguments.data != "phantom" else 8 if full else 10,
    )
    arguments = parser.parse_args()
    if arguments.data != "phantom" and arguments.root is None:
        parser.error(f"--data {arguments.data} needs --root FOLDER")
    return arguments


def parse_run(text: str, seed: int, default: float) -> Run:
    method, _, fraction = text.partition("@")
    if method not in METHODS:
        raise SystemExit(
            f"{text!r} is no run; expected one of {', '.join(METHODS)}, with @FRACTION if you like."
        )
    return Run(method, float(fraction) if fraction else default, seed)


def settings_of(arguments: argparse.Namespace) -> dict[str, str]:
    """What all runs in one folder share; kept there, so that others are refused."""
    own = ("runs", "seeds", "fraction", "out", "workers")
    settings = {key: str(value) for key, value in vars(arguments).items() if key not in own}
    described = arguments.out / "settings.json"
    if described.exists() and json.loads(described.read_text()) != settings:
        raise SystemExit(
            f"{arguments.out} holds runs with other settings; choose another --out, or remove it."
        )
    wait_for_all()
    if rank_and_world()[0] == 0:
        described.write_text(json.dumps(settings, indent=1))
    return settings


def main() -> None:
    arguments = parse()
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
        draw_swaps(splits["train"], arguments.out / "swaps.png")

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
