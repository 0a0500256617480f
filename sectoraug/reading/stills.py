"""Reading one still image or one sector from a file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.reading.animations import is_animated
from sectoraug.reading.sizes import check_is_file, check_size, check_still


def read_image(path: str | Path) -> NDArray[Any]:
    """Read a PNG, JPEG, TIFF, BMP, WEBP or NPY file as (H, W) or (H, W, 3), uint8 or float32.

    Colour is RGB. Raises OSError for a file that cannot be decoded, naming it.
    """
    path = Path(path)
    if path.suffix == ".npy":
        check_is_file(path)
        try:
            mapped = npy.open_memmap(path, mode="r")
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged header can raise anything
            raise OSError(
                f"{path} is no readable NPY file ({type(error).__name__}): it is damaged or pickled; "
                "save one image with np.save."
            ) from error
        checks.picture(mapped, str(path))
        check_size(path, *mapped.shape[:2])
        pixels = np.array(mapped)
    else:
        pixels = decode_image(path)
    checks.picture(pixels, str(path))
    return np.asarray(pixels)


def decode_image(path: Path) -> NDArray[Any]:
    """Decode a PNG, JPEG, TIFF, BMP or WEBP as it is stored, (H, W) or (H, W, C); colour is RGB or RGBA."""
    check_is_file(path)
    # Read through Python first: OpenCV cannot tell a missing file from a broken one.
    data = np.fromfile(path, np.uint8)
    # Older versions of OpenCV fill the rest of a truncated JPEG with grey.
    truncated = data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-4096:].tobytes()
    if is_animated(BytesIO(data.data)):
        raise ValueError(f"{path} is an animation; expected a still: read it as a clip, with iter_clip.")
    check_still(path, BytesIO(data.data))
    try:
        decoded = None if truncated or not data.size else cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        decoded = None
    if decoded is None:
        raise OSError(
            f"{path} could not be decoded as an image; expected PNG, JPEG, TIFF, BMP, WEBP or NPY: "
            "replace it, or use skip_invalid=True."
        )
    if decoded.ndim == 3 and decoded.shape[2] in (3, 4):
        to_rgb = cv2.COLOR_BGR2RGB if decoded.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        decoded = cv2.cvtColor(decoded, to_rgb)
    return np.asarray(decoded)


def read_sector(path: str | Path) -> NDArray[np.uint8]:
    """Read a sector mask (0/1 or 0/255; colour files must hold equal channels) as (H, W) uint8."""
    pixels = read_image(path)
    if pixels.ndim == 3:
        if not (pixels == pixels[:, :, :1]).all():
            raise ValueError(
                f"{path} is a colour image; expected a sector mask of 0/1 or 0/255: "
                "are image and sector paths in the right order?"
            )
        pixels = pixels[:, :, 0]
    return checks.sector(pixels, name=str(path))
