"""Which axes of an array or a tensor are a picture's height and width."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from sectoraug import checks

if TYPE_CHECKING:
    from torch import Tensor


def is_tensor(value: object) -> TypeGuard[Tensor]:
    """Whether it is a torch tensor; imports no torch, since without torch there are none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def picture_size(pictures: Any, name: str) -> tuple[int, int]:
    """Height and width of pictures, all of one size.

    Args:
        pictures: NumPy (H, W), (T, H, W), or either with 1 to 8 channels last; or a tensor (..., H, W).
            uint8, or float32 (a tensor: any floating point). As no picture is 8 or fewer pixels wide, a last
            axis of 1 to 8 is channels.
        name: what the caller calls them.

    Raises:
        TypeError, ValueError: they are something else.
    """
    if is_tensor(pictures):
        shape = _shape_of_tensor(pictures, name)
    elif not isinstance(pictures, np.ndarray):
        raise TypeError(
            f"{name} is {checks.describe(pictures)}; expected a NumPy array or a torch tensor: convert it "
            "first."
        )
    else:
        clip = pictures.ndim == 4 or (pictures.ndim == 3 and not has_channels(pictures))
        (checks.clip if clip else checks.image)(pictures, name)
        shape = pictures.shape[:-1] if has_channels(pictures) else pictures.shape
    wide_enough(shape[-1], f"{name} is {checks.describe(pictures)}")
    return shape[-2], shape[-1]


def has_channels(pictures: Any) -> bool:
    """Whether the last axis of a NumPy array of pictures is channels."""
    return bool(pictures.ndim == 4 or (pictures.ndim == 3 and pictures.shape[-1] <= checks.MOST_CHANNELS))


def wide_enough(width: int, came: str) -> None:
    """Raise if a picture is so narrow that its width would pass for channels."""
    if width <= checks.MOST_CHANNELS:
        raise ValueError(
            f"{came}; expected pictures wider than {checks.MOST_CHANNELS} pixels: give NumPy's channels last "
            "and a tensor's before height and width."
        )


def _shape_of_tensor(pictures: Tensor, name: str) -> tuple[int, ...]:
    if str(pictures.dtype) != "torch.uint8" and not pictures.is_floating_point():
        raise TypeError(
            f"{name} is a tensor of {pictures.dtype}; expected uint8 or floating point: use {name}.float()."
        )
    if pictures.ndim < 2 or 0 in pictures.shape:
        raise ValueError(f"{name} is {checks.describe(pictures)}; expected (..., H, W), none of them 0.")
    return tuple(pictures.shape)
