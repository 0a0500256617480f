"""A recipe for deid and a script for CTP: what is blackened outside the sectors' bounding box, by scanner.

A rectangle cannot follow a fan: what stands in its corners stays. `sectoraug apply` blackens that, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sectoraug.workbench.formats.clip_mask import ClipMask, LeftOut

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are not inside."""
_OF_GRAMMAR = '"{}\\\n\r#+|'
SAID = "Rectangles cannot follow a fan: text in the corners of the box stays, and so do names in headers."
"""What stands in both files."""


class Scanner(NamedTuple):
    """What a rule can tell scanners by."""

    modality: str | None
    manufacturer: str | None
    model: str | None
    rows: int
    columns: int


def scanner_of(mask: ClipMask) -> Scanner:
    """The scanner and screen of a DICOM clip. Raises LeftOut for others."""
    header = mask.header
    names = [header.get(keyword) for keyword in ("Modality", "Manufacturer", "ManufacturerModelName")]
    modality, maker, model = (None if name is None else str(name).strip() for name in names)
    if any(sign in f"{modality}{maker}{model}" for sign in _OF_GRAMMAR):
        raise LeftOut("a scanner's name that no rule can hold")
    return Scanner(modality, maker, model, int(header.Rows), int(header.Columns))


def spoilt_by_deid(mask: ClipMask) -> str | None:
    """Why a DICOM clip that deid has blackened no longer shows what it showed, or None where it does.

    deid writes RGB, pixel after pixel, and of a clip that was not compressed keeps the header.
    """
    header = mask.header
    syntax = header.file_meta.get("TransferSyntaxUID")
    if header.get("SamplesPerPixel") != 3 or (syntax is not None and syntax.is_compressed):
        return None
    if header.get("PhotometricInterpretation") == "RGB" and not header.get("PlanarConfiguration"):
        return None
    return "blackened by deid, but their colours, in planes or YBR, scrambled: take `sectoraug apply`"


def joined_box(box: Box | None, mask: ClipMask) -> Box:
    """The smallest box around a box and a mask."""
    sector = mask.sector
    rows, columns = np.flatnonzero(sector.any(1)), np.flatnonzero(sector.any(0))
    own = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    if box is None:
        return own
    return min(box[0], own[0]), min(box[1], own[1]), max(box[2], own[2]), max(box[3], own[3])


def write_deid(boxes: Mapping[Scanner, Box], part: Path) -> None:
    """A recipe whose graylist blanks all but the box."""
    lines = ["FORMAT dicom", "", f"# {SAID}", "%filter graylist", ""]
    for n, (scanner, box) in enumerate(boxes.items(), 1):
        lines += [
            f"LABEL Ultrasound screen {n}",
            f"  {_deid_filter('Modality', scanner.modality)}",
            f"  + {_deid_filter('Manufacturer', scanner.manufacturer)}",
            f"  + {_deid_filter('ManufacturerModelName', scanner.model)}",
            f"  + equals Rows {scanner.rows}",
            f"  + equals Columns {scanner.columns}",
            "  coordinates all",
            f"  keepcoordinates {','.join(map(str, box))}",
            "",
        ]
    part.write_text("\n".join(lines))


def write_ctp(boxes: Mapping[Scanner, Box], part: Path) -> None:
    """A script for CTP's DicomPixelAnonymizer, whose regions hold both of their ends."""
    said = SAID.replace("(", "").replace(")", "")
    lines = [said, "CTP passes by what is compressed in another way than JPEG baseline.", ""]
    for n, (scanner, (left, top, right, bottom)) in enumerate(boxes.items(), 1):
        height, width = scanner.rows, scanner.columns
        sides = (
            (0, 0, width, top),
            (0, bottom, width, height - bottom),
            (0, top, left, bottom - top),
            (right, top, width - right, bottom - top),
        )
        regions = " ".join(f"({x},{y},{w - 1},{h - 1})" for x, y, w, h in sides if w and h)
        lines += [
            f"Ultrasound screen {n}",
            f'  {{ Modality.equals("{scanner.modality or ""}") *',
            f'    Manufacturer.equals("{scanner.manufacturer or ""}") *',
            f'    ManufacturerModelName.equals("{scanner.model or ""}") *',
            f'    Rows.equals("{height}") * Columns.equals("{width}") }}',
            f"  {regions}",
            "",
        ]
    part.write_text("\n".join(lines))


def _deid_filter(field: str, value: str | None) -> str:
    if value is None:
        return f"missing {field}"
    return f"equals {field} {value}" if value else f"empty {field}"
