"""Animated PNG, through PyAV, and animated WEBP, through Pillow: files whose suffix is that of a still."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading import video
from sectoraug.reading.sizes import check_size


def is_animated(file: BinaryIO) -> bool:
    """Whether an open file is a PNG or WEBP of more than one frame, by its header."""
    return _n_of_apng(file) > 1 or _is_webp(file)


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """The number of frames, and the frames; alpha channels are left out."""
    with open(path, "rb") as file:
        if _is_webp(file):
            return _open_webp(path)
        return _n_of_apng(file), video.open_clip(path)[1]


def _n_of_apng(file: BinaryIO) -> int:
    """The number of frames of an animated PNG; 1 for any other file."""
    file.seek(0)
    if file.read(8) != b"\x89PNG\r\n\x1a\n":
        return 1
    while len(head := file.read(8)) == 8 and head[4:] != b"IDAT":
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"acTL":
            return max(1, int.from_bytes(file.read(4), "big"))
        file.seek(length + 4, os.SEEK_CUR)
    return 1


def _is_webp(file: BinaryIO) -> bool:
    file.seek(0)
    start = file.read(21)
    return start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X" and len(start) == 21 and bool(start[20] & 2)


def _open_webp(path: Path) -> tuple[int, Iterator[NDArray[Any]]]:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('reading animated WEBP needs Pillow: pip install "sectoraug[video]".') from error
    try:
        image = Image.open(path, formats=["WEBP"])
    except Exception as error:  # what a damaged file raises depends on where it is damaged
        raise _unreadable(path, error) from error
    check_size(path, image.height, image.width)
    return getattr(image, "n_frames", 1), _frames_of_webp(path, image)


def _frames_of_webp(path: Path, image: Any) -> Iterator[NDArray[Any]]:
    with image:
        for index in range(getattr(image, "n_frames", 1)):
            try:
                image.seek(index)
                frame = np.array(image.convert("RGBA"))[:, :, :3]
            except Exception as error:
                raise _unreadable(path, error) from error
            yield frame


def _unreadable(path: Path, error: Exception) -> OSError:
    return OSError(
        f"{path} is no readable WEBP ({type(error).__name__}): it is truncated or damaged; copy it again, or "
        "leave it out."
    )
