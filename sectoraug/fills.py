"""The paper's other backgrounds (BackMix, section 3.3 and Table 1), each made for one image.

Every function returns a background of the image's shape and dtype, to be used as
`swap_background(image, sector, background)`; what it holds inside the sector is never seen.
float32 images are taken to be in 0..1 and uint8 ones in 0..255.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.swap import blacken_sector


def black(image: NDArray[Any]) -> NDArray[Any]:
    """Zeros ('Black').

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
    """
    checks.image(image)
    return np.zeros(image.shape, image.dtype)


def noise(image: NDArray[Any], rng: np.random.Generator, high: float = 30.0) -> NDArray[Any]:
    """Grey noise, uniform in 0..high grey levels of 255 ('Noise'; 30 is the authors' code).

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
        rng: the source of randomness.
        high: brightest level, in 0..255. All channels get one value. float32 images get the same levels,
            divided by 255.
    """
    checks.image(image)
    checks.generator(rng)
    checks.number(high, 0, 255, "high")
    plane: NDArray[Any] = rng.integers(0, int(high), image.shape[:2], dtype=np.uint8, endpoint=True)
    if image.dtype != np.uint8:
        plane = plane / np.float32(255)
    return plane if image.ndim == 2 else np.repeat(plane[:, :, None], image.shape[2], axis=2)


def shuffle(image: NDArray[Any], sector: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """The image's own background pixels in random order ('Shuffle'); colours stay whole.

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
        sector: (H, W), bool or uint8; nonzero inside.
        rng: the source of randomness.
    """
    checks.generator(rng)
    background = blacken_sector(image, sector)
    outside = checks.sector(sector, image.shape[:2]) == 0
    background[outside] = rng.permutation(background[outside])
    return background


def dim(image: NDArray[Any], sector: NDArray[Any], factor: float = 0.74) -> NDArray[Any]:
    """The image's own background, darker.

    This is what the authors' code calls 'bokeh'; `blur` is what the paper cites under that name.

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
        sector: (H, W), bool or uint8; nonzero inside.
        factor: in 0..1; 0.74 is the authors'. uint8 results are rounded.
    """
    checks.number(factor, 0, 1, "factor")
    background = blacken_sector(image, sector)
    if background.dtype == np.uint8:
        levels = np.rint(np.arange(256) * factor).astype(np.uint8)
        return np.asarray(levels[background])
    return np.asarray(background * np.float32(factor))


def blur(image: NDArray[Any], sector: NDArray[Any], sigma_px: float = 3.0) -> NDArray[Any]:
    """The image's own background, Gaussian-blurred with its sector at 0 ('Bokeh' as the paper cites it).

    Args:
        image: (H, W) or (H, W, C) of 1 to 8 channels, uint8 or float32.
        sector: (H, W), bool or uint8; nonzero inside.
        sigma_px: standard deviation in pixels, in 0.1..100.
    """
    checks.number(sigma_px, 0.1, 100, "sigma_px")
    background = blacken_sector(image, sector)
    return cv2.GaussianBlur(background, (0, 0), sigma_px).reshape(image.shape)
