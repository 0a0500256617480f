"""Frames as they are stored, and the 8 bits in which they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_shown(path: Path, frame: NDArray[Any], scale: float | None = None) -> NDArray[np.uint8]:
    """A stored frame as (H, W) or (H, W, 3) uint8, C-contiguous; floats become `scale` times their value.

    Raises ValueError for other dtypes and shapes; `path` is what the sentence names.
    """
    if scale is not None and np.issubdtype(frame.dtype, np.floating):
        frame = _scaled(path, frame, scale)
    if frame.dtype != np.uint8:
        how = "give scale=255 if they are in 0..1" if frame.dtype.kind == "f" else "window them to 0..255"
        raise ValueError(f"{path} has {frame.dtype} pixels; expected 8 bits: {how}, or store uint8.")
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[:, :, 0]
    if frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)) or 0 in frame.shape:
        raise ValueError(
            f"{path} has frames of shape {frame.shape}; expected (H, W) or (H, W, 3) with time first."
        )
    return np.ascontiguousarray(frame)


def _scaled(path: Path, frame: NDArray[Any], scale: float) -> NDArray[np.uint8]:
    levels = np.rint(frame.astype(np.float64) * scale)
    if not ((levels >= 0) & (levels <= 255)).all():  # NaN, too
        raise ValueError(
            f"{path} has pixels that scale={scale:g} brings outside 0..255, or NaN; expected grey levels: "
            "choose another scale, or window them first."
        )
    return levels.astype(np.uint8)
