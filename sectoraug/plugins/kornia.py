"""RandomBackMix: the batch op as a kornia augmentation."""

from __future__ import annotations

from typing import Any

import torch
from kornia.augmentation import RandomTransplantation
from kornia.constants import DataKey
from torch import Tensor

from sectoraug import checks
from sectoraug.batch import checks as batch_checks
from sectoraug.batch import swap_background_batch
from sectoraug.batch.ring import check_has_sector, ring
from sectoraug.draws import Draws
from sectoraug.pool.device import DevicePool

Params = dict[str, Tensor]


class RandomBackMix(RandomTransplantation):  # type: ignore[misc]
    """BackMix on a batch: keep each image's sector, take everything outside it from a donor.

    Alone, `op(images, sectors)`; or after geometric ops in
    `kornia.augmentation.AugmentationSequential(..., RandomBackMix(), data_keys=["input", "mask"])`, which
    hands image and mask together only to what derives from `RandomTransplantation`. Labels do not change, so
    keep them out of the container: kornia raises for "class" beside any op that mixes images. Put it before
    normalisation.

    Args:
        p: how likely each image is to get a new background.
        pool: donors, a `BackgroundPool` (copied to the CPU's memory) or what its `to(device)` returns. None
            for donors from the batch: images with a sector pass their backgrounds around in one random ring,
            so none draws itself.
        same_on_batch: one decision by `p`, and one donor of the pool, for the whole batch.
        keepdim: give (C, H, W) back for (C, H, W), else (1, C, H, W).
        donor_values: (256,), what each grey level of a uint8 pool becomes in floating-point images, such as
            `torch.arange(256) / 255` for images in 0..1.
        validate: check values of sectors, too; None for "on a CPU".

    Shapes:
        images (B, C, H, W), (B, C, T, H, W) or (C, H, W), uint8 or floating point; inside kornia's containers
        floating point only. sectors (B, H, W) or (B, 1, H, W), nonzero inside, all zero for images without
        one. Beside a kornia `VideoSequential`, sectors (B, T, H, W), (B, T, 1, H, W) or (B, 1, T, H, W) that
        are the same in every frame.

    An image without a sector neither gives nor takes. Where no donor is left (one image with a sector in the
    batch and no pool, say) it stays as it is. Donors follow `torch.manual_seed` and differ across ranks.

    Examples:
        >>> import torch, sectoraug as sa
        >>> clips = [sa.phantom.make_clip(seed=seed, frames=1) for seed in range(4)]
        >>> images = torch.stack([torch.from_numpy(clip.frames) for clip in clips])
        >>> sectors = torch.stack([torch.from_numpy(clip.sector) for clip in clips])
        >>> op = sa.RandomBackMix()
        >>> new = op(images, sectors)
        >>> op.mixed
        tensor([True, True, True, True])
        >>> bool((new == images)[:, 0][sectors].all())
        True
    """

    mixed: Tensor | None
    """(B,) bool after a call: whose background was replaced."""

    def __init__(
        self,
        p: float = 1.0,
        pool: Any = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        donor_values: Tensor | None = None,
        validate: bool | None = None,
    ) -> None:
        super().__init__(p=checks.number(p, 0, 1, "p"))
        self.same_on_batch = same_on_batch
        self.keepdim = keepdim
        self.validate = validate
        self.pool = _on_device(pool)
        self.register_buffer("donor_values", donor_values, persistent=False)
        self.mixed = None
        self._draws = Draws()

    # -- kornia's two steps: parameters from the inputs, then one input at a time ---------------------

    def forward_parameters(self, batch_shape: tuple[int, ...]) -> Params:
        """Nothing is drawn yet: how to draw depends on the sectors and their device."""
        return {
            "batch_prob": torch.ones(batch_shape[0]),
            "forward_input_shape": torch.tensor(batch_shape, dtype=torch.long),
        }

    def params_from_input(
        self, *input: Tensor, data_keys: list[DataKey], params: Params, extra_args: Any = None
    ) -> Params:
        """Keep the sectors for the image's turn, and draw unless `params` are replayed."""
        if DataKey.MASK not in data_keys or DataKey.INPUT not in data_keys:
            raise ValueError(_NO_SECTORS)
        images, sectors = (input[data_keys.index(key)] for key in (DataKey.INPUT, DataKey.MASK))
        sectors = self._checked(images, sectors)
        if "donor_index" not in params:
            params.update(self.draw(sectors))
        params["sectors"] = sectors
        return params

    def forward(
        self,
        *input: Tensor,
        params: Params | None = None,
        data_keys: list[Any] | None = None,
        has_sector: Tensor | None = None,
        **others: Any,
    ) -> Tensor | list[Tensor]:
        """The images with new backgrounds; `has_sector` (B,) bool names the images whose sectors count.

        `params`, such as those kept in `_params` by an earlier call, repeat its donors. With `data_keys`, as
        kornia's own ops take them, the images and sectors come back in that order.
        """
        # A container gives one input at a time, with its params, and what is meant for other ops.
        if data_keys is not None and params is not None and len(input) == 1:
            return self._in_container(*input, params=params, data_keys=data_keys)
        if others:
            raise TypeError(
                f"RandomBackMix got the keyword {', '.join(map(repr, others))}; expected params, data_keys "
                "or has_sector: correct its name, or leave it out."
            )
        if len(input) != 2:
            raise TypeError(f"RandomBackMix got {len(input)} tensors; expected two: op(images, sectors).")
        if data_keys is not None:
            keys = [DataKey.get(key) for key in data_keys]
            if {*keys} != {DataKey.INPUT, DataKey.MASK}:
                raise ValueError(_NO_SECTORS)
            images, sectors = (input[keys.index(key)] for key in (DataKey.INPUT, DataKey.MASK))
            new: Any = self.forward(images, sectors, params=params, has_sector=has_sector)
            return [new if key == DataKey.INPUT else sectors for key in keys]
        images, sectors = input
        unbatched = isinstance(images, Tensor) and images.ndim == 3
        if unbatched:
            images = images[None]
            sectors = sectors[None] if isinstance(sectors, Tensor) and sectors.ndim == 2 else sectors
        sectors = self._checked(images, sectors)
        if params is None:
            params = self.draw(sectors, has_sector)
        self._params = params
        new = self.apply_drawn(images, sectors, params)
        single: Tensor = new[0] if unbatched and self.keepdim else new
        return single

    def _in_container(self, *input: Tensor, params: Params, data_keys: list[Any]) -> Tensor:
        value, key = input[0], DataKey.get(data_keys[0])
        if key == DataKey.MASK:
            return value
        if "sectors" not in params:
            raise ValueError(_NO_SECTORS)
        self._params = params
        return self.apply_drawn(value, params["sectors"], params)

    def _checked(self, images: Tensor, sectors: Tensor) -> Tensor:
        """The sectors as (B, H, W)."""
        batch_checks.images(images)
        if self.pool is not None and self.pool.device != images.device:
            raise ValueError(
                f"the pool is on {self.pool.device} but the images are on {images.device}; expected one "
                "device: use RandomBackMix(pool=pool.to(device))."
            )
        if images.ndim == 5 and isinstance(sectors, Tensor) and sectors.ndim > 3:
            sectors = batch_checks.one_a_clip(sectors, _validates(self.validate, sectors))
        return batch_checks.sectors(sectors, images, "sectors")

    # -- drawing and applying -------------------------------------------------------------------------

    def draw(self, sectors: Tensor, has_sector: Tensor | None = None) -> Params:
        """Who takes (`batch_prob`, (B,) float) from whom (`donor_index`, (B,) int64, -1 for nobody).

        Args:
            sectors: (B, H, W); the draws are made on their device.
            has_sector: (B,) bool; None for "all but the empty ones".

        Raises:
            ValueError: with `validate`, a sector is empty though `has_sector` names it.
        """
        n, device = sectors.shape[0], sectors.device
        if has_sector is not None:
            check_has_sector(has_sector, sectors, _validates(self.validate, sectors))
        if self.pool is not None:
            bits = self._draws.bits_on(device, 1 if self.same_on_batch else n)
            donor_index = (bits % len(self.pool)).expand(n)
            if has_sector is not None:
                donor_index = donor_index.where(has_sector, -1)
        else:
            donor_index = ring(sectors, has_sector, self._draws.bits_on(device, n))
        takes = torch.ones(n, device=device)
        if self.p < 1:
            bits = self._draws.bits_on(device, 1 if self.same_on_batch else n)
            takes = (bits < int(self.p * 2**63)).to(takes.dtype).expand(n)
        return {"batch_prob": takes, "donor_index": donor_index}

    def apply_drawn(self, images: Tensor, sectors: Tensor, params: Params) -> Tensor:
        """The images on the backgrounds that `draw` chose; `mixed` says whose were replaced."""
        takes = params["batch_prob"] > 0.5
        donor_index = params["donor_index"].to(images.device)
        if self.pool is None:
            donors, donor_sectors, values = images, sectors, None
        else:
            donors, donor_sectors, values = self.pool.backgrounds, None, self.donor_values
        new, self.mixed = swap_background_batch(
            images,
            sectors,
            donors,
            donor_sectors,
            donor_index=donor_index,
            mixed=takes.to(images.device),
            donor_values=values,
            validate=self.validate,
        )
        return new

    def __repr__(self) -> str:
        return f"RandomBackMix(p={self.p}, pool={self.pool}, same_on_batch={self.same_on_batch})"


_NO_SECTORS = (
    "RandomBackMix got images without sectors; expected both: use AugmentationSequential(..., "
    'data_keys=["input", "mask"]) with RandomBackMix directly in it, or call op(images, sectors).'
)


def _on_device(pool: Any) -> DevicePool | None:
    if pool is None or isinstance(pool, DevicePool):
        return pool
    if not callable(getattr(pool, "to", None)) or isinstance(pool, (Tensor, torch.nn.Module)):
        raise TypeError(
            f"pool is {checks.describe(pool)}; expected a BackgroundPool, what its to(device) returns, or "
            "None for donors from the batch."
        )
    moved: DevicePool = pool.to("cpu")
    return moved


def _validates(validate: bool | None, sectors: Tensor) -> bool:
    return sectors.device.type == "cpu" if validate is None else validate
