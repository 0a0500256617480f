"""The mask JSON of 3D Slicer's SlicerUltrasound: a fan by angles, centre and radii, or a rectangle.

It draws whole pixels, so its own keys are rounded; ours beside them keeps the outline as it was.
"""

from __future__ import annotations

import json
from math import degrees, isfinite, radians
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sectoraug as sa
from sectoraug.reading.sizes import TooLarge, check_size
from sectoraug.sectors.outline.overlap import iou
from sectoraug.workbench.formats.clip_mask import ClipMask, LeftOut
from sectoraug.workbench.formats.instance import instance_uid, must_be_of

SUFFIX = ".json"
OURS = "sectoraug_geometry"
LEAST_OVERLAP = 0.9
"""Of a mask with what the rounded keys draw; below, another shape would go out than was reviewed."""
_FAN = ("angle1", "angle2", "center_rows_px", "center_cols_px", "radius1", "radius2")
_RECTANGLE = ("rectangle_left", "rectangle_top", "rectangle_right", "rectangle_bottom")


def write(mask: ClipMask, part: Path) -> float:
    """Write a fan or rectangle; return its overlap with the mask, 0..1. Raises LeftOut for other shapes."""
    sector = mask.sector
    height, width = sector.shape
    geometry = mask.geometry or sa.fit_outline(sector)
    keys = keys_of(geometry)
    common = iou(_drawn(keys, (height, width)), sector)
    if common < LEAST_OVERLAP:
        raise LeftOut("neither a fan nor a rectangle")
    about = {
        "SOPInstanceUID": instance_uid(mask.clip) or "",
        "GrayscaleConversion": False,
        **keys,
        "image_size_rows": height,
        "image_size_cols": width,
        "AnnotationLabels": [],
        "frame_annotations": [],
        OURS: geometry.to_dict(),
    }
    part.write_text(json.dumps(about, indent=1))
    return common


def read(path: Path, clip: Path) -> NDArray[np.uint8]:
    """The sector as (H, W) uint8 of 0/1."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        about = about.get("MaskConfig") or about
        size = int(about["image_size_rows"]), int(about["image_size_cols"])
        check_size(path, *size)
        keys = {key: about[key] for key in ("mask_type", *_FAN, *_RECTANGLE) if key in about}
        outline = about.get(OURS)
        geometry = None if outline is None else sa.SectorGeometry.from_dict(outline)
        if geometry is not None and keys_of(geometry) == keys:  # nobody moved the fan since
            sector = geometry.rasterise(size).astype(np.uint8)
        else:
            sector = _drawn(keys, size)
    except TooLarge:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(
            f"{path} is no mask of SlicerUltrasound; expected its JSON with mask_type fan or rectangle, "
            "their numbers and the image's size: save the mask there again."
        ) from error
    must_be_of(str(about.get("SOPInstanceUID") or ""), path, clip)
    return sector


def keys_of(geometry: sa.SectorGeometry) -> dict[str, Any]:
    """What their reader takes: whole pixels, and degrees from the right, clockwise as one sees them."""
    if geometry.apex_px is None:
        left, top, right, bottom = geometry.box_px
        numbers = [int(np.ceil(left)), int(np.ceil(top)), int(np.floor(right)), int(np.floor(bottom))]
        return {"mask_type": "rectangle", **dict(zip(_RECTANGLE, numbers, strict=True))}
    x, y = geometry.apex_px
    start, end = geometry.angles_rad
    numbers = [round(y), round(x), *(round(radius) for radius in geometry.radii_px)]
    return {
        "mask_type": "fan",
        **dict(zip(_FAN, [90 - degrees(end), 90 - degrees(start), *numbers], strict=True)),
    }


def _drawn(keys: dict[str, Any], size: tuple[int, int]) -> NDArray[np.uint8]:
    """What the keys say, drawn by our rule: a pixel is inside where its centre is."""
    kind = keys.get("mask_type", "fan")  # files from before rectangles do not say
    if kind == "rectangle":
        left, top, right, bottom = (float(keys[key]) for key in _RECTANGLE)
        box = sa.SectorGeometry("rectangle", (left, top, right, bottom))
        return box.rasterise(size).astype(np.uint8)
    if kind != "fan":
        raise ValueError
    numbers = [float(keys[key]) for key in _FAN]
    if not all(map(isfinite, numbers)):
        raise ValueError
    angle1, angle2, y, x, radius1, radius2 = numbers
    fan = sa.SectorGeometry(
        "phased",
        (-0.5, -0.5, size[1] - 0.5, size[0] - 0.5),
        (x, y),
        (radians(90 - max(angle1, angle2)), radians(90 - min(angle1, angle2))),
        (min(radius1, radius2), max(radius1, radius2)),
    )
    return fan.rasterise(size).astype(np.uint8)
