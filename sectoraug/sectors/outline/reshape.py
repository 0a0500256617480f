"""Another outline for the same echoes: opening, depth and place changed along the beams."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.geometry import SectorGeometry

_MOST_OPENING_RAD = 6.2
_MOST_CHANNELS = 4  # that cv2.remap takes at once
Map = NDArray[np.float32]


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
        self._inside = inside
        self.shape = _reshaped(shape, inside.shape, opening, depth, shift_px)
        """The new outline; cuts by a box are gone from it, not from the sector."""
        self._maps = _maps(self.shape, shape, inside.shape)
        self._weights = cv2.remap(inside.astype(np.float32), *self._maps, cv2.INTER_LINEAR)
        self.sector = (self._weights >= 0.5).view(np.uint8)
        """(H, W) uint8, 1 where echoes are now."""

    def image(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image (H, W[, C]) with its echoes moved; black where some were and none are now."""
        planes = image.reshape(*image.shape[:2], -1)
        groups = [planes[..., i : i + _MOST_CHANNELS] for i in range(0, planes.shape[2], _MOST_CHANNELS)]
        moved = np.concatenate([self._moved(group) for group in groups], axis=2)
        here, before = self.sector[..., None] != 0, self._inside[..., None] != 0
        result = np.where(here, moved, np.where(before, 0, planes))
        return np.ascontiguousarray(result.reshape(image.shape), image.dtype)

    def _moved(self, planes: NDArray[Any]) -> NDArray[Any]:
        # Only pixels of the sector are averaged: no overlay gets in, and its rim stays as bright as it was.
        echoes = planes.astype(np.float32) * self._inside[..., None]
        sums = cv2.remap(echoes, *self._maps, cv2.INTER_LINEAR).reshape(planes.shape)
        moved = sums / np.maximum(self._weights, 1e-6)[..., None]
        return moved if planes.dtype == np.float32 else np.clip(np.rint(moved), 0, 255).astype(planes.dtype)


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
    if old.apex_px is None:
        left, top, right, bottom = old.box_px
        x, y = left + beam * (right - left), top + depth * (bottom - top)
    else:
        angle = old.angles_rad[0] + beam * old.opening_rad
        radius = old.radii_px[0] + depth * old.depth_px
        x = old.apex_px[0] + radius * np.sin(angle)
        y = old.apex_px[1] + radius * np.cos(angle) / old.pixel_aspect
    nowhere = np.float32(-10)
    return np.where(outside, nowhere, x).astype(np.float32), np.where(outside, nowhere, y).astype(np.float32)
