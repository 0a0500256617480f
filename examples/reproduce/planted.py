"""Real images on real backgrounds of others that tell the label: each seed its own split, donors and tie."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from adapters import ADAPTERS, Row, source_of, whole_frame_of
from chunks import shrunk
from data import Data, Patients, cached
from tqdm import tqdm

import sectoraug as sa

PARTS = ("content", "donors", "donors of tests")
FOLDS = 5
LEAST_BACKGROUND = 0.15
"""Of a donor's pixels, as a share."""
OUTLINE_LEVEL = 100
_DEALT_BY = 2026


@dataclass
class Planted(Data):
    """`at(seed)` gives the splits; the images here are as they were found, by PARTS."""

    strength: float = 0.95
    shown = ("i.d.", "neutral", "reversed", "own", "outline")
    judged: ClassVar = {
        "neutral": ("neutral", "recall"),
        "own": ("own", "recall"),
        "%E": ("neutral", "energy"),
        "%F": ("neutral", "focus"),
    }
    """What is compared: a test and a key of its scores; recall, a mean over classes, is balanced accuracy."""

    @property
    def about(self) -> str:
        return f"Shortcut planted with strength {self.strength:g}"

    def tested(self, seed: int, test: str) -> np.ndarray:
        """Which images of the content, (N,) bool, a test is of."""
        return self.dealt(seed)["test"]

    @cached_property
    def styles(self) -> dict[str, np.ndarray]:
        """The style of each donor, by part; all donors are sorted together."""
        parts = [self.splits[part] for part in PARTS[1:]]
        pool = pool_of_parts(parts)
        styles = sa.donor_styles(pool, len(self.classes))
        ends = np.cumsum([len(part.labels) for part in parts])
        return dict(zip(PARTS[1:], np.split(styles, ends[:-1]), strict=True))

    @cached_property
    def pools(self) -> dict[str, sa.BackgroundPool]:
        return {part: pool_of_parts([self.splits[part]]) for part in PARTS[1:]}

    def dealt(self, seed: int) -> dict[str, np.ndarray]:
        return dealt(self.splits["content"].patients, seed)

    def at(self, seed: int) -> Data:
        """Training, validation and the i.d. test have one tie, drawn anew for each seed.

        The reversed test gives each class the style of the next one.
        """
        content, dealt = self.splits["content"], self.dealt(seed)
        test = dealt["test"]
        rng = np.random.default_rng([_DEALT_BY, seed])
        tie = dict(enumerate(rng.permutation(len(self.classes)).tolist()))
        next_one = {label: tie[(label + 1) % len(tie)] for label in tie}

        def planted(rows: np.ndarray, part: str, k: int, strength: float, tie: dict[int, int]) -> Patients:
            own = taken(content, rows)
            made = sa.plant_shortcut(
                own.images,
                own.sectors,
                own.labels,
                self.pools[part],
                strength,
                seed=10 * seed + k,
                styles=self.styles[part],
                tie=tie,
            )
            return replace(own, images=made.images)

        here, away = PARTS[1:]
        splits = {
            "train": planted(dealt["train"], here, 0, self.strength, tie),
            "val": planted(dealt["val"], here, 1, self.strength, tie),
            "i.d.": planted(test, away, 2, self.strength, tie),
            "neutral": planted(test, away, 3, 0.0, tie),
            "neutral, other donors": planted(test, away, 4, 0.0, tie),
            "reversed": planted(test, away, 5, self.strength, next_one),
            "own": taken(content, test),
            "outline": outlines_alone(taken(content, test)),
            "clean": taken(content, dealt["train"]),
        }
        return Data(splits, self.classes, key=self.key)


def dealt(content: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Which images of these patients, (N,) bool, are for train, val and test: fold seed mod 5 is the test.

    An eighth of the other patients is for validation.
    """
    order = np.random.default_rng(_DEALT_BY).permutation(np.unique(content))
    mine = np.arange(len(order)) % FOLDS == seed % FOLDS
    test, val = np.isin(content, order[mine]), np.isin(content, order[~mine][::8])
    return {"train": ~test & ~val, "val": val, "test": test}


def taken(part: Patients, rows: np.ndarray) -> Patients:
    outlines = None if part.outlines is None else [part.outlines[i] for i in np.flatnonzero(rows)]
    arrays = (each[rows] for each in (part.images, part.sectors, part.labels, part.patients))
    return Patients(*arrays, outlines=outlines)


def outlines_alone(part: Patients) -> Patients:
    """The outlines, filled with an even grey on black: what they alone tell."""
    return replace(part, images=part.sectors * np.uint8(OUTLINE_LEVEL))


def pool_of_parts(parts: list[Patients]) -> sa.BackgroundPool:
    images, sectors = (np.concatenate([getattr(p, key) for p in parts]) for key in ("images", "sectors"))
    return sa.BackgroundPool.from_arrays(images, sectors)


def load_planted(arguments: argparse.Namespace, size: int, folder: Path) -> Planted:
    """The images of --layout that have a sector; a fifth of the patients gives donors and nothing else."""
    rows = [row for row in ADAPTERS[arguments.layout](source_of(arguments)) if row.sector is not None]
    new = {
        old: name
        for name, olds in (text.split("=", 1) for text in arguments.merge)
        for old in olds.split(",")
    }
    rows = [replace(row, label=new.get(row.label, row.label)) for row in rows]
    if not rows:
        raise SystemExit(
            f"{arguments.root} gave no image with a sector; expected some: give --sectors a folder that "
            "`sectoraug masks` wrote, or one of masks named as the images."
        )
    classes = tuple(arguments.classes or sorted({row.label for row in rows}))
    what = {
        "rows": [[str(row.image), row.label, row.patient, str(row.sector)] for row in rows],
        "size": size,
        "strength": arguments.strength,
    }
    least = arguments.least_background
    if least:
        what["least_background"] = least
    made = cached(folder, "planted", what, classes, lambda _: _arrays(rows, classes, size, least), PARTS)
    return Planted(made.splits, made.classes, key=made.key, strength=arguments.strength)


def _arrays(rows: list[Row], classes: tuple[str, ...], size: int, least: float) -> dict[str, Any]:
    patients = np.unique([row.patient for row in rows])
    dealt = np.random.default_rng(_DEALT_BY).permutation(patients)[: round(len(patients) / 5)].tolist()
    part_of = {patient: PARTS[1 + k % 2] for k, patient in enumerate(dealt)}
    chosen: dict[str, list[tuple[Any, ...]]] = {part: [] for part in PARTS}
    for row in tqdm(rows, desc="reading"):
        part = part_of.get(row.patient, "content")
        if part == "content" and row.label not in classes:
            continue
        whole, sector = whole_frame_of(row)
        small = shrunk(sector, size)
        if small.mean() > 1 - (least if part == "content" else LEAST_BACKGROUND):
            continue
        outline = ""
        if part == "content":  # fitted before the stretch, which makes arcs elliptic
            shape = sa.fit_outline(sector > 0).scaled(size / whole.shape[1], size / whole.shape[0])
            outline = json.dumps(shape.to_dict())
        image = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)
        label = classes.index(row.label) if row.label in classes else -1
        chosen[part].append((image, small, label, row.patient, outline))
    keys = ("images", "sectors", "labels", "patients", "outlines")
    return {
        f"{part}-{key}": np.array(values)
        for part, each in chosen.items()
        for key, values in zip(keys, zip(*each, strict=True), strict=True)
    }
