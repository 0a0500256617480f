"""The idea: keep the ultrasound sector, take everything outside it from somewhere else."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks


def swap_background(
    image: NDArray[Any],
    sector: NDArray[Any],
    background: NDArray[Any],
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Put an image's sector on another background (BackMix, section 2.1: S_i on B_j).

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
        sector: (H, W), bool or uint8 of 0/1 or 0/255; nonzero inside.
        background: like `image`; an image with its own sector at 0 (see `blacken_sector`).
        out: where to write, like `image` and sharing no memory with it; new memory if None.

    Returns:
        `image` inside the sector, `background` outside, bit for bit. Inputs are not written to.

    Raises:
        TypeError, ValueError: an argument is not as above, or the sector is empty.

    Examples:
        >>> import numpy as np, sectoraug as sa
        >>> image, sector = np.full((2, 2), 9, np.uint8), np.array([[1, 0], [1, 0]], bool)
        >>> sa.swap_background(image, sector, np.array([[0, 5], [0, 6]], np.uint8))
        array([[9, 5],
               [9, 6]], dtype=uint8)
    """
    checks.image(image)
    inside = checks.sector(sector, image.shape[:2])
    checks.alike(background, image, "background")
    if out is None:
        out = np.empty(image.shape, image.dtype)
    else:
        checks.output(out, image, sector, background)
    return composite(image, inside, background, out)


def blacken_sector(image: NDArray[Any], sector: NDArray[Any]) -> NDArray[Any]:
    """Return the background of an image: a copy with its own sector at 0 (BackMix, section 2.1: B_i).

    Args and errors are those of `swap_background`.
    """
    checks.image(image)
    inside = checks.sector(sector, image.shape[:2])
    return composite(np.zeros_like(image, order="C"), inside, image, np.empty(image.shape, image.dtype))


def composite(
    image: NDArray[Any],
    inside: NDArray[np.uint8],
    background: NDArray[Any],
    out: NDArray[Any],
) -> NDArray[Any]:
    """`swap_background` without its checks, for callers that have made them."""
    out[...] = background
    cv2.copyTo(image if image.flags.c_contiguous else np.ascontiguousarray(image), inside, out)
    return out
