"""One clip's mask, as every format takes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.clips import is_dicom
from sectoraug.reading.stills import read_sector


class LeftOut(ValueError):
    """A format cannot say this mask; the words fit after "left out: "."""


@dataclass(frozen=True, repr=False)
class ClipMask:
    """The mask that `apply` would take for a clip."""

    name: str
    """Of the clip, relative to the input that it was found in."""
    file: Path
    """The PNG of a `masks` run."""
    geometry: sa.SectorGeometry | None
    find_clip: Callable[[], Path | None] = lambda: None
    """Where the clip is, unchanged; it may read the whole clip."""
    drawn: bool = False

    @property
    def sector(self) -> NDArray[np.uint8]:
        """(H, W), 1 inside; read at each call, as there may be thousands."""
        return np.asarray(read_sector(self.file) != 0, np.uint8)

    @cached_property
    def clip(self) -> Path | None:
        """Where the clip is, or None if it is gone or has changed."""
        return self.find_clip()

    @property
    def header(self) -> Any:
        """A DICOM clip's, as a pydicom data set of its own. Raises LeftOut where there is none."""
        if self.clip is None:
            raise LeftOut("clip gone or changed")
        if not self.clip.is_file() or not is_dicom(self.clip):
            raise LeftOut("no DICOM")
        from sectoraug.reading.dicom import read_header

        return read_header(self.clip)


def only_sector(frames: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    """The one sector of (T, H, W) labels, as (H, W) uint8 of 0/1.

    Raises ValueError where a label beside 0 and another, or a change over time, speaks of several sectors.
    """
    first = frames[0]
    labels = {label for frame in frames for label in np.unique(frame).tolist()} - {0}
    if len(labels) > 1:
        raise ValueError(
            f"{path} holds {len(labels)} labels beside 0; expected one sector for a clip: keep "
            "its label alone."
        )
    changed = sum(not np.array_equal(frame, first) for frame in frames)
    if changed:
        raise ValueError(
            f"{path} holds several sectors: {changed} of {len(frames)} frames differ from the first; "
            "expected one sector for a clip: keep one frame's."
        )
    return np.asarray(first != 0, np.uint8)
