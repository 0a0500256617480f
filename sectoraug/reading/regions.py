"""What a file's header says of areas on its screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KINDS = ("2d", "colour", "m-mode", "spectral", "other")


@dataclass(frozen=True)
class Region:
    """An area on a scanner's screen, as the scanner says; makers differ in what they take for one."""

    kind: str
    """One of KINDS."""
    box_px: tuple[int, int, int, int]
    """Left, top, right, bottom, both ends included."""


def read_regions(path: str | Path) -> tuple[Region, ...]:
    """The regions that a DICOM file's header names (its Sequence of Ultrasound Regions); none for others.

    Errors are those of `iter_clip`.
    """
    from sectoraug.reading.clips import is_dicom

    path = Path(path)
    if path.is_dir() or not is_dicom(path):
        return ()
    from sectoraug.reading.dicom import read_header

    found = []
    header = read_header(path)
    try:
        items = list(header.get("SequenceOfUltrasoundRegions") or ())
    except Exception:  # it is decoded here, and a damaged one can raise anything
        return ()
    for item in items:
        try:
            kind = {1: "2d", 2: "m-mode", 3: "spectral"}.get(int(item.RegionSpatialFormat), "other")
            if kind == "2d" and int(item.get("RegionDataType", 1)) == 2:
                kind = "colour"
            left, top = int(item.RegionLocationMinX0), int(item.RegionLocationMinY0)
            right, bottom = int(item.RegionLocationMaxX1), int(item.RegionLocationMaxY1)
        except Exception:
            continue  # a clue that cannot be read is none
        found.append(Region(kind, (left, top, right, bottom)))
    return tuple(found)
