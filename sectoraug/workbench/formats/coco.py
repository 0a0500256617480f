"""COCO JSON of instances through pycocotools: one image a clip, one annotation of category `sector`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.sizes import TooLarge, check_size
from sectoraug.workbench.formats.clip_mask import ClipMask
from sectoraug.workbench.formats.polygons import polygons_of

CATEGORY = "sector"
_FARTHEST = 10  # of an image's longer side, from its corner
_STILLS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def write(masks: Iterable[ClipMask], part: Path, polygons: bool = False) -> None:
    """Write masks as run lengths, bit for bit, or as polygons where they have no holes."""
    rle = _rle()
    images, annotations = [], []
    for k, mask in enumerate(masks, 1):
        sector = mask.sector
        height, width = sector.shape
        code = rle.encode(np.asfortranarray(sector))
        outline = polygons_of(sector, mask.geometry) if polygons else None
        counted = {"size": [height, width], "counts": code["counts"].decode()}
        images.append({"id": k, "file_name": mask.name, "height": height, "width": width})
        annotations.append(
            {
                "id": k,
                "image_id": k,
                "category_id": 1,
                "segmentation": outline or counted,
                "area": float(rle.area(code)),
                "bbox": [float(value) for value in rle.toBbox(code)],
                "iscrowd": 0,  # evaluation and training skip what is called a crowd
            }
        )
    part.write_text(
        json.dumps(
            {
                "info": {"description": "Ultrasound sectors, by sectoraug"},
                "images": images,
                "annotations": annotations,
                "categories": [{"id": 1, "name": CATEGORY, "supercategory": "ultrasound"}],
            }
        )
    )


def names_in(path: Path) -> dict[str, list[str]]:
    """The images that have an annotation, by the clips' names that they fit: whole, or without .png."""
    found: dict[str, list[str]] = {}
    for name, (_, outlines) in _images(path, path.stat().st_mtime_ns).items():
        if outlines:
            found.setdefault(name, []).append(name)
            stem, dot, ending = name.rpartition(".")
            if dot and f".{ending.lower()}" in _STILLS:
                found.setdefault(stem, []).append(name)
    return found


def read(path: Path, name: str) -> NDArray[np.uint8]:
    """The sector of the image of that file name, (H, W) uint8 of 0/1."""
    image, outlines = _images(path, path.stat().st_mtime_ns)[name]
    if len(outlines) != 1:
        raise ValueError(
            f"{path} has {len(outlines)} annotations of one image; expected one sector for a clip: join "
            f"them, or call only the sector {CATEGORY!r}."
        )
    rle = _rle()
    outline: Any = outlines[0].get("segmentation")
    try:
        height, width = int(image["height"]), int(image["width"])
        check_size(path, height, width)
        if isinstance(outline, list):
            if not (np.abs(np.concatenate(outline)) <= _FARTHEST * max(height, width)).all():
                raise ValueError("far outside, which pycocotools does not survive")
            code = rle.merge(rle.frPyObjects(outline, height, width))
        elif isinstance(outline["counts"], list):
            code = rle.frPyObjects(outline, *outline["size"])
        else:
            code = outline
        if list(code["size"]) != [height, width] or _pixels(code["counts"]) != height * width:
            raise ValueError("of another size")
        return np.asarray(rle.decode(code), np.uint8)
    except TooLarge:
        raise
    except Exception as error:  # pycocotools raises whatever it meets
        raise ValueError(
            f"{path} has an annotation that cannot be read ({type(error).__name__}); expected polygons, or "
            "run lengths of the image's height and width: export it again."
        ) from error


def _pixels(counts: str | bytes) -> int:
    """The pixels that run lengths cover; where they end early, pycocotools gives what memory held before."""
    runs: list[int] = []
    value = bits = 0
    for sign in counts.encode() if isinstance(counts, str) else counts:
        value |= (sign - 48 & 0x1F) << bits
        bits += 5
        if sign - 48 & 0x20:
            continue
        if sign - 48 & 0x10:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    return sum(runs) if min(runs, default=0) >= 0 else -1


def is_coco(about: Any) -> bool:
    """Whether parsed JSON looks like COCO."""
    return isinstance(about, dict) and "images" in about and "annotations" in about


@lru_cache(maxsize=1)
def _images(path: Path, changed: int) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if not is_coco(about):
            raise ValueError
        images = {image["id"]: (image, list[dict[str, Any]]()) for image in about["images"]}
        ours = {each["id"] for each in about.get("categories", ()) if each.get("name") == CATEGORY}
        for each in about["annotations"]:
            if not ours or each["category_id"] in ours:
                images[each["image_id"]][1].append(each)
        found = {image["file_name"]: (image, outlines) for image, outlines in images.values()}
        if not all(isinstance(name, str) for name in found):
            raise TypeError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is no COCO file of instances; expected JSON with images, annotations and their ids: "
            "export it again."
        ) from error
    if len(found) < len(images):
        raise ValueError(
            f"{path} names {len(images) - len(found)} images like another one; expected each file name "
            "once, with its folder: patient/view.dcm."
        )
    return found


def _rle() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError('COCO masks need pycocotools: pip install "sectoraug[coco]".') from error
    return mask
