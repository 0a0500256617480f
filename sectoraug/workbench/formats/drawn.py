"""Masks that a person drew, in whichever format they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.reading.sizes import check_is_file
from sectoraug.reading.stills import read_sector
from sectoraug.workbench.formats import coco, dicom_seg, nifti, slicer_ultrasound

SUFFIXES = (".seg.dcm", ".dcm", ".nii.gz", ".nii", ".json", ".png")
"""Of masks in a folder; the longest that fits is what a clip's name ends before."""


def suffix_of(name: str) -> str | None:
    """The ending that makes a file a mask."""
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), None)


def read_drawn(path: Path, name: str, clip: Path) -> NDArray[np.uint8]:
    """The sector of a clip as (H, W) uint8, nonzero inside.

    Args:
        path: the mask, or a COCO file of many.
        name: of the image in a COCO file.
        clip: what the mask must have been made on, where it says so.
    """
    check_is_file(path)
    suffix = suffix_of(path.name)
    if suffix in (".dcm", ".seg.dcm"):
        sector = dicom_seg.read(path, clip)
    elif suffix in (".nii", ".nii.gz"):
        sector = nifti.read(path, clip)
    elif suffix == ".json":
        sector = coco.read(path, name) if name else slicer_ultrasound.read(path, clip)
    else:
        return read_sector(path)
    return checks.sector(sector, name=str(path))


def coco_names(path: Path) -> dict[str, list[str]]:
    """As of `coco.names_in`, for a file that is given in place of a folder."""
    if path.suffix.lower() != ".json":
        raise ValueError(
            f"{path} is no folder and no COCO file; expected either: put masks into a folder under their "
            "clips' names."
        )
    return coco.names_in(path)
