"""The swap of a batch on a CPU: the swap of `swap.py`, plane by plane.

OpenCV's masked copy takes no longer than torch.where, and needs no donors gathered beforehand.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# Pixels travel as bits, since NumPy knows no bfloat16 and OpenCV no int64.
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.float64}


def swap_into(
    out: Tensor,
    mixed: Tensor,
    images: Tensor,
    sectors: Tensor,
    donors: Tensor,
    donor_sectors: Tensor | None,
    donor_index: Tensor | None,
    wanted: Tensor | None,
    values: Tensor | None,
) -> None:
    """Write the swap into `out` and what was swapped into `mixed`, as `batch` lays them down."""
    channels_last = out.shape[1] > 1 and out.stride(1) == 1
    inside, donor_inside = _inside(sectors), None if donor_sectors is None else _inside(donor_sectors)
    target, image, donor = _bits(out), _bits(images), _bits(donors)
    table = None if values is None else _bits(values)
    written, kept = _planes(target, channels_last), np.ascontiguousarray(_planes(image, channels_last))
    black = np.full_like(written[0, 0], 0 if table is None else table[0])
    rows = range(len(image)) if donor_index is None else donor_index.tolist()
    swaps = [True] * len(image) if wanted is None else wanted.tolist()
    for i, (row, whole, planes, own, within) in enumerate(
        zip(rows, target, written, kept, inside, strict=True)
    ):
        swaps[i] = swaps[i] and 0 <= row < len(donor) and cv2.hasNonZero(within)
        given = None
        if swaps[i] and donor_inside is not None:
            given = donor_inside[row]
            swaps[i] = 0 < cv2.countNonZero(given) < given.size
        if not swaps[i]:
            whole[...] = image[i]
            continue
        whole[...] = donor[row] if table is None else table[donor[row]]
        for plane, kept_plane in zip(planes, own, strict=True):
            if given is not None:
                cv2.copyTo(black, given, plane)
            cv2.copyTo(kept_plane, within, plane)
    mixed.copy_(torch.tensor(swaps))


def areas_px(sectors: Tensor) -> Tensor:
    """Pixels inside each of the (B, H, W) sectors: (B,) int64."""
    return torch.tensor([cv2.countNonZero(plane) for plane in _inside(sectors)])


def _bits(tensor: Tensor) -> NDArray[Any]:
    return np.asarray(tensor.detach().view(_BITS[tensor.element_size()]).numpy())


def _planes(images: NDArray[Any], channels_last: bool) -> NDArray[Any]:
    """(B, P, H, W) or (B, P, H, W, C) of images (B, C, H, W) or clips (B, C, T, H, W)."""
    if channels_last:
        clips = images if images.ndim == 5 else images[:, :, None]
        return clips.transpose(0, 2, 3, 4, 1)
    return images.reshape(len(images), -1, *images.shape[-2:])


def _inside(sectors: Tensor) -> NDArray[np.uint8]:
    inside = sectors.detach()
    if inside.dtype != torch.bool:
        inside = inside != 0
    return np.ascontiguousarray(inside.numpy()).view(np.uint8)
