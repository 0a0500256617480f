"""Stills, TIFFs of many pages, animations, and folders of stills."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.reading import animations
from sectoraug.reading.clips import FAMILIES
from sectoraug.reading.sizes import check_size, pages_of_tiff
from sectoraug.reading.stills import decode_image

STILLS = FAMILIES["images"]
_PIXELS_AT_ONCE = 1 << 23


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """The number of frames, and the frames: of a TIFF, an animation or a folder, or one still."""
    if path.is_dir():
        files = stills_of(path)
        return len(files), (_without_alpha(decode_image(file)) for file in files)
    with open(path, "rb") as file:
        moves = animations.is_animated(file)
    if moves:
        return animations.open_clip(path)
    sizes = _sizes_of_pages(path) if path.suffix.lower() in (".tif", ".tiff") else []
    if len(sizes) > 1:
        return len(sizes), _pages(path, sizes)
    return 1, (_without_alpha(decode_image(file)) for file in (path,))


def stills_of(folder: Path) -> list[Path]:
    """The stills of a folder in the order of their names, frame2 before frame10."""
    files = [p for p in folder.iterdir() if p.name.lower().endswith(STILLS) and not p.name.startswith(".")]
    files = [
        p for p in files if p.is_file() or not p.exists()
    ]  # no FIFO, but a broken link: that is an error
    return sorted(files, key=lambda file: [(len(p), p) if p.isdigit() else (0, p) for p in _parts(file.name)])


def _parts(name: str) -> list[str]:
    return [part.lstrip("0") or "0" if part.isdigit() else part for part in re.split(r"([0-9]+)", name)]


def _sizes_of_pages(path: Path) -> list[tuple[int, int]]:
    with open(path, "rb") as file:
        sizes = pages_of_tiff(path, file)
    for height, width in sizes:
        check_size(path, height, width)
    return sizes


def _pages(path: Path, sizes: list[tuple[int, int]]) -> Iterator[NDArray[Any]]:
    """Several pages at a time: OpenCV walks to the first of them from the start of the file."""
    largest = max(height * width for height, width in sizes)
    start, n = 0, max(1, _PIXELS_AT_ONCE // max(largest, 1))
    while start < len(sizes):
        n = min(n, len(sizes) - start)
        pages = _decoded(path, start, n)
        if len(pages) < n and n == 1:
            return  # a page too few: the caller counts
        if len(pages) < n:  # a damaged one takes its neighbours along
            n //= 2
            continue
        for page in pages:
            yield page if page.ndim == 2 else _without_alpha(page[:, :, [2, 1, 0]])
        start += n


def _decoded(path: Path, start: int, n: int) -> list[NDArray[Any]]:
    try:
        done, pages = cv2.imreadmulti(str(path), start, n, flags=cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return []
    return [np.asarray(page) for page in pages] if done else []


def _without_alpha(frame: NDArray[Any]) -> NDArray[Any]:
    return frame[:, :, :3] if frame.ndim == 3 and frame.shape[2] == 4 else frame
