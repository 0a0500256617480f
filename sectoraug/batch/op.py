"""The idea again, for batches of tensors: keep each sector, take everything outside it from a donor."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sectoraug.batch import checks as batch_checks
from sectoraug.batch import cpu as batch_cpu

_HAS_TRITON = importlib.util.find_spec("triton") is not None


def swap_background_batch(
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None = None,
    *,
    donor_index: Tensor | None = None,
    mixed: Tensor | None = None,
    donor_values: Tensor | None = None,
    out: Tensor | None = None,
    validate: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Put each image's sector on its donor's background, on any device (BackMix, section 2.1).

    One fused kernel on CUDA, where nothing waits for the device unless `validate=True`. Works under
    `torch.compile(fullgraph=True)` and in CUDA graphs.

    Args:
        images: (B, C, H, W), or clips (B, C, T, H, W) with one sector and one donor each; uint8,
            float16, bfloat16, float32 or float64, of any strides.
        sectors: (B, H, W) or (B, 1, H, W), bool, uint8 or floating point, nonzero inside.
        donors: (N, C, H, W) or (N, C, T, H, W), of the dtype of `images` and on their device; a still
            serves a clip, too. No gradient flows to donors.
        donor_sectors: (N, H, W) or (N, 1, H, W), like `sectors`; donors become black inside. None if
            they already are, as those of `BackgroundPool.to`.
        donor_index: (B,) int64, each image's row of `donors`, or -1 for none. If None, row i is for
            image i, and N = B.
        mixed: (B,) bool, which images may change; None for all.
        donor_values: (256,) of the dtype of `images`, for uint8 donors of floating-point images: what
            each grey level becomes, such as `torch.arange(256) / 255` for images in 0..1.
        out: where to write: like `images`, contiguous or channels last, in memory of its own.
        validate: check values, too: sectors are binary, rows of `donor_index` exist. None for "on a
            CPU"; other devices have to be waited for.

    Returns:
        The images and a (B,) bool tensor, True where the background was replaced. Inside its sector
        an image is unchanged, bit for bit. An image without a sector or a donor, or whose donor's
        sector is empty or fills the frame, stays as it is, and its entry is False.

    Raises:
        TypeError, ValueError: an argument is not as above.

    Gradients flow to `images` inside their sectors, and everywhere where they stay as they are.

    Examples:
        >>> import torch, sectoraug as sa
        >>> images = torch.tensor([[9, 8], [7, 6]], dtype=torch.uint8).view(2, 1, 1, 2)
        >>> sectors = torch.tensor([[1, 0], [1, 0]], dtype=torch.bool).view(2, 1, 2)
        >>> new, mixed = sa.swap_background_batch(
        ...     images, sectors, images, sectors, donor_index=torch.tensor([1, -1])
        ... )
        >>> new.flatten(1).tolist(), mixed.tolist()
        ([[9, 6], [7, 6]], [True, False])
    """
    batch_checks.images(images)
    sectors = batch_checks.sectors(sectors, images, "sectors")
    donors = batch_checks.donors(donors, images, donor_values)
    if donor_sectors is not None:
        donor_sectors = batch_checks.sectors(donor_sectors, donors, "donor_sectors")
    batch_checks.rows(donor_index, mixed, images, donors)
    if validate is None:
        validate = images.device.type == "cpu"
    arguments = (sectors, donors.detach(), donor_sectors, donor_index, mixed, donor_values, validate)
    if out is None:
        swapped, changed = torch.ops.sectoraug.swap_background(images, *arguments)
        return swapped, changed
    batch_checks.output(out, images)
    return out, torch.ops.sectoraug.swap_background_into(out, images, *arguments)


def sector_areas_px(sectors: Tensor) -> Tensor:
    """Pixels inside each of the (B, H, W) sectors: (B,) int64, on their device."""
    areas: Tensor = torch.ops.sectoraug.sector_areas(sectors)
    return areas


def empty_for(images: Tensor) -> Tensor:
    """Memory like `images`: channels last if they are, else contiguous, whatever their strides."""
    last = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
    is_last = not images.is_contiguous() and images.is_contiguous(memory_format=last)
    return torch.empty_like(images, memory_format=last if is_last else torch.contiguous_format)


