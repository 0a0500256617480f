"""Another outline for the same echoes: opening, depth and place changed along the beams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.geometry import SectorGeometry
from sectoraug.sectors.outline.resampling import Map, Resampling

_MOST_OPENING_RAD = 6.2


class Reshaping:
    """A change of an outline, for any number of images of one size that share it.

    Args:
        shape: their outline.
        inside: (H, W) uint8, their sector of 0/1; it may lack corners that the outline has.
        opening: factor on the angle between the sides, or on a rectangle's width.
        depth: factor on the distance between the arcs, or on a rectangle's height.
        shift_px: to the right and down.
    """

    def __init__(
        self,
        shape: SectorGeometry,
        inside: NDArray[np.uint8],
        opening: float,
        depth: float,
        shift_px: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.shape = _reshaped(shape, inside.shape, opening, depth, shift_px)
        """The new outline; cuts by a box are gone from it, not from the sector."""
        maps = _maps(self.shape, shape, inside.shape)
        now = cv2.remap(inside.astype(np.float32), *maps, cv2.INTER_LINEAR) >= 0.5
        self._echoes = Resampling(maps, inside != 0, now)
        self._changed = now | (inside != 0)
        self.sector = now.view(np.uint8)
        """(H, W) uint8, 1 where echoes are now."""

    def image(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image (H, W[, C]) with its echoes moved; black where some were and none are now."""
        changed = self._changed.reshape(*self._changed.shape, *[1] * (image.ndim - 2))
        return np.where(changed, self._echoes(image), image)


def _reshaped(
    shape: SectorGeometry,
    size: tuple[int, ...],
    opening: float,
    depth: float,
    shift_px: tuple[float, float],
) -> SectorGeometry:
    right, down = shift_px
    left, top, far_right, bottom = shape.box_px
    if shape.apex_px is None:
        middle, half = (left + far_right) / 2 + right, (far_right - left) / 2 * opening
        return replace(
            shape, box_px=(middle - half, top + down, middle + half, top + down + depth * (bottom - top))
        )
    middle = (shape.angles_rad[0] + shape.angles_rad[1]) / 2
    half = min(shape.opening_rad * opening, max(_MOST_OPENING_RAD, shape.opening_rad)) / 2
    near, far = shape.radii_px
    return replace(
        shape,
        box_px=(-0.5, -0.5, size[1] - 0.5, size[0] - 0.5),
        apex_px=(shape.apex_px[0] + right, shape.apex_px[1] + down),
        angles_rad=(middle - half, middle + half),
        radii_px=(near, near + depth * (far - near)),
    )


def _maps(new: SectorGeometry, old: SectorGeometry, size: tuple[int, ...]) -> tuple[Map, Map]:
    """Maps for `cv2.remap`: where in the old image each pixel of the new one is."""
    beam, depth = new.cartesian_maps((size[0], size[1]), 2, 2)  # both 0..1 inside
    outside = (beam < 0) | (beam > 1) | (depth < 0) | (depth > 1)
    x, y = old.points_at(depth, beam)
    nowhere = np.float32(-10)
    return np.where(outside, nowhere, x).astype(np.float32), np.where(outside, nowhere, y).astype(np.float32)
