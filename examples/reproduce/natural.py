"""A shortcut that real images have by themselves: of two labels with and without text, two cells are seen."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from data import Data, Patients
from planted import dealt, load_planted, outlines_alone, taken

import sectoraug as sa

ONLY = ("all", "background", "outline")


@dataclass
class Natural(Data):
    """Label 0 with text and label 1 without, or the other way round for odd seeds; the rest is the test.

    With text means: of the brighter of two styles of background. Images are left as they are.
    """

    only: str = "all"
    """One of ONLY: what is shown of them, in training and tests."""
    shown = ("same cells", "other cells")
    judged: ClassVar = {
        "other cells": ("other cells", "recall"),
        "%E": ("other cells", "energy"),
        "%F": ("other cells", "focus"),
    }

    @property
    def about(self) -> str:
        return f"Two cells of label and text for training, showing {self.only}"

    @cached_property
    def has_text(self) -> np.ndarray:
        """(N,) bool."""
        content = self.splits["content"]
        styles = sa.donor_styles(sa.BackgroundPool.from_arrays(content.images, content.sectors), 2)
        backgrounds = content.images * (content.sectors == 0)
        levels = [backgrounds[styles == style].mean() for style in range(2)]
        return styles == int(np.argmax(levels))

    def trained_cells(self, seed: int) -> np.ndarray:
        """Which images, (N,) bool, are of the two cells that are trained on."""
        with_text = self.has_text if seed % 2 == 0 else ~self.has_text
        return (self.splits["content"].labels == 0) == with_text

    def tested(self, seed: int, test: str) -> np.ndarray:
        """Which images of the content, (N,) bool, a test is of."""
        same = self.trained_cells(seed)
        rows = dealt(self.splits["content"].patients, seed // 2)["test"]
        return rows & (same if test == "same cells" else ~same)

    def at(self, seed: int) -> Data:
        content, same = self.splits["content"], self.trained_cells(seed)
        rows = dealt(content.patients, seed // 2)
        splits = {
            "train": rows["train"] & same,
            "val": rows["val"] & same,
            **{test: self.tested(seed, test) for test in self.shown},
        }
        return Data(
            {name: self._shown(taken(content, each)) for name, each in splits.items()},
            self.classes,
            key=self.key,
        )

    def _shown(self, part: Patients) -> Patients:
        if self.only == "background":
            return replace(part, images=part.images * (part.sectors == 0))
        return outlines_alone(part) if self.only == "outline" else part


def load_natural(arguments: argparse.Namespace, size: int, folder: Path) -> Natural:
    """The content of `load_planted`; its donors are not used."""
    made = load_planted(arguments, size, folder)
    if len(made.classes) != 2:
        raise SystemExit(
            f"--data natural found {len(made.classes)} labels; expected two: use --classes, and --merge for "
            "labels that count as one."
        )
    return Natural(made.splits, made.classes, key=f"{made.key}-{arguments.only}", only=arguments.only)
