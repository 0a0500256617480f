"""What is trained and tested on: the phantom benchmark or a table of real images, cached on disk once.

A phantom benchmark is frozen: its name stands for a preset of `sa.phantom`, its shares, seeds and patients.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from chunks import SPLITS, make_clips
from ranks import rank_and_world, wait_for_all
from splits import Split

import sectoraug as sa

SIZES = {
    "paper": {"train": 14_569, "val": 1_670, "i.d.": 1_815, "o.o.d.": 2_565},
    "small": {"train": 2_400, "val": 320, "i.d.": 480, "o.o.d.": 640},
}
PHANTOMS: dict[str, dict[str, Any]] = {
    # The overlay is that of the label 90% of the time, otherwise drawn from all; at the other sites it always
    # is. Chosen by the baseline, before the methods were compared.
    "phantom": {"preset": "benchmark-v1", "shortcut": 0.9, "outline_shortcut": 0.0},
    # So is the sector's opening.
    "phantom-outline": {"preset": "benchmark-v1", "shortcut": 0.9, "outline_shortcut": 0.9},
    # Only the opening gives it away; overlays are drawn from all.
    "phantom-opening": {"preset": "benchmark-v1", "shortcut": 0.0, "outline_shortcut": 0.95},
    # Clips, so that sectors can be found from motion; true and found ones for the same frames.
    "phantom-clips": {"preset": "benchmark-v1", "shortcut": 0.9, "frames": 8, "found_at_px": 112},
}
_FIRST_SEED = 2024
_FILES = ("images", "sectors", "labels", "patients")


@dataclass
class Data:
    """Splits by the names in SPLITS (o.o.d. may be missing), and what the labels stand for."""

    splits: dict[str, Split]
    classes: tuple[str, ...]
    found_sectors: np.ndarray | None = None
    """(N, H, W) uint8: sectors found in the training clips, all zero where none was."""
    key: str = ""
    """Names the cached arrays; two runs with one key saw the same data."""

    @property
    def tests(self) -> dict[str, Split]:
        """The splits that are neither trained nor chosen by."""
        return {name: each for name, each in self.splits.items() if name not in ("train", "val", "clean")}

    def at(self, seed: int) -> Data:
        """The splits of one seed; all seeds share them, but where a shortcut is planted."""
        return self


def load_phantom(name: str, counts: dict[str, int], size: int, folder: Path) -> Data:
    """One of PHANTOMS with so many images a split, made on the first call."""
    what = {**PHANTOMS[name], "counts": counts, "size": size, "seed": _FIRST_SEED}
    make = make_clips if name == "phantom-clips" else _frames
    return cached(folder, name, what, sa.phantom.VIEWS, lambda chunks: make(what, chunks))


def _frames(what: dict[str, Any], _: Path) -> dict[str, np.ndarray]:
    arrays = {}
    for k, (split, n) in enumerate(what["counts"].items()):
        far = split == "o.o.d."
        data = sa.phantom.make_dataset(
            n,
            shortcut=0.0 if far else what["shortcut"],
            outline_shortcut=0.0 if far else what["outline_shortcut"],
            seed=what["seed"] + k,
            size=(what["size"], what["size"]),
            domain="shifted" if far else "train",
            preset=what["preset"],
        )
        patients = np.char.add(f"{split} ", data.patients.astype(str))
        for key, value in zip(
            _FILES, (data.images, data.sectors.astype(np.uint8), data.labels, patients), strict=True
        ):
            arrays[f"{split}-{key}"] = value
    return arrays


def cached(
    folder: Path,
    name: str,
    what: dict[str, Any],
    classes: tuple[str, ...],
    make: Callable[[Path], dict[str, np.ndarray]],
    names: tuple[str, ...] = SPLITS,
) -> Data:
    """Memory-mapped arrays of the splits `names` from folder/NAME-HASH, made by rank 0 if they are not there.

    `make` gets a folder for what it wants to find again if it is killed.
    They show what was burned in around the images: the folder is for its owner only.
    """
    digest = hashlib.sha256(json.dumps([what, classes], sort_keys=True).encode()).hexdigest()[:12]
    target = folder / f"{name}-{digest}"
    if rank_and_world()[0] == 0 and not target.exists():
        _clear_left(target)
        part = folder / f"{target.name}.{platform.node()}.{os.getpid()}.part"
        part.mkdir(parents=True, mode=0o700)
        chunks = folder / f"{target.name}.chunks"
        for key, value in make(chunks).items():
            np.save(part / f"{key}.npy", value, allow_pickle=False)
        shutil.rmtree(chunks, ignore_errors=True)
        try:
            part.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(part)
    wait_for_all()

    def opened(key: str) -> np.ndarray:
        return np.load(target / f"{key}.npy", mmap_mode="c", allow_pickle=False)

    splits = {}
    for split in names:
        if (target / f"{split}-labels.npy").exists():
            images, sectors, labels, patients = (opened(f"{split}-{key}") for key in _FILES)
            outlines = None
            if (target / f"{split}-outlines.npy").exists():
                outlines = [read_outline(text) for text in opened(f"{split}-outlines").tolist()]
            splits[split] = Patients(
                images, sectors, np.asarray(labels), np.asarray(patients), outlines=outlines
            )
    check_patients({split: set(each.patients.tolist()) for split, each in splits.items()})
    found = opened("found") if (target / "found.npy").exists() else None
    return Data(splits, classes, found, target.name)


def _clear_left(target: Path) -> None:
    """Remove the images that killed processes of this machine left half-written."""
    for part in target.parent.glob(f"{target.name}.{platform.node()}.*.part"):
        try:
            os.kill(int(part.name.split(".")[-2]), 0)
        except ProcessLookupError:
            shutil.rmtree(part, ignore_errors=True)


@dataclass
class Patients(Split):
    patients: np.ndarray
    """(N,) str: whose image it is."""


def read_outline(text: str) -> sa.SectorGeometry | None:
    return sa.SectorGeometry.from_dict(json.loads(text)) if text else None


def check_patients(patients: dict[str, set[str]]) -> None:
    """Stop if a patient is in two splits."""
    for a, first in patients.items():
        for b, second in patients.items():
            if a < b and first & second:
                raise SystemExit(
                    f"{len(first & second)} patients are in both {a} and {b}; expected each in one split: "
                    "split by patient."
                )
