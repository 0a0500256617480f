"""BackMix as a torchvision transform (v2), for samples and for batches that were collated."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import MappingKey, tree_flatten_with_path, tree_unflatten

from sectoraug import checks
from sectoraug.batch import checks as batch_checks
from sectoraug.batch import swap_background_batch
from sectoraug.draws import Draws
from sectoraug.plugins.drawn import Drawn
from sectoraug.plugins.example_tensor import inside_of, swapped, visible_of
from sectoraug.pool import BackgroundPool
from sectoraug.pool.example import checked_pool
from sectoraug.pool.fitting import RESIZE

try:
    from PIL.Image import Image as PILImage
    from torchvision import tv_tensors
    from torchvision.transforms import v2
    from torchvision.transforms.v2.functional import pil_to_tensor, to_pil_image
except ImportError as error:
    raise ImportError('this plug needs torchvision: pip install "sectoraug[torchvision]".') from error

_IMAGES = (tv_tensors.Image, tv_tensors.Video, PILImage)


class BackMix(v2.Transform):  # type: ignore[misc]
    """Swap an image's background for that of a random donor (BackMix, section 2.1).

    Put it after what moves image and sector, and before `v2.ToDtype` and `v2.Normalize`. A sample is anything
    that transforms v2 take, such as a tuple or dict, with these parts; all others pass untouched:

    - a `tv_tensors.Image` (C, H, W), a PIL image, or a `tv_tensors.Video` (T, C, H, W) with one donor for all
      frames;
    - its sector, the only `tv_tensors.Mask`, (H, W) or (1, H, W), nonzero inside; in a dict with several
      masks the one under `sector_key`;
    - in a dict at any depth, optionally "backmixed": False, which comes back True where the background was
      swapped, and "pool_index": the image's own index in the pool, so that it does not draw itself.

    A collated batch goes the same way, before `v2.CutMix` and `v2.MixUp` (which take no masks): a
    `tv_tensors.Image` (B, C, H, W) with a `tv_tensors.Mask` (B, H, W) or (B, 1, H, W), each image with a
    donor of its own. `default_collate` strips both types: wrap its tensors again.

    Args:
        pool: a BackgroundPool of the images' dtype, channels and size.
        p: probability of the swap, in 0..1.
        sector_key: the sector's key in dicts; None for the only mask.
        missing: "raise", or "skip" to leave an image without sector (no mask, or all zero) as it is.
        match_sector: crop the image to the donor's sector too (samples only); the mask returned is the
            visible intersection. If that is empty, the sample is left as it is.
        resize: "raise", "stretch" or "pad": what to do with donors of another size than the image.

    Raises:
        TypeError, ValueError: a sample is not as above.

    Donors follow `torch.manual_seed` and differ across workers, epochs and ranks.

    Examples:
        >>> import torch, sectoraug as sa
        >>> from torchvision import tv_tensors
        >>> from torchvision.transforms import v2
        >>> from sectoraug.plugins.torchvision import BackMix
        >>> clips = [sa.phantom.make_clip(seed=seed, frames=1) for seed in range(3)]
        >>> pool = sa.BackgroundPool.from_arrays([c.frames[0] for c in clips], [c.sector for c in clips])
        >>> train = v2.Compose([v2.RandomHorizontalFlip(), BackMix(pool)])
        >>> image, sector = tv_tensors.Image(clips[0].frames), tv_tensors.Mask(clips[0].sector)
        >>> out = train({"image": image, "sector": sector, "label": 2, "backmixed": False})
        >>> type(out["image"]).__name__, out["label"], out["backmixed"]
        ('Image', 2, True)
    """

    def __init__(
        self,
        pool: BackgroundPool,
        p: float = 1.0,
        sector_key: str | None = None,
        missing: str = "raise",
        match_sector: bool = False,
        resize: str = "raise",
    ) -> None:
        super().__init__()
        self.pool = checked_pool(pool)
        self.p = checks.number(p, 0, 1, "p")
        self.sector_key = sector_key if sector_key is None else checks.key(sector_key, "sector_key")
        self.missing = checks.choice(missing, ("raise", "skip"), "missing")
        self.match_sector = checks.flag(match_sector, "match_sector")
        self.resize = checks.choice(resize, RESIZE, "resize")
        self._draws = Draws()

    def forward(self, *inputs: Any) -> Any:
        """The sample or batch, its background swapped; inputs are not written to."""
        sample = inputs[0] if len(inputs) == 1 else inputs
        places, spec = tree_flatten_with_path(sample)
        keys = [path[-1].key if path and isinstance(path[-1], MappingKey) else None for path, _ in places]
        leaves = [leaf for _, leaf in places]
        named = dict(zip(keys, leaves, strict=True))
        image, given = _only_image(leaves), self._sector(leaves, named)
        params = self._params(image, given, named.get("pool_index"))
        swapped = {id(part): self.transform(part, params) for part in (image, given)}
        leaves = [
            params["mixed"] if key == "backmixed" else swapped.get(id(leaf), leaf)
            for key, leaf in zip(keys, leaves, strict=True)
        ]
        return tree_unflatten(leaves, spec)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What one call draws for a sample's or batch's parts: one image, and the only mask.

        `transform` applies it, to these parts as often as one likes. "mixed" says whether the background is
        swapped, for a batch in a tensor (B,).
        """
        return self._params(_only_image(flat_inputs), self._sector(flat_inputs, {}), None)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """The image or the mask as `make_params` drew it; anything else as it is."""
        is_mask = isinstance(inpt, tv_tensors.Mask)
        if not (is_mask or isinstance(inpt, _IMAGES)):
            return inpt
        if "donors" in params:
            return inpt if is_mask else _swapped_batch(inpt, params)
        visible = params["visible"]
        if visible is None or (is_mask and not self.match_sector):
            return inpt
        if is_mask:
            plane = torch.from_numpy(visible != 0).to(inpt.device, inpt.dtype).view(inpt.shape)
            return tv_tensors.wrap(inpt.as_subclass(Tensor) * plane, like=inpt)
        return self._swapped(inpt, visible, params["drawn"].donor)

    def _swapped(self, image: Any, visible: NDArray[np.uint8], donor: int) -> Any:
        if isinstance(image, PILImage):
            new = swapped(pil_to_tensor(image), visible, self.pool, donor, self.resize)
            return to_pil_image(new, image.mode)
        pixels = image.as_subclass(Tensor)
        if not isinstance(image, tv_tensors.Video):
            return tv_tensors.wrap(swapped(pixels, visible, self.pool, donor, self.resize), like=image)
        new = swapped(pixels.transpose(0, 1), visible, self.pool, donor, self.resize)
        return tv_tensors.wrap(new.transpose(0, 1).contiguous(), like=image)

    def _params(self, image: Any, given: Any, own: Any) -> dict[str, Any]:
        if isinstance(image, PILImage):
            size = image.size[::-1]
        else:
            shape = tuple(image.shape)
            is_video = isinstance(image, tv_tensors.Video)
            if len(shape) not in ((4,) if is_video else (3, 4)):
                raise ValueError(
                    f"the image is {checks.describe(image)}; expected an Image (C, H, W) or (B, C, H, W), or "
                    "a Video (T, C, H, W): transform clips before they are collated."
                )
            if len(shape) == 4 and not is_video:
                return self._params_of_batch(image, given, own)
            size = shape[-2:]
        inside = inside_of(given, size, self.sector_key or "the sector (tv_tensors.Mask)", self.missing)
        drawn = Drawn(None) if inside is None else self.draw(own)
        visible = None
        if inside is not None:
            visible = visible_of(inside, self.pool, drawn, self.match_sector, self.resize)
        return {"drawn": drawn, "visible": visible, "mixed": visible is not None}

    def _params_of_batch(self, images: Tensor, given: Any, own: Any) -> dict[str, Any]:
        if self.match_sector or self.pool.size != tuple(images.shape[-2:]):
            raise ValueError(
                f"a batch of images of {images.shape[-2]} x {images.shape[-1]} pixels came with "
                f"match_sector={self.match_sector} and a pool of {self.pool.size[0]} x {self.pool.size[1]}; "
                "expected the pool's size and no match_sector: transform samples before they are collated."
            )
        if given is None:
            raise ValueError(
                "the batch has no tv_tensors.Mask; expected one sector an image, all zero where there is "
                "none: wrap them, as default_collate strips their type."
            )
        n = len(images)
        batch_checks.images(images)
        sectors = batch_checks.sectors(given.as_subclass(Tensor), images, "the sectors' mask")
        seen = (sectors != 0).flatten(1).any(1)
        if self.missing == "raise" and sectors.device.type == "cpu" and not bool(seen.all()):
            raise ValueError(
                f"{n - int(seen.sum())} of {n} sectors are all zero; expected one for each image: "
                'use missing="skip" to leave them as they are.'
            )
        takes = torch.tensor([self._applies() for _ in range(n)], device=sectors.device)
        own = [None] * n if own is None else [int(index) for index in own]
        donors = [self.pool.pick(self._bits(), index) for index in own]
        backgrounds = np.stack([self.pool.background(donor) for donor in donors])
        pixels = torch.from_numpy(backgrounds).view(n, *self.pool.size, -1).permute(0, 3, 1, 2)
        return {"donors": pixels.to(images.device), "sectors": sectors, "mixed": takes & seen}

    def draw(self, own: int | None = None) -> Drawn:
        """Draw for one example whether to swap, and which donor: any but `own`."""
        return Drawn(self.pool.pick(self._bits(), own) if self._applies() else None)

    def _applies(self) -> bool:
        return self.p >= 1 or self._bits() < self.p * 2**64

    def _bits(self) -> int:
        return self._draws.bits()

    def _sector(self, leaves: list[Any], named: dict[Any, Any]) -> Any:
        if self.sector_key is not None:
            given = named.get(self.sector_key)
            if given is not None and not isinstance(given, tv_tensors.Mask):
                raise TypeError(
                    f"{self.sector_key} is {checks.describe(given)}; expected a tv_tensors.Mask, which "
                    "flips and rotations move along: wrap it."
                )
            return given
        masks = [leaf for leaf in leaves if isinstance(leaf, tv_tensors.Mask)]
        if len(masks) > 1:
            raise ValueError(
                f"the sample has {len(masks)} masks; expected the sector alone: give a dict, and its key as "
                "BackMix(pool, sector_key=...)."
            )
        return masks[0] if masks else None


def _swapped_batch(images: Tensor, params: dict[str, Any]) -> Any:
    pixels = images.as_subclass(Tensor)
    new, _ = swap_background_batch(pixels, params["sectors"], params["donors"], mixed=params["mixed"])
    return tv_tensors.wrap(new, like=images)


def _only_image(leaves: list[Any]) -> Any:
    found = [leaf for leaf in leaves if isinstance(leaf, _IMAGES)]
    if len(found) != 1:
        raise ValueError(
            f"the sample has {len(found)} images; expected one tv_tensors.Image or Video, or PIL image: wrap "
            "it, and its sector as tv_tensors.Mask, or call the transform for each."
        )
    return found[0]
