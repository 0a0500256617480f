"""Building a pool: from arrays, from files, or from anything that gives images and sectors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from sectoraug import checks
from sectoraug.pool.fitting import RESIZE
from sectoraug.pool.folder import FolderWriter, MemoryWriter
from sectoraug.pool.writing import Stream, write_donors
from sectoraug.reading.stills import read_image, read_sector


class Building:
    """The ways to build a pool; `BackgroundPool` says what becomes of the donors that were written."""

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        sectors: Any,
        *,
        size: tuple[int, int] | None = None,
        resize: str = "raise",
        skip_invalid: bool = False,
    ) -> Self:
        """Build a pool in memory.

        Args:
            images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), uint8 or float32; or a list of images.
            sectors: (N, H, W), bool or uint8 of 0/1 or 0/255; or a list of sectors.
            size: (height, width) of the pool in pixels; None for that of the first image.
            resize: "stretch", "pad" or "raise", as in `from_files`.
            skip_invalid: leave out donors with a missing or full-frame sector, and count them in
                `skipped`, instead of raising.
        """
        checks.choice(resize, RESIZE, "resize")
        for name, arrays in (("images", images), ("sectors", sectors)):
            if not isinstance(arrays, (np.ndarray, list, tuple)) or getattr(arrays, "ndim", 1) == 0:
                raise TypeError(
                    f"{name} is {checks.describe(arrays)}; expected a NumPy array or a list of them."
                )
        if len(images) != len(sectors):
            raise ValueError(
                f"there are {len(images)} images and {len(sectors)} sectors; expected one sector an image."
            )
        if size is not None:
            size = checks.size(size)
        elif len(images):
            size = np.shape(images[0])[:2]
        streams = (
            (f"donor {index}", lambda i=index: [(images[i], sectors[i])]) for index in range(len(images))
        )
        return cls._built(streams, len(images), size or (0, 0), resize, skip_invalid, None, False)

    @classmethod
    def from_files(
        cls,
        image_paths: Iterable[str | Path],
        sector_paths: Iterable[str | Path],
        size: tuple[int, int],
        *,
        resize: str = "stretch",
        skip_invalid: bool = False,
        folder: str | Path | None = None,
        progress: bool = True,
    ) -> Self:
        """Build a pool from image files, one at a time.

        Args:
            image_paths: PNG, JPEG, TIFF, BMP, WEBP or NPY files, all grey or all colour (RGB).
            sector_paths: as many mask files, each of its image's size.
            size: (height, width) of the pool, in pixels: that of the images at the swap.
            resize: "stretch" ignores the aspect ratio, "pad" keeps it on black borders, "raise"
                accepts no other size. Donors are blacked before and again after.
            skip_invalid: leave out unreadable files and invalid sectors, and count them in
                `skipped`, instead of raising.
            folder: build in this new folder, as `save` would, and map it: needs no memory for the
                pool. None keeps the pool (not the images) in memory.
            progress: show a progress bar on stderr.
        """
        images, sectors = list(image_paths), list(sector_paths)
        if len(images) != len(sectors):
            raise ValueError(
                f"there are {len(images)} image paths and {len(sectors)} sector paths; expected one "
                "sector file an image, in the same order."
            )
        checks.choice(resize, RESIZE, "resize")
        streams = (
            (str(image), lambda i=image, s=sector: [(read_image(i), read_sector(s))])
            for image, sector in zip(images, sectors, strict=True)
        )
        target = None if folder is None else Path(folder)
        return cls._built(streams, len(images), checks.size(size), resize, skip_invalid, target, progress)

    @classmethod
    def from_streams(
        cls,
        streams: Iterable[Stream],
        n: int,
        size: tuple[int, int],
        folder: str | Path,
        *,
        resize: str = "stretch",
        skip_invalid: bool = False,
        progress: bool = True,
    ) -> Self:
        """Build a pool in a new folder from anything that gives images and sectors, such as clips.

        Args:
            streams: (name, load); load() gives (image, sector) pairs as `from_arrays` takes them, one at a
                time. What it raises counts as an invalid donor; those that it gave before stay.
            n: how many streams, for the progress bar.

        The other arguments are as in `from_files`.
        """
        checks.choice(resize, RESIZE, "resize")
        return cls._built(streams, n, checks.size(size), resize, skip_invalid, Path(folder), progress)

    @classmethod
    def _built(
        cls,
        streams: Iterable[Stream],
        n: int,
        size: tuple[int, int],
        resize: str,
        skip_invalid: bool,
        folder: Path | None,
        progress: bool,
    ) -> Self:
        skip_invalid = checks.flag(skip_invalid, "skip_invalid")
        writer = MemoryWriter(n) if folder is None else FolderWriter(folder)
        skipped = write_donors(writer, streams, n, size, resize, skip_invalid, progress)
        return cls._from_writer(writer, skipped)

    @classmethod
    def _from_writer(cls, writer: MemoryWriter | FolderWriter, skipped: tuple[str, ...]) -> Self:
        raise NotImplementedError
