"""What a simple classifier is shown of an image: its background, outline, sector and whole, made small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.lettering import letters_of
from sectoraug.auditing.properties import edges_of, grey_of, pair, properties_of
from sectoraug.progress import track

SIDE = 24
"""Of thumbnails, in pixels."""
_EDGES_SIDE = 12
_BINS = 16
_HALF = np.float16  # fine enough for thumbnails, and half the memory

Numbers = NDArray[Any]


@dataclass(frozen=True, repr=False)
class Looks:
    """N images, (N, D) float16 each: some 6 kB an image in all, whatever its size."""

    background: Numbers
    """A thumbnail of what is around the sector, and how much edges there are in each place. A place inside
    the sector has the mean of the images whose background is there, so that the outline does not show."""
    outline: Numbers
    """A thumbnail of the sector's mask, its share of the image and the box around it."""
    sector: Numbers
    """A thumbnail of the box around the sector, black outside it, and a histogram of what is inside."""
    whole: Numbers
    """A thumbnail of the image."""
    properties: dict[str, list[float]]
    """As `sectoraug.properties` gives them."""
    letters: list[NDArray[np.uint64]]
    """What is written in each background, as digests of small blocks; see `lettering`."""

    def __len__(self) -> int:
        return len(self.whole)


def look_at(images: Sequence[Any], sectors: Sequence[Any], progress: bool = True) -> Looks:
    """Look at every image once; none is held longer.

    Raises:
        TypeError, ValueError: an image or a sector is not as `audit` expects it, named by its index.
    """
    found: dict[str, list[Any]] = {key: [] for key in ("background", "outline", "sector", "whole")}
    properties: list[dict[str, float]] = []
    letters = []
    for i in track(range(len(images)), len(images), "look", progress):
        image, inside = pair(images, sectors, i)
        grey = grey_of(image)
        edges = edges_of(grey, inside)
        for key, values in _looks(grey, edges, inside).items():
            found[key].append(values.astype(_HALF))
        properties.append(properties_of(image, inside, grey, edges))
        letters.append(letters_of(grey, edges))
    arrays = {key: np.stack(values) for key, values in found.items()}
    arrays["background"] = _filled(arrays["background"])
    return Looks(
        **arrays,
        properties={key: [each[key] for each in properties] for key in properties[0]},
        letters=letters,
    )


def _looks(grey: Numbers, edges: Numbers, inside: NDArray[np.bool_]) -> dict[str, Numbers]:
    height, width = grey.shape
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    ends = (rows[0] / height, rows[-1] / height, columns[0] / width, columns[-1] / width)
    content = np.where(inside, grey, 0)
    levels = np.histogram(grey[inside], _BINS, (0, 256))[0] / inside.sum()
    return {
        "background": np.concatenate(
            [_around(grey, inside, SIDE), _around(edges, inside, _EDGES_SIDE)], dtype=np.float32
        ),
        "outline": np.concatenate(
            [thumbnail(255 * inside, SIDE), [inside.mean(), *ends, height / width]], dtype=np.float32
        ),
        "sector": np.concatenate([thumbnail(content[box], SIDE), levels], dtype=np.float32),
        "whole": thumbnail(grey, SIDE),
    }


def _around(plane: Numbers, inside: NDArray[np.bool_], side: int) -> Numbers:
    """A thumbnail of the background alone; NaN where most of a place is sector."""
    share = thumbnail(255 * (~inside), side)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(share < 0.5, np.nan, thumbnail(np.where(inside, 0, plane), side) / share)


def _filled(backgrounds: Numbers) -> Numbers:
    seen = ~np.isnan(backgrounds)
    sums = np.where(seen, backgrounds, 0).sum(0, dtype=np.float64)
    return np.where(seen, backgrounds, sums / np.maximum(seen.sum(0), 1)).astype(_HALF)


def thumbnail(plane: Numbers, side: int) -> Numbers:
    """(side * side,) float32 in 0..1 of a plane of grey levels in 0..255."""
    small = cv2.resize(plane.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small.ravel() / 255)
