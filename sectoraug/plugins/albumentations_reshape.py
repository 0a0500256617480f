"""ReshapeSector for albumentations 2.0.8 and AlbumentationsX: the outline should tell nothing either."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from sectoraug import checks
from sectoraug.plugins.albumentations_hosts import Sampled
from sectoraug.plugins.albumentations_transform import BackgroundTransform, Inside
from sectoraug.sectors.outline.drawn import fit_outline
from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.reshape import Reshaping

_LEAST_IOU = 0.8
Range = tuple[float, float]


class ReshapeSector(BackgroundTransform):
    """Give the same echoes another outline: opening angle, depth and place change, image and sector together.

    BackMix leaves the outline as it is, and the outline may tell the label, too. The change is made along the
    beams, through the outline's polar coordinates. What leaves the image is lost, and where echoes were and
    none are now it is black: put `BackMix` after it, which fills that.

    Args:
        opening: lowest and highest factor on the angle between the sides (on a rectangle's width), in
            0.25..4; drawn log-uniformly.
        depth: the same of the distance between the arcs (of a rectangle's height).
        p: probability, in 0..1.
        shift: the sector moves by up to this share of the image's width and height each way, in 0..0.5.
        sector_key: the key of the sector, as for `BackMix`.
        missing: "raise", or "skip" to leave an image without sector as it is.

    Call keys:
        image, or images: as for `BackMix`.
        geometry: the image's SectorGeometry, as `sector_from_clip` or `fit_outline` gives it, scaled to the
            image's size. Without it the outline is fitted to the sector in each call, which takes some 40 ms.
            With it put ReshapeSector before whatever moves the image; it comes back changed.

    Raises:
        ValueError: an outline that does not explain the sector (IoU below 0.8).

    Examples:
        >>> import albumentations as A, sectoraug as sa
        >>> clip = sa.phantom.make_clip(frames=2)
        >>> sector, outline = clip.sector.astype("uint8"), sa.fit_outline(clip.sector)
        >>> train = A.Compose([sa.ReshapeSector(opening=(0.7, 0.71), depth=(0.7, 0.71), p=1.0)])
        >>> out = train(image=clip.frames[0], mask=sector, geometry=outline)
        >>> bool(0.3 < out["mask"].sum() / sector.sum() < 0.7)
        True
    """

    def __init__(
        self,
        opening: Range = (0.8, 1.25),
        depth: Range = (0.8, 1.25),
        p: float = 0.5,
        shift: float = 0.05,
        sector_key: str = "mask",
        missing: str = "raise",
    ) -> None:
        self.opening, self.depth = _range(opening, "opening"), _range(depth, "depth")
        self.shift = checks.number(shift, 0, 0.5, "shift")
        super().__init__(p, sector_key, missing)

    def draw(self, bits: int, data: dict[str, Any]) -> Sampled:
        rng = np.random.default_rng(bits)
        opening, depth = (exp(rng.uniform(log(low), log(high))) for low, high in (self.opening, self.depth))
        right, down = rng.uniform(-self.shift, self.shift, 2).tolist()
        return {"opening": opening, "depth": depth, "right": right, "down": down}

    def apply_with_params(self, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
        drawn = getattr(params, "params", params)
        sizes = self._image_sizes(data)
        self.check_siblings()
        inside = self._inside(data, sizes)
        if inside is None:
            return data
        height, width = inside.shape
        reshaping = Reshaping(
            _outline(data.get("geometry"), inside),
            (inside != 0).view(np.uint8),
            drawn["opening"],
            drawn["depth"],
            (drawn["right"] * width, drawn["down"] * height),
        )
        if not reshaping.sector.any():  # all of it has left the image
            return data
        result = dict(data)
        for key in sizes:
            if self._additional_targets.get(key, key) == "image":
                result[key] = reshaping.image(data[key])
            else:
                result[key] = np.stack([reshaping.image(frame) for frame in data[key]])
        given = data[self.sector_key]
        sector = reshaping.sector * inside.max()
        result[self.sector_key] = sector.reshape(given.shape).astype(given.dtype)
        if "geometry" in data:
            result["geometry"] = reshaping.shape
        return result

    def _set_keys(self) -> None:
        super()._set_keys()
        self._available_keys |= {"geometry"}


def _outline(geometry: Any, inside: Inside) -> SectorGeometry:
    if geometry is not None and not isinstance(geometry, SectorGeometry):
        raise TypeError(
            f"geometry is {checks.describe(geometry)}; expected a SectorGeometry or None: use "
            "fit_outline(sector)."
        )
    outline = fit_outline(inside) if geometry is None else geometry
    drawn, sector = outline.rasterise((inside.shape[0], inside.shape[1])), inside != 0
    iou = (drawn & sector).sum() / max((drawn | sector).sum(), 1)
    if iou < _LEAST_IOU:
        raise ValueError(
            f"the outline has an IoU of {iou:.2f} with the sector; expected {_LEAST_IOU} or more: give the "
            "image's own `geometry`, scaled to its size (`scaled`), and put ReshapeSector before what moves "
            "the image."
        )
    return outline


def _range(value: Any, name: str) -> Range:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(
            f"{name} is {value!r}; expected the lowest and the highest factor, such as (0.8, 1.25)."
        )
    low, high = (checks.number(each, 0.25, 4, name) for each in value)
    if low > high:
        raise ValueError(f"{name} is {value!r}; expected the lower factor first.")
    return low, high
