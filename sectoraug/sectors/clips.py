"""Reading ultrasound clips. So far: DICOM (extra `dicom`)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks


def read_clip(path: str | Path, *, grey: bool = False) -> NDArray[np.uint8]:
    """Read a DICOM clip or still, frame by frame.

    Args:
        path: a DICOM file with 8-bit pixels (grey, palette, RGB or YBR; compressed ones need the
            decoder that the error message names).
        grey: turn colour into luminance.

    Returns:
        (T, H, W) or (T, H, W, 3) uint8; colour is RGB. A still has T = 1.

    Raises:
        OSError: the file is no readable DICOM image; ValueError: its pixels are not 8-bit.
    """
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
        from pydicom.pixels.processing import apply_color_lut
        from pydicom.pixels.utils import iter_pixels
    except ImportError as error:
        raise ImportError('reading DICOM needs pydicom 3: pip install "sectoraug[dicom]".') from error
    try:
        header = dcmread(path, stop_before_pixels=True)
        frames = []
        for frame in iter_pixels(path):
            if header.PhotometricInterpretation == "PALETTE COLOR":
                frame = (apply_color_lut(frame, header) >> 8).astype(np.uint8)
            if frame.dtype != np.uint8:
                raise ValueError(
                    f"{path} has {frame.dtype} pixels; expected 8-bit ultrasound: window it to uint8 first."
                )
            frames.append(to_grey(frame) if grey else frame)
    except (InvalidDicomError, AttributeError, RuntimeError) as error:
        raise OSError(f"{path} is no readable DICOM image: {error}") from error
    return np.stack(frames)


def to_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The luminance of an RGB frame; (H, W) frames pass through."""
    if frame.ndim == 2:
        return frame
    checks.image(frame, "frame")
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
