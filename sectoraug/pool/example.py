"""One example, an image or a clip, and the donor that a pool has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.pool.background_pool import BackgroundPool
from sectoraug.pool.fitting import fit


def checked_pool(pool: Any) -> BackgroundPool:
    """Return `pool` if it is one."""
    if not isinstance(pool, BackgroundPool):
        raise TypeError(
            f"pool is {checks.describe(pool)}; expected a BackgroundPool: use "
            "BackgroundPool.from_arrays(images, sectors) or BackgroundPool.open(folder)."
        )
    return pool


def background_for(
    pool: BackgroundPool,
    donor: int,
    example: Any,
    size: tuple[int, ...],
    channels: int,
    dtype: Any,
    resize: str,
    describe: Callable[[object], str] = checks.describe,
) -> NDArray[Any]:
    """Background `donor`, (H, W[, C]), for an image or clip of this size, channels and NumPy dtype.

    Args:
        example: the image or clip itself, which `describe` names in the sentence if it does not fit.
        resize: "raise", "stretch" or "pad".
    """
    if pool.dtype != dtype or (pool.channels or 1) != channels:
        raise ValueError(
            f"the pool holds {pool.dtype} backgrounds with {pool.channels or 1} channel(s) but the image "
            f"is {describe(example)}; expected the same: build the pool from images of this kind, "
            "and put BackMix before any conversion to float."
        )
    background = pool.background(donor)
    if pool.size == size:
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
