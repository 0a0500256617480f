"""Hand-drawn sectors of real pictures, and made-up variations of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from outlines import Rng
from scenes import Scene, crop, on_other_screen, screen_size, spoiled
from screens import background
from textures import Plane, dimmed

import sectoraug as sa

_LONGER_PX = 640
_SEVERAL, _DIMMED = 0.15, 0.3  # of the variations
_ALIKE = 0.97  # IoU from which on an outline explains what was drawn


@dataclass(frozen=True)
class Drawn:
    """A file whose sector was drawn by hand."""

    source: str
    frames: Sequence[np.ndarray]
    """(H, W[, 3]) uint8 each"""
    sector: np.ndarray
    """(H, W) bool"""
    ignore: np.ndarray
    """(H, W) bool, pixels to leave out of scores"""

    @cached_property
    def outline(self) -> sa.SectorGeometry | None:
        """What explains the sector; None if nothing does."""
        shape = sa.fit_outline(self.sector)
        drawn = shape.rasterise(self.sector.shape)
        return shape if (drawn & self.sector).sum() > _ALIKE * (drawn | self.sector).sum() else None


def read_drawn(folder: Path, frames: int | None) -> list[Drawn]:
    """FOLDER/sectors.json lists {"file", "sector"[, "ignore"]}; `frames` of a clip, or all.

    A "file" that starts with "pydicom:" is one of pydicom's examples.
    """
    drawn = []
    for entry in json.loads((folder / "sectors.json").read_text()):
        clip = _decoded(folder, entry["file"])
        if frames is not None:
            clip = clip[np.unique(np.linspace(0, len(clip) - 1, frames).round().astype(int))]
        sector = cv2.imread(str(folder / entry["sector"]), cv2.IMREAD_GRAYSCALE) > 0
        ignore = np.zeros_like(sector)
        if entry.get("ignore"):
            ignore = cv2.imread(str(folder / entry["ignore"]), cv2.IMREAD_GRAYSCALE) > 0
        drawn.append(Drawn(_source(folder, entry["file"]), clip, sector, ignore))
    return drawn


def _source(folder: Path, name: str) -> str:
    """Where a picture is from: its scanner where a folder mixes them, its folder otherwise."""
    inner, _, file = name.replace(":", "/").rpartition("/")
    if inner == "itkpocus":
        return file.split("-")[0].split("_")[0]
    if inner == "pydicom":
        return {"rgb_color": "pydicom/acuson", "jpeg2k": "pydicom/acuson"}.get(file, f"pydicom/{file}")
    return inner or folder.name


def _decoded(folder: Path, name: str) -> np.ndarray:
    if name.startswith("pydicom:"):
        from pydicom import examples

        return sa.read_clip(examples.get_path(name.removeprefix("pydicom:")))
    return sa.read_clip(folder / name)


def real_scene(rng: Rng, item: Drawn) -> Scene:
    """A variation of one frame: moved, stretched, mirrored, cropped, half of the time on another screen.

    One in seven shows its sector twice, as dual views do.
    """
    if rng.random() < _SEVERAL:
        return _twice(rng, item)
    return on_other_screen(rng, *_picture(rng, item))


def _picture(rng: Rng, item: Drawn) -> tuple[Plane, Plane]:
    """A frame in grey, and its sector, 0 or 255, of moderate size; some darker here and there."""
    frame = item.frames[rng.integers(len(item.frames))]
    grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    share = min(1.0, _LONGER_PX / max(grey.shape))
    pictures = grey, item.sector.view(np.uint8) * 255
    grey, sector = (cv2.resize(p, None, fx=share, fy=share, interpolation=cv2.INTER_AREA) for p in pictures)
    if item.outline is not None and rng.random() < _DIMMED:
        shape = item.outline.resized(item.sector.shape, grey.shape)
        grey = np.where(sector > 127, dimmed(rng, grey, shape), grey)
    return grey, sector


def _twice(rng: Rng, item: Drawn) -> Scene:
    """Two frames side by side or one above the other, each cropped to its sector or into it."""
    size = screen_size(rng)
    (screen, overlay), areas = background(rng, size), np.zeros(size, bool)
    axis, gap = int(rng.random() < 0.8), int(rng.choice([0, rng.integers(0, 40)]))
    middle = size[axis] // 2
    for place in (slice(0, middle), slice(middle + gap, size[axis])):
        grey, sector = _picture(rng, item)
        part = crop(rng, sector > 127)
        window = (place, slice(None)) if axis == 0 else (slice(None), place)
        tile = screen[window].shape[::-1]
        grey, sector = (cv2.resize(p[part], tile, interpolation=cv2.INTER_AREA) for p in (grey, sector))
        inside = sector > 127
        screen[window][inside] = grey[inside]
        areas[window] |= inside
    return Scene(spoiled(rng, screen), areas, False, overlay & ~areas, np.ones(size, bool))
