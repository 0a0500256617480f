"""Images with sectors and labels, split by use: the phantom's, or those of two layouts of real data."""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

import sectoraug as sa

CLASSES = ("PLAX", "PSAX", "A2C", "A4C")


@dataclass
class Split:
    images: np.ndarray
    """(N, H, W) uint8"""
    sectors: np.ndarray
    """(N, H, W) uint8, nonzero inside; all zero where there is none"""
    labels: np.ndarray
    """(N,) int64, an index into CLASSES"""
    outlines: list[sa.SectorGeometry | None] | None = field(default=None, kw_only=True)
    """of the sectors, at the images' size; None where there is none, or where nobody has fitted them"""


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
        raise SystemExit(f"no image was found as {where}; see the layouts in the head of train_resnet18.py.")
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


def few_sectors(split: Split, fraction: float, seed: int, sample: int = 0) -> Split:
    """Keep the sectors of a random share of the images; samples 0, 1, ... of one seed do not overlap."""
    n = max(2, round(fraction * len(split.labels)))
    kept = np.random.default_rng(seed).permutation(len(split.labels))[sample * n : (sample + 1) * n]
    sectors = np.zeros_like(split.sectors)
    sectors[kept] = split.sectors[kept]
    return replace(split, sectors=sectors)


def pool_of(split: Split) -> sa.BackgroundPool:
    """The backgrounds of all images that have a sector."""
    inside = split.sectors.any(axis=(1, 2))
    return sa.BackgroundPool.from_arrays(split.images[inside], split.sectors[inside], skip_invalid=True)
