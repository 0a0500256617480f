"""One example, an image or a clip, and the donor that a pool has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.images import fit
from sectoraug.pool import BackgroundPool

if TYPE_CHECKING:
    from torch import Tensor


def checked_pool(pool: Any) -> BackgroundPool:
    """Return `pool` if it is one."""
    if not isinstance(pool, BackgroundPool):
        raise TypeError(
            f"pool is {checks.describe(pool)}; expected a BackgroundPool: use "
            "BackgroundPool.from_arrays(images, sectors) or BackgroundPool.open(folder)."
        )
    return pool


def inside_of(given: Any, size: tuple[int, ...], name: str, missing: str) -> NDArray[np.uint8] | None:
    """A tensor's or array's sector, (H, W) or (1, H, W), as (H, W) uint8, nonzero inside.

    Other numbers than bool and uint8 pass if they are 0 and 1, as masks of float tensors are. None where it
    is missing and `missing` is "skip".
    """
    plane = given
    if hasattr(plane, "detach"):
        plane = np.asarray(plane.detach().cpu())
    if isinstance(plane, np.ndarray):
        if plane.ndim == 3 and len(plane) == 1:
            plane = plane[0]
        if plane.dtype not in (np.bool_, np.uint8) and ((plane == 0) | (plane == 1)).all():
            plane = plane.astype(np.uint8)
    if missing == "skip":
        return checks.sector_or_none(plane, size, name)
    return checks.sector(plane, size, name, 'use missing="skip" to leave it as it is')


def background_for(
    pool: BackgroundPool, donor: int, size: tuple[int, ...], channels: int, dtype: Any, what: str, resize: str
) -> NDArray[Any]:
    """Background `donor`, (H, W[, C]), for an example of this size, channels and dtype.

    Args:
        what: the example in words, for the sentence that says why it does not fit.
        resize: "raise", "stretch" or "pad".
    """
    if str(pool.dtype) != str(dtype) or (pool.channels or 1) != channels:
        raise ValueError(
            f"the pool holds {pool.dtype} backgrounds with {pool.channels or 1} channel(s) but the image "
            f"is {what}; expected the same: build the pool from images of this kind, "
            "and put BackMix before any conversion to float."
        )
    background = pool.background(donor)
    if pool.size == tuple(size):
        return background
    if resize == "raise":
        raise ValueError(
            f"the pool's backgrounds are {pool.size[0]} x {pool.size[1]} pixels but the image is "
            f"{size[0]} x {size[1]}; expected one size: build the pool with "
            f'size={tuple(size)}, or use BackMix(pool, resize="stretch").'
        )
    return fit(background, pool.sector(donor), (size[0], size[1]), resize)[0]


def common_sector(
    pool: BackgroundPool, donor: int, inside: NDArray[np.uint8], resize: str
) -> NDArray[np.uint8] | None:
    """What lies in a sector (H, W) and in the donor's, nonzero inside; None if nothing does."""
    donor_inside = pool.sector(donor).view(np.uint8) * np.uint8(255)
    if donor_inside.shape != inside.shape:
        donor_inside = fit(pool.background(donor), donor_inside, inside.shape, resize)[1]
    both = np.asarray(cv2.bitwise_and(inside, donor_inside), np.uint8)
    return both if cv2.hasNonZero(both) else None


def swap_example(
    image: Tensor, inside: NDArray[np.uint8], pool: BackgroundPool, donor: int, resize: str
) -> Tensor:
    """An image (C, H, W) or clip (C, T, H, W) on the background of `donor`, bit for bit inside the sector."""
    import torch

    from sectoraug.batch import swap_background_batch
    from sectoraug.batch_checks import describe

    if image.is_floating_point() and not bool(torch.isfinite(image).all()):
        raise ValueError(
            f"the image is {describe(image)} with NaN or infinite pixels; expected finite ones: find the "
            "file or the transform that makes them."
        )
    channels, size = len(image), tuple(image.shape[-2:])
    dtype = str(image.dtype).removeprefix("torch.")
    background = background_for(pool, donor, size, channels, dtype, describe(image), resize)
    pixels = torch.from_numpy(np.array(background)).view(1, *size, channels).permute(0, 3, 1, 2)
    sector = torch.from_numpy(inside)[None]
    return swap_background_batch(image[None], sector, pixels.to(image.device), validate=False)[0][0]
