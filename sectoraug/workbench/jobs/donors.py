"""A pool of backgrounds from an archive whose sectors are found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.progress import track
from sectoraug.workbench.jobs.kept import kept_sector
from sectoraug.workbench.run.sources import Source, sha256_of

_DARK = 32  # of 255: what screens show darker than this is noise


def build_pool(
    masks: Path,
    sources: Sequence[Source],
    folder: Path,
    size: tuple[int, int],
    *,
    frames: int = 1,
    grey: bool = True,
    resize: str = "stretch",
    quality_at_least: float = 0.5,
    reviewed_only: bool = False,
    progress: bool = True,
) -> sa.BackgroundPool:
    """Build a pool in a new folder, from `frames` evenly spaced frames of each clip that has a good sector.

    Clips are read one at a time; those that give no donor are named in the pool's `skipped`.
    """
    streams = (
        (source.name, partial(_donors, masks, source, frames, grey, quality_at_least, reviewed_only))
        for source in sources
    )
    return sa.BackgroundPool.from_streams(
        streams, len(sources), size, folder, resize=resize, skip_invalid=True, progress=progress
    )


def n_nearly_black(pool: sa.BackgroundPool, progress: bool = True) -> int:
    """The number of backgrounds with less than one pixel in a thousand that a person would see."""
    return sum(
        (pool.background(index) > _DARK).mean() < 0.001
        for index in track(range(len(pool)), len(pool), "look", progress)
    )


def _donors(
    masks: Path, source: Source, frames: int, grey: bool, quality_at_least: float, reviewed_only: bool
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    sha256 = sha256_of(Path(source.path))
    kept = kept_sector(masks, sha256, source.name, quality_at_least, reviewed_only)
    covered = np.array(kept.covered)
    chosen = set(covered[np.linspace(0, len(covered) - 1, frames).round().astype(int)].tolist())
    for index, frame in enumerate(sa.iter_clip(source.path, grey, miscounted="keep")):
        if index in chosen:
            chosen.remove(index)
            yield frame, kept.at(index)
        if not chosen:
            return
