"""One example as tensors, an image or a clip: its sector, and the donor drawn for it applied to it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sectoraug import checks
from sectoraug.batch import swap_background_batch
from sectoraug.batch.checks import describe
from sectoraug.plugins.drawn import Drawn
from sectoraug.pool import BackgroundPool
from sectoraug.pool.example import background_for, common_sector
from sectoraug.swap import composite

_NUMPY = {torch.uint8: checks.UINT8, torch.float32: checks.FLOAT32}


def inside_of(given: Any, size: tuple[int, ...], name: str, missing: str) -> NDArray[np.uint8] | None:
    """A tensor's or array's sector, (H, W) or (1, H, W), as (H, W) uint8, nonzero inside.

    Other numbers than bool and uint8 pass if they are 0 and 1, as masks of float tensors are. None where it
    is missing and `missing` is "skip".
    """
    plane = given
    if isinstance(plane, Tensor):
        plane = plane.as_subclass(Tensor)
        plane = (plane.float() if plane.dtype == torch.bfloat16 else plane).numpy(force=True)
    if isinstance(plane, np.ndarray):
        if plane.ndim == 3 and len(plane) == 1:
            plane = plane[0]
        dtype = plane.dtype
        if dtype != checks.UINT8 and dtype != checks.BOOL and ((plane == 0) | (plane == 1)).all():
            plane = plane.astype(np.uint8)
    if missing == "skip":
        return checks.sector_or_none(plane, size, name)
    return checks.sector(plane, size, name, 'use missing="skip" to leave it as it is')


def apply_drawn(
    image: Tensor, inside: NDArray[np.uint8], pool: BackgroundPool, drawn: Drawn, match: bool, resize: str
) -> tuple[Tensor, NDArray[np.uint8]] | None:
    """The image or clip on its donor's background, and the part of its sector that is left to see.

    None where the example stays as it is: the coin says so, or `match` leaves nothing of its sector.
    """
    visible = visible_of(inside, pool, drawn, match, resize)
    if visible is None or drawn.donor is None:
        return None
    return swapped(image, visible, pool, drawn.donor, resize), visible


def visible_of(
    inside: NDArray[np.uint8], pool: BackgroundPool, drawn: Drawn, match: bool, resize: str
) -> NDArray[np.uint8] | None:
    """The part of a sector (H, W) that is left to see, or None where `apply_drawn` is None."""
    if drawn.donor is None:
        return None
    return common_sector(pool, drawn.donor, inside, resize) if match else inside


def swapped(
    image: Tensor, inside: NDArray[np.uint8], pool: BackgroundPool, donor: int, resize: str
) -> Tensor:
    """An image (C, H, W) or clip (C, T, H, W) on the background of `donor`, bit for bit inside the sector."""
    if image.is_floating_point() and not bool(torch.isfinite(image).all()):
        raise ValueError(
            f"the image is {describe(image)} with NaN or infinite pixels; expected finite ones: find "
            "the file or the transform that makes them."
        )
    shape = tuple(image.shape)
    channels, size = shape[0], shape[-2:]
    dtype = _NUMPY.get(image.dtype)
    background = background_for(pool, donor, image, size, channels, dtype, resize, describe)
    if image.requires_grad or not image.is_cpu:
        donors = torch.from_numpy(np.array(background)).view(1, *size, channels).permute(0, 3, 1, 2)
        sectors = torch.from_numpy(inside)[None]
        return swap_background_batch(image[None], sectors, donors.to(image.device), validate=False)[0][0]
    out = np.empty(shape, pool.dtype)
    pixels = image.numpy()
    for channel in range(channels):
        plane = background.reshape(size) if channels == 1 else cv2.extractChannel(background, channel)
        if len(shape) == 3:
            composite(pixels[channel], inside, plane, out[channel])
            continue
        for own, frame in zip(pixels[channel], out[channel], strict=True):
            composite(own, inside, plane, frame)
    return torch.from_numpy(out)