def _swap(images: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    out = empty_for(images)
    return out, _fill(out, images, *arguments)


def _swap_into(out: Tensor, images: Tensor, *arguments: Any) -> Tensor:
    batch_checks.apart(out, images, *arguments[:3])
    return _fill(out, images, *arguments)


def _fill(
    out: Tensor,
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None,
    donor_index: Tensor | None,
    mixed: Tensor | None,
    donor_values: Tensor | None,
    validate: bool,
) -> Tensor:
    if validate:
        batch_checks.values(sectors, donor_sectors, donor_index, len(donors))
    changed = _flags(images)
    arguments = (images, sectors, donors, donor_sectors, donor_index, mixed, donor_values)
    if images.device.type == "cpu":
        batch_cpu.swap_into(out, changed, *arguments)
    elif images.device.type == "cuda" and _HAS_TRITON:
        with torch.cuda.device(images.device):
            _kernel()(out, changed, *arguments)
    else:
        swap_into(out, changed, *arguments)
    return changed


@functools.cache
def _kernel() -> Callable[..., None]:
    from sectoraug.batch import kernel as batch_kernel  # with triton, which takes a second to import

    return batch_kernel.swap_into


def _areas(sectors: Tensor) -> Tensor:
    return batch_cpu.areas_px(sectors) if sectors.device.type == "cpu" else sectors.count_nonzero((1, 2))


def _flags(images: Tensor, *_: Any) -> Tensor:
    return images.new_empty(images.shape[0], dtype=torch.bool)


def _keep_for_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(inputs[1], output[1])


def _backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    sectors, changed = ctx.saved_tensors
    kept = (sectors != 0) | ~changed[:, None, None]
    return gradient.where(_over(kept, gradient), 0), *[None] * 7


def swap_into(
    out: Tensor,
    changed: Tensor,
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None,
    donor_index: Tensor | None,
    mixed: Tensor | None,
    donor_values: Tensor | None,
) -> None:
    """The swap in plain torch, for devices without a kernel."""
    if donor_index is None:
        donor_index = torch.arange(images.shape[0], device=images.device)
    swaps = (donor_index >= 0) & (donor_index < donors.shape[0]) & (sectors != 0).flatten(1).any(1)
    if mixed is not None:
        swaps &= mixed
    row = donor_index.clamp(0, donors.shape[0] - 1)
    background = donors[row]
    if donor_sectors is not None:
        black = (donor_sectors != 0)[row]
        swaps &= black.flatten(1).any(1) & ~black.flatten(1).all(1)
        background = background.masked_fill(_over(black, background), 0)
    if donor_values is not None:
        background = donor_values[background.long()]
    kept = (sectors != 0) | ~swaps[:, None, None]
    out.copy_(torch.where(_over(kept, images), images, background))
    changed.copy_(swaps)


def _over(planes: Tensor, images: Tensor) -> Tensor:
    """(B, H, W) as something that broadcasts over (B, C, H, W) or (B, C, T, H, W)."""
    return planes[:, None] if images.ndim == 4 else planes[:, None, None]


_ARGUMENTS = (
    "Tensor images, Tensor sectors, Tensor donors, Tensor? donor_sectors, Tensor? donor_index, "
    "Tensor? mixed, Tensor? donor_values, bool validate"
)


def _register(name: str, schema: str, run: Callable[..., Any], fake: Callable[..., Any]) -> None:
    torch.library.define(f"sectoraug::{name}", schema, tags=(torch.Tag.pt2_compliant_tag,))
    torch.library.impl(f"sectoraug::{name}", "default", run)
    torch.library.register_fake(f"sectoraug::{name}", fake)


_register(
    "swap_background",
    f"({_ARGUMENTS}) -> (Tensor, Tensor)",
    _swap,
    lambda images, *_: (empty_for(images), _flags(images)),
)
_register(
    "swap_background_into",
    f"(Tensor(a!) out, {_ARGUMENTS}) -> Tensor",
    _swap_into,
    _flags,
)
_register(
    "sector_areas",
    "(Tensor sectors) -> Tensor",
    _areas,
    lambda sectors: sectors.new_empty(sectors.shape[0], dtype=torch.int64),
)
torch.library.register_autograd("sectoraug::swap_background", _backward, setup_context=_keep_for_backward)
