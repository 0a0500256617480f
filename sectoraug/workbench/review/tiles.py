"""What is looked at: a frame of each clip and the outline of its mask, the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.stills import read_sector
from sectoraug.workbench.review.journal import mask_digest
from sectoraug.workbench.run.manifest import Entry, latest_by_clip
from sectoraug.workbench.run.sources import is_unchanged

CELL = (168, 224)
"""Height and width of a picture's cell in a sprite, pixels."""
COLUMNS, ROWS = 8, 6
PER_SPRITE = COLUMNS * ROWS
_LAST_FRAME = 32  # of a long clip the middle would take long to decode, and show no more
_LARGEST_LOOK_PX = 1600
_MOST_CONTOURS = 200  # of a mask in shreds

Contours = list[list[list[int]]]


@dataclass(frozen=True)
class Mask:
    """A mask to be looked at."""

    clip: str
    """SHA-256 of the source's bytes, and which of its parts."""
    file: Path
    digest: str
    sources: tuple[Path, ...]
    """Where the clip may be."""
    entry: Entry


@dataclass(frozen=True, repr=False)
class Tile:
    """A mask and its clip, in their own size."""

    frame: NDArray[np.uint8] | None
    """(H, W) or (H, W, 3) RGB, stretched; None where there is nothing to see."""
    trouble: str
    """Why there is nothing to see; empty where there is."""
    contours: Contours
    """Of the mask: closed polygons of (x, y) in pixels of the frame."""


def masks_in(folder: Path, moved_to: Sequence[Path] = ()) -> tuple[list[Mask], int]:
    """The masks of a `masks` run and the number of clips that got none.

    Those with overlay inside come first; among these and the others the worst quality.

    Clips of equal bytes count as one.

    Args:
        folder: what `sectoraug masks` has written.
        moved_to: folders of clips that are no longer where that run found them.
    """
    entries = [entry for parts in latest_by_clip(folder).values() for entry in parts]
    found = []
    for entry in entries:
        if not entry.file or not entry.size or entry.error:
            continue
        file = folder / entry.file
        places = ([Path(entry.path)] if entry.path else []) + [Path(top) / entry.source for top in moved_to]
        found.append(Mask(entry.key, file, mask_digest(file) if file.is_file() else "", tuple(places), entry))
    found.sort(key=lambda mask: (mask.entry.clean, mask.entry.quality or 0.0, mask.clip))
    return found, len(entries) - len(found)


def tile_of(mask: Mask) -> Tile:
    """The tile of a mask; what goes wrong becomes its trouble, a sentence without names."""
    try:
        sector = read_sector(mask.file)
        if mask_digest(mask.file) != mask.digest:
            return Tile(None, "The mask has changed: start the review again.", [])
        contours = _contours(sector)
    except Exception:  # whatever a decoder raises, here and below; its words may hold names
        return Tile(None, "The mask is gone or damaged.", [])
    places = [place for place in mask.sources if place.exists()]
    if not places:
        return Tile(None, "The clip is gone.", contours)
    try:
        path = next((p for p in places if is_unchanged(p, mask.entry.visit, mask.entry.sha256)), None)
        if path is None:
            return Tile(None, "The clip has changed since.", contours)
        frame = _middle(sa.iter_clip(path, miscounted="keep"), mask.entry.covered)
    except Exception:
        return Tile(None, "The clip cannot be read.", contours)
    if not frame.shape[:2] == sector.shape == tuple(mask.entry.size or ()):
        return Tile(None, "The mask is of another size.", contours)
    return Tile(stretched(frame), "", contours)


def stretched(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A frame with its darks lifted and its brightest 0.3% white, so that the sector's faint edge shows.

    Examples:
        >>> import numpy as np
        >>> stretched(np.array([[0, 5, 10, 20]], np.uint8)).tolist()
        [[0, 96, 157, 255]]
    """
    white = max(float(np.percentile(frame[::2, ::2] if min(frame.shape[:2]) > 64 else frame, 99.7)), 1.0)
    ramp = np.clip(np.arange(256) / white, 0, 1) ** 0.7
    return np.asarray(cv2.LUT(frame, (ramp * 255).astype(np.uint8)))


def small_tile_of(mask: Mask) -> Tile:
    """The tile of a mask with its frame shrunk, or grown, to a cell."""
    tile = tile_of(mask)
    if tile.frame is None:
        return tile
    height, width = tile.frame.shape[:2]
    _, _, *fitting = cell_of(0, (height, width))
    way = cv2.INTER_AREA if fitting[0] < width else cv2.INTER_CUBIC
    return replace(tile, frame=np.asarray(cv2.resize(tile.frame, fitting, interpolation=way), np.uint8))


def sprite_of(tiles: Iterable[Tile]) -> NDArray[np.uint8]:
    """Small tiles in one BGR picture, row by row; see `cell_of` for where."""
    sprite = np.zeros((ROWS * CELL[0], COLUMNS * CELL[1], 3), np.uint8)
    for place, tile in enumerate(tiles):
        if tile.frame is not None:
            left, top, width, height = cell_of(place, tile.frame.shape[:2])
            sprite[top : top + height, left : left + width] = _bgr(tile.frame)
    return sprite


def cell_of(place: int, size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, width and height in the sprite of a frame of (height, width), in pixels.

    Examples:
        >>> cell_of(9, (600, 800))
        (224, 168, 224, 168)
    """
    scale = min(CELL[0] / size[0], CELL[1] / size[1])
    height, width = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    row, column = divmod(place, COLUMNS)
    return (
        column * CELL[1] + (CELL[1] - width) // 2,
        row * CELL[0] + (CELL[0] - height) // 2,
        width,
        height,
    )


def look(tile: Tile) -> NDArray[np.uint8]:
    """A tile's frame as BGR, of at most 1600 pixels a side."""
    assert tile.frame is not None
    scale = min(1.0, _LARGEST_LOOK_PX / max(tile.frame.shape[:2]))
    frame = cv2.resize(tile.frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _bgr(np.asarray(frame, np.uint8))


def jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """A BGR picture as JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _bgr(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    code = cv2.COLOR_GRAY2BGR if frame.ndim == 2 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(frame, code), np.uint8)


def _middle(frames: Iterator[NDArray[np.uint8]], covered: list[int]) -> NDArray[np.uint8]:
    index = covered[min(len(covered) // 2, _LAST_FRAME)]
    return next(islice(frames, index, None))


def _contours(sector: NDArray[np.uint8]) -> Contours:
    outlines = cv2.findContours(sector, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
    largest = sorted(outlines, key=len, reverse=True)[:_MOST_CONTOURS]
    tolerance = max(sector.shape) / 800
    return [cv2.approxPolyDP(line, tolerance, True)[:, 0].tolist() for line in largest]
