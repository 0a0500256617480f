"""A pool's backgrounds as a tensor, on the device where batches are swapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sectoraug.progress import track

_CHUNK_BYTES = 128 << 20


class DevicePool:
    """Backgrounds, black inside their own sectors, on one device; made by `BackgroundPool.to`.

    It holds patients' overlays: its repr shows no pixels, and it refuses to be pickled.
    """

    def __init__(self, backgrounds: Tensor) -> None:
        self.backgrounds = backgrounds
        """(N, C, H, W)"""
        self.size = (backgrounds.shape[2], backgrounds.shape[3])
        """(height, width) in pixels."""
        self.channels = backgrounds.shape[1]
        """Channels of each background; 1 for grey."""
        self.dtype = backgrounds.dtype
        self.device = backgrounds.device

    def __len__(self) -> int:
        return len(self.backgrounds)

    def __getitem__(self, index: int) -> Tensor:
        """Background `index`, (C, H, W)."""
        return self.backgrounds[index]

    def __repr__(self) -> str:
        return (
            f"DevicePool(n={len(self)}, size={self.size}, channels={self.channels}, "
            f"dtype={self.dtype}, device={str(self.device)!r})"
        )

    def __deepcopy__(self, _: dict[int, Any]) -> DevicePool:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a pool on a device is not pickled, since it holds patients' overlays; expected a saved pool: "
            "build the transform where it is used, with BackgroundPool.open(folder).to(device)."
        )


def upload(
    read: Callable[[slice], NDArray[Any]],
    n: int,
    shape: tuple[int, ...],
    device: torch.device,
    dtype: torch.dtype,
    progress: bool,
) -> DevicePool:
    """Copy n backgrounds of `shape` (H, W[, C]) to a device, some at a time.

    uint8 becomes 0..1 in a floating-point `dtype`.

    Raises:
        MemoryError: the device has no room for them.
    """
    if not dtype.is_floating_point and dtype != torch.uint8:
        raise TypeError(f"dtype is {dtype}; expected torch.uint8 or a floating-point one.")
    height, width, channels = (*shape, 1)[:3]
    n_bytes = n * height * width * channels * dtype.itemsize
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
        if n_bytes > free:
            raise MemoryError(
                f"the pool needs {n_bytes / 2**30:.1f} GiB and {device} has {free / 2**30:.1f} GiB free; "
                "expected room for all of it: use pool.subset(fraction, seed).to(device), a smaller size, or "
                "uint8."
            )
    backgrounds = torch.empty((n, channels, height, width), dtype=dtype, device=device)
    step = max(1, _CHUNK_BYTES * n // max(n_bytes, 1))
    starts = range(0, n, step)
    for start in track(starts, len(starts), "to device", progress):
        rows = slice(start, min(start + step, n))
        chunk = torch.from_numpy(np.array(read(rows))).view(-1, height, width, channels).permute(0, 3, 1, 2)
        if chunk.dtype == torch.uint8 and dtype.is_floating_point:
            chunk = chunk.to(device).to(torch.float64 if dtype == torch.float64 else torch.float32) / 255
        backgrounds[rows] = chunk.to(device, dtype)
    return DevicePool(backgrounds)
