"""The methods of Table 1 and some past the paper: what each does to a training image and its sector."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from data import Data
from frames import as_planes
from splits import Split, few_sectors, pool_of
from torch.utils.data import Dataset, get_worker_info
from train_arguments import FILLS

import sectoraug as sa

MIXES = ("backmix", "wbackmix", "backmix-match", "backmix-soft", "backmix-other", "backmix-ramp")
RESHAPES = ("reshape", "backmix-reshape")
OWN_LOSS = ("sma", "distil", "energy", "backmix-energy")
"""Their networks give their own training loss."""
METHODS = ("baseline", *FILLS, "cutmix", *OWN_LOSS, "dfr", "jtt", *RESHAPES, *MIXES)
SWAPS = (*MIXES, "backmix-reshape", "backmix-energy")
BY_SHARE = (*SWAPS, "energy", "distil", "dfr", "reshape")
"""What they may use is a share of the images."""
MASKS = ("true", "found", "eroded", "dilated", "jittered")
SEAM_PX = 3.0


@dataclass(frozen=True)
class Run:
    """One training; what differs from the defaults makes its name."""

    method: str
    fraction: float = 1.0
    """Share of the training images that have a sector, of them alone backgrounds are taken and swapped."""
    lam: float = 0.0
    """Lambda of wBackMix."""
    sample: int = 0
    """Which of the shares that do not overlap."""
    masks: str = "true"
    """One of MASKS: what the sectors of the training images are."""
    iou: float = 1.0
    """Of the true sectors with those eroded, dilated or jittered, in 0.5..1."""
    jitter: bool = False
    """Rotate and scale more, as a control of what the outline gives away."""
    network: str = "resnet18"
    seed: int = 0

    def __post_init__(self) -> None:
        for value, known in ((self.method, METHODS), (self.masks, MASKS)):
            if value not in known:
                raise SystemExit(f"{value!r} is in no run; expected one of {', '.join(known)}.")

    @property
    def name(self) -> str:
        """Without the seed."""
        parts = [self.method]
        if self.method in BY_SHARE or self.fraction < 1:
            parts.append(f"f={self.fraction:g}")
        for field in fields(self)[2:-1]:
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(
                    f"{field.name}={value:g}" if isinstance(value, float) else f"{field.name}={value}"
                )
        return " ".join(parts)

    @property
    def file(self) -> str:
        return f"{self.name.replace(' ', '_')}_seed{self.seed}"


def parse_run(text: str) -> Run:
    """METHOD[@FRACTION][,FIELD=VALUE...], as in wbackmix@0.05,lam=2."""
    head, *rest = text.split(",")
    method, _, fraction = head.partition("@")
    run = Run(method, float(fraction or 1))
    kinds = {field.name: type(field.default) for field in fields(Run)[2:]}
    for part in rest:
        key, _, value = part.partition("=")
        if key not in kinds:
            raise SystemExit(f"{part!r} is no part of a run; expected {', '.join(kinds)} and a value.")
        kind = kinds[key]
        run = replace(run, **{key: value.lower() in ("1", "true") if kind is bool else kind(value)})
    return run


# -- sectors --------------------------------------------------------------------------------------


def training_split(run: Run, train: Split, found: np.ndarray | None) -> Split:
    """The training images with the sectors that this run may see."""
    sectors = np.asarray(train.sectors)
    if run.masks == "found":
        if found is None:
            raise SystemExit("these data have no found sectors; use --data phantom-clips for masks=found.")
        sectors = np.asarray(found)
    elif run.masks != "true":
        rng = np.random.default_rng([7, run.seed])
        sectors = np.stack([spoilt(sector, run.masks, run.iou, rng) for sector in sectors])
    few = few_sectors(replace(train, sectors=sectors), run.fraction, run.seed, run.sample)
    if run.method in SWAPS and not few.sectors.any():
        raise SystemExit(f"sample {run.sample} of {run.fraction:g} of the images is empty; use a lower one.")
    return few


def few_clean(run: Run, data: Data) -> Split:
    """The share of the training images that are known with their own backgrounds."""
    if "clean" not in data.splits:
        raise SystemExit(f"{run.method} needs images with backgrounds that tell nothing; use --data planted.")
    return with_sector(few_sectors(data.splits["clean"], run.fraction, run.seed, run.sample))


def few_black(split: Split, seed: int) -> Frames:
    """The images that have a sector, on black."""
    frames = Frames(Run("black"), with_sector(split))
    frames.start(seed)
    return frames


def with_sector(split: Split) -> Split:
    known = split.sectors.any((1, 2))
    return Split(split.images[known], split.sectors[known], split.labels[known])


def fitted(sector: np.ndarray) -> sa.SectorGeometry | None:
    return sa.fit_outline(sector) if sector.any() else None


def spoilt(sector: np.ndarray, how: str, iou: float, rng: np.random.Generator) -> np.ndarray:
    """A sector eroded, dilated or moved, to the first step where its IoU with the true one is `iou`."""
    if not sector.any() or iou >= 1:
        return sector
    angle = 2 * np.pi * rng.random()
    if how == "eroded":
        distance = cv2.distanceTransform(np.pad(sector, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    elif how == "dilated":
        distance = -cv2.distanceTransform(1 - sector, cv2.DIST_L2, 5)
    changed = sector
    for step in np.arange(0.25, sector.shape[0] / 2, 0.25):
        if how == "jittered":
            shift = np.float32([[1, 0, step * np.cos(angle)], [0, 1, step * np.sin(angle)]])
            changed = cv2.warpAffine(sector, shift, sector.shape[::-1], flags=cv2.INTER_NEAREST)
        else:
            changed = (distance > (step if how == "eroded" else -step - 1e-6)).astype(np.uint8)
            if how == "dilated":
                changed |= sector
        if (changed & sector).sum() <= iou * (changed | sector).sum():
            break
    return changed


# -- images ---------------------------------------------------------------------------------------


class Frames(Dataset):
    """(image (1, H, W) uint8, label, whether its background was replaced, sector (H, W) uint8)."""

    def __init__(self, run: Run, split: Split) -> None:
        self.split, self.rows = split, np.arange(len(split.labels))
        self.soft, self.ramp = run.method == "backmix-soft", run.method == "backmix-ramp"
        move = [A.Rotate((-30, 30))]
        if run.jitter:
            move = [A.Affine(rotate=(-45, 45), scale=(0.75, 1.25), p=1.0)]
        steps: list[Any] = [*move, A.RandomBrightnessContrast(), A.HorizontalFlip()]
        self.mix, self.pool, self.outlines = None, None, None
        if run.method in FILLS:
            steps.append(FILLS[run.method](missing="skip"))
        if run.method in SWAPS:
            self.pool = pool_of(split)
        if run.method in RESHAPES:
            self.outlines = (
                [fitted(sector) for sector in split.sectors] if split.outlines is None else split.outlines
            )
            steps.insert(0, sa.ReshapeSector(p=1.0, missing="skip"))
        if self.pool is not None and not self.soft and run.method != "backmix-other":
            self.mix = sa.BackMix(self.pool, missing="skip", match_sector=run.method == "backmix-match")
            steps.append(self.mix)
        self.transforms = [A.Compose(steps)]
        if run.method == "backmix-other":
            self.transforms = [A.Compose([*steps, mix]) for mix in mixes_of_other_classes(split)]

    def start(self, seed: int, progress: float | None = None) -> None:
        """All randomness of an epoch starts here; `progress` in 0..1 is the p of backmix-ramp."""
        for k, transform in enumerate(self.transforms):
            transform.set_random_seed((seed + k) % 2**32)
        self.rng = np.random.default_rng(seed)
        if self.ramp and progress is not None:
            self.mix.p = progress

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int, bool, torch.Tensor]:
        index = self.rows[index]
        label, sector = int(self.split.labels[index]), self.split.sectors[index]
        transform = self.transforms[label if len(self.transforms) > 1 else 0]
        outline = {} if self.outlines is None else {"geometry": self.outlines[index]}
        image = np.asarray(self.split.images[index])
        out = transform(image=image, mask=np.array(sector), backmixed=False, **outline)
        image, mixed = out["image"], out["backmixed"]
        if self.soft and out["mask"].any():
            background, _ = self.pool[self.pool.draw(self.rng)]
            image, mixed = softly_swapped(image, out["mask"], background), True
        return as_planes(image), label, mixed, torch.from_numpy(np.ascontiguousarray(out["mask"]))


def start_worker(_: int) -> None:
    """albumentations 2.0.8 would rotate and flip alike in every worker and epoch."""
    worker = get_worker_info()
    worker.dataset.start(worker.seed % 2**32)


def mixes_of_other_classes(split: Split) -> list[sa.BackMix]:
    """For each class a BackMix whose donors have another label, as far as there are any."""
    inside = split.sectors.any(axis=(1, 2))
    mixes = []
    for label in range(int(split.labels.max()) + 1):
        other = inside & (split.labels != label)
        donors = other if other.any() else inside
        pool = sa.BackgroundPool.from_arrays(split.images[donors], split.sectors[donors], skip_invalid=True)
        mixes.append(sa.BackMix(pool, missing="skip"))
    return mixes


def softly_swapped(image: np.ndarray, sector: np.ndarray, background: np.ndarray) -> np.ndarray:
    """The sector fades into the new background over SEAM_PX inside its edge; nothing outside is kept."""
    inside = np.pad((sector > 0).astype(np.uint8), 1)
    depth_px = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    share = np.minimum(depth_px / SEAM_PX, 1)
    return np.rint(share * image + (1 - share) * background).astype(np.uint8)
