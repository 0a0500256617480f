"""What albumentations' transforms here share: they apply to images and clips what was drawn for a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.plugins.albumentations_hosts import HostedTransform, Sampled
from sectoraug.swap import composite

_IMAGE_TARGETS = ("image", "images", "volume", "volumes")

Inside = NDArray[np.uint8]
Filler = Callable[[NDArray[Any]], NDArray[Any]]


class BackgroundTransform(HostedTransform):
    """Replaces what stands outside the sector; a subclass says by what.

    Images and sector are handled in one go (`apply_with_params`): a host's calls for one target at
    a time see no other target, and a replay must use the sector of the image that it is given.
    """

    def __init__(self, p: float, sector_key: str, missing: str) -> None:
        self.missing = checks.choice(missing, ("raise", "skip"), "missing")
        super().__init__(p, sector_key)

    def _visible(self, inside: Inside, sampled: Sampled) -> Inside | None:
        """The part of the sector to keep, or None to leave the example as it is."""
        return inside

    def _filler(self, frame: NDArray[Any], inside: Inside, sampled: Sampled) -> Filler:
        """A function from each frame of an image or clip to its new background."""
        raise NotImplementedError

    def apply_with_params(self, params: Any, *args: Any, **data: Any) -> dict[str, Any]:
        sampled = getattr(params, "params", params)
        sizes = self._image_sizes(data)
        self.check_siblings()
        inside = self._inside(data, sizes)
        visible = None if inside is None else self._visible(inside, sampled)
        if inside is None or visible is None:
            return data
        result = dict(data)
        for key in sizes:
            result[key] = self._swap(key, data[key], inside, visible, sampled)
        if "backmixed" in data:
            result["backmixed"] = True
        given = data[self.sector_key]
        if visible is not inside:
            result[self.sector_key] = given * (visible.reshape(given.shape) != 0)
        elif not given.flags.c_contiguous:
            # AlbumentationsX flips by negative strides, which torch refuses to collate.
            result[self.sector_key] = np.ascontiguousarray(given)
        return result

    def _swap(
        self, key: str, value: NDArray[Any], inside: Inside, visible: Inside, sampled: Sampled
    ) -> NDArray[Any]:
        out = np.empty(value.shape, value.dtype)
        if self._additional_targets.get(key, key) == "image":
            return composite(value, visible, self._filler(value, inside, sampled)(value), out)
        fill = self._filler(value[0], inside, sampled)
        for frame, target in zip(value, out, strict=True):
            composite(frame, visible, fill(frame), target)
        return out

    def _image_sizes(self, data: dict[str, Any]) -> dict[str, tuple[int, ...]]:
        """The (H, W) of each image and clip that the call was given."""
        sizes = {}
        for key, value in data.items():
            target = self._additional_targets.get(key, key)
            if target not in _IMAGE_TARGETS or value is None:
                continue
            if target == "image":
                checks.image(value, key)
                sizes[key] = value.shape[:2]
            elif target == "volumes":
                raise ValueError(
                    f"{key} holds several volumes; expected `image`, `images` or `volume`: "
                    "use one call for each clip."
                )
            else:
                checks.clip(value, key)
                sizes[key] = value.shape[1:3]
        if not sizes:
            raise ValueError(
                f"{type(self).__name__} was given no image (keys: {sorted(data)}); expected `image`, "
                "or `images` for a clip."
            )
        if len(sizes) > 1 and len(set(sizes.values())) > 1:
            raise ValueError(
                f"the images have different sizes ({sizes}); expected one for all that share a "
                "sector: use one call for each."
            )
        return sizes

    def _inside(self, data: dict[str, Any], sizes: dict[str, tuple[int, ...]]) -> Inside | None:
        given = data.get(self.sector_key)
        size = next(iter(sizes.values()))
        if self.missing == "skip":
            return checks.sector_or_none(given, size, self.sector_key)
        if self.sector_key not in data:
            raise ValueError(
                f"{type(self).__name__} found no sector under {self.sector_key!r} (keys: {sorted(data)}); "
                f"expected one an image: call transform(image=image, {self.sector_key}=sector), or use "
                'missing="skip".'
            )
        return checks.sector(given, size, self.sector_key, 'use missing="skip" to leave it as it is')
