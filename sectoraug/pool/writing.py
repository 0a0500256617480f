"""Donors on their way into a pool: each checked, blacked, fitted and written, or left out with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.pool.fitting import fit
from sectoraug.pool.folder import Writer
from sectoraug.progress import track

Stream = tuple[str, Callable[[], Iterable[tuple[Any, Any]]]]
"""A name, and what gives (image, sector) pairs when called."""


def write_donors(
    writer: Writer,
    streams: Iterable[Stream],
    n: int,
    size: tuple[int, int],
    resize: str,
    skip_invalid: bool,
    progress: bool,
) -> tuple[str, ...]:
    """Write every stream's donors; return a sentence for each invalid one that was left out."""
    skipped: list[str] = []
    with writer:
        for name, load in track(streams, n, "pool", progress):
            donors = _donors(name, load, size, resize)
            while True:
                try:
                    donor = next(donors, None)
                    if donor is None:
                        break
                    writer.check(donor[0], name)
                except (OSError, ValueError, TypeError) as error:
                    if not skip_invalid:
                        raise
                    skipped.append(str(error))
                    break
                writer.add(*donor)
        if writer.n == 0:
            raise ValueError(
                f"the pool would be empty ({n} donors given, {len(skipped)} of them invalid); "
                "expected at least one image with a sector that is neither empty nor full-frame."
            )
        writer.finish()
    return tuple(skipped)


def _donors(
    name: str, load: Callable[[], Iterable[tuple[Any, Any]]], size: tuple[int, int], resize: str
) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8]]]:
    for image, sector in load():
        yield _donor(image, sector, size, resize, name)


def _donor(
    image: Any, sector: Any, size: tuple[int, int], resize: str, name: str
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    checks.image(image, name)
    inside = checks.sector(sector, image.shape[:2], f"the sector of {name}", "use skip_invalid=True")
    if cv2.countNonZero(inside) == inside.size:
        raise ValueError(
            f"the sector of {name} fills the whole frame; expected a donor with some background: "
            "leave it out, or use skip_invalid=True."
        )
    try:
        background, inside = fit(image, inside, size, resize)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return background, np.packbits(inside != 0)
