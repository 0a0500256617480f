"""Hand-drawn sectors of real pictures, and made-up variations of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scenes import SIDE_PX, Rng, background, spoiled, warped

import sectoraug as sa


@dataclass(frozen=True)
class Drawn:
    """A file whose sector was drawn by hand."""

    source: str
    frames: list[np.ndarray]
    """(H, W[, 3]) uint8 each"""
    sector: np.ndarray
    """(H, W) bool"""
    ignore: np.ndarray
    """(H, W) bool, pixels to leave out of scores"""


def read_drawn(folder: Path, frames: int) -> list[Drawn]:
    """FOLDER/sectors.json lists {"file", "sector"[, "ignore"]}; the first word of a name is its source.

    A "file" that starts with "pydicom:" is one of pydicom's examples.
    """
    drawn = []
    for entry in json.loads((folder / "sectors.json").read_text()):
        clip = _decoded(folder, entry["file"])
        chosen = np.unique(np.linspace(0, len(clip) - 1, frames).round().astype(int))
        sector = cv2.imread(str(folder / entry["sector"]), cv2.IMREAD_GRAYSCALE) > 0
        ignore = np.zeros_like(sector)
        if entry.get("ignore"):
            ignore = cv2.imread(str(folder / entry["ignore"]), cv2.IMREAD_GRAYSCALE) > 0
        drawn.append(Drawn(_source(entry["file"]), [clip[k] for k in chosen], sector, ignore))
    return drawn


def _source(name: str) -> str:
    """Where a picture is from: its scanner where a folder mixes them, its folder otherwise."""
    folder, _, file = name.replace(":", "/").partition("/")
    if folder == "itkpocus":
        return file.split("-")[0].split("_")[0]
    if folder == "pydicom":
        return {"rgb_color": "pydicom/acuson", "jpeg2k": "pydicom/acuson"}.get(file, f"pydicom/{file}")
    return folder


def _decoded(folder: Path, name: str) -> np.ndarray:
    if name.startswith("pydicom:"):
        from pydicom import examples

        return sa.read_clip(examples.get_path(name.removeprefix("pydicom:")))
    return sa.read_clip(folder / name)


def real_scene(rng: Rng, item: Drawn) -> tuple[np.ndarray, np.ndarray]:
    """A variation of one frame: moved, stretched, mirrored, cropped, half of the time on another screen."""
    frame = item.frames[rng.integers(len(item.frames))]
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    pictures = (grey, item.sector.astype(np.uint8) * 255)
    screen, sector = (cv2.resize(p, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for p in pictures)
    screen, sector = warped(rng, screen, sector)
    inside = sector > 127
    if rng.random() < 0.5:
        screen = np.where(inside, screen, background(rng, inside))
    return spoiled(rng, screen), inside
