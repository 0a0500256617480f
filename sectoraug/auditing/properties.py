"""Numbers of an image that anybody understands, for this audit and for other tools'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks

Plane = NDArray[Any]

_SEAM_PX = 2
_TEXT = 64
"""The least edge, in grey levels, that counts as text or a mark."""
_COLOURED = 24
"""The least difference between a pixel's channels, in grey levels, that counts as colour."""


def properties(images: Sequence[Any], sectors: Sequence[Any]) -> dict[str, list[float]]:
    """Numbers of each image: sizes, the sector's shape, levels, text around it.

    A dict of lists, one number an image, as pandas.DataFrame takes it (and with it deepchecks' tabular checks
    and cleanlab's Datalab) and as FiftyOne's `set_values` takes each of its lists.

    Args:
        images: N of (H, W), (H, W, 1) or (H, W, 3), of any sizes; uint8, or float32 in 0..1.
        sectors: N of (H, W), bool or uint8 of 0/1 or 0/255, nonzero inside.

    Returns:
        height_px, width_px, aspect (width over height); sector_percent (of the image), opening_deg (between
        the sides of the sector, measured at a quarter and half of its height; 0 for a rectangle),
        sector_left, sector_top, sector_right, sector_bottom (0..1 of the image); brightness and contrast
        (mean and standard deviation of the image, 0..255), sector_mean, background_mean (0..255),
        text_percent (of the background: pixels with edges as of letters), colour_percent (of the image).

    Raises:
        TypeError, ValueError: an image or sector is not as above; the sentence names its index.

    Examples:
        >>> import sectoraug as sa
        >>> data = sa.phantom.make_dataset(4, size=(64, 64))
        >>> found = sa.properties(data.images, data.sectors)
        >>> found["height_px"], len(found["opening_deg"])
        ([64.0, 64.0, 64.0, 64.0], 4)
    """
    rows = []
    for i in range(same_length(images, sectors)):
        image, inside = pair(images, sectors, i)
        grey = grey_of(image)
        rows.append(properties_of(image, inside, grey, edges_of(grey, inside)))
    return {key: [row[key] for row in rows] for key in rows[0]}


def properties_of(image: Plane, inside: NDArray[np.bool_], grey: Plane, edges: Plane) -> dict[str, float]:
    """Of one image; `grey` and `edges` as `grey_of` and `edges_of` give them."""
    height, width = grey.shape
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    background = grey[~inside]
    found = {
        "height_px": height,
        "width_px": width,
        "aspect": width / height,
        "sector_percent": 100 * inside.mean(),
        "opening_deg": _opening_deg(inside, rows),
        "sector_left": columns[0] / width,
        "sector_top": rows[0] / height,
        "sector_right": (columns[-1] + 1) / width,
        "sector_bottom": (rows[-1] + 1) / height,
        "brightness": grey.mean(),
        "contrast": grey.std(),
        "sector_mean": grey[inside].mean(),
        "background_mean": background.mean() if background.size else 0,
        "text_percent": 100 * (edges > _TEXT).sum() / max(1, background.size),
        "colour_percent": _colour_percent(image),
    }
    return {key: float(value) for key, value in found.items()}


def same_length(images: Sequence[Any], sectors: Sequence[Any]) -> int:
    """The number of images, one or more, if there are as many sectors."""
    for name, given in (("images", images), ("sectors", sectors)):
        if not hasattr(given, "__len__") or getattr(given, "shape", None) == ():
            raise TypeError(f"{name} is {checks.describe(given)}; expected an array, a list, or its like.")
    if len(images) != len(sectors) or not len(images):
        raise ValueError(
            f"there are {len(images)} images and {len(sectors)} sectors; expected one or more, and one "
            "sector an image."
        )
    return len(images)


def pair(images: Sequence[Any], sectors: Sequence[Any], i: int) -> tuple[Plane, NDArray[np.bool_]]:
    """The i-th image and its sector, (H, W) bool, checked."""
    image = images[i]
    checks.picture(image, f"images[{i}]")
    return image, checks.sector(sectors[i], image.shape[:2], f"sectors[{i}]") != 0


def grey_of(image: Plane) -> Plane:
    """(H, W) float32 in 0..255."""
    plane = image if image.ndim == 2 or image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    plane = plane.reshape(plane.shape[:2])
    if image.dtype == checks.UINT8:
        return np.asarray(plane, np.float32)
    if plane.min() < 0 or plane.max() > 1:
        raise ValueError(
            f"an image is {checks.describe(image)} with values outside 0..1; expected float32 in 0..1 or "
            "uint8: undo its normalisation first."
        )
    return np.asarray(255 * plane, np.float32)


def edges_of(grey: Plane, inside: NDArray[np.bool_]) -> Plane:
    """(H, W) float32: steps of grey levels in the background, 0 at the sector and its seam."""
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    near = np.ones((2 * _SEAM_PX + 1,) * 2, np.uint8)
    edges[cv2.dilate(inside.view(np.uint8), near) != 0] = 0
    return np.asarray(np.minimum(edges, 255))


def _opening_deg(inside: NDArray[np.bool_], rows: NDArray[np.intp]) -> float:
    span = len(rows) - 1
    upper, lower = rows[span // 4], rows[span // 2]
    if lower == upper:
        return 0.0
    ends = [np.flatnonzero(inside[row])[[0, -1]] for row in (upper, lower)]
    left, right = (ends[0] - ends[1]) / (lower - upper)
    return float(np.degrees(np.arctan(left) + np.arctan(-right)))


def _colour_percent(image: Plane) -> float:
    if image.ndim == 2 or image.shape[2] == 1:
        return 0.0
    spread = cv2.subtract(
        cv2.max(cv2.max(*cv2.split(image)[:2]), cv2.split(image)[2]),
        cv2.min(cv2.min(*cv2.split(image)[:2]), cv2.split(image)[2]),
    )
    scale = 1 if image.dtype == checks.UINT8 else 1 / 255
    return float(100 * (spread > _COLOURED * scale).mean())
