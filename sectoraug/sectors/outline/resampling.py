"""Pictures through maps, read from chosen pixels alone: nothing around a sector mixes into its rim."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.sectors.outline.pictures import has_channels, is_tensor

if TYPE_CHECKING:
    from torch import Tensor

Map = NDArray[np.float32]

_MOST_CHANNELS = 4  # that cv2.remap takes at once
_STEPS = 32  # a pixel: OpenCV before 5 rounds maps to these; rounded here, all versions and torch agree
_MOST_ALIKE = 8  # neighbours at one distance


class Resampling:
    """Any number of pictures of one size through the same maps, linearly.

    What would be read from other pixels is read from the nearest that may be: from the mean of all that are
    equally near, so that mirrored pictures give mirrored ones.

    Args:
        maps: x and y as for `cv2.remap`, (h, w) each; of float64, mirrored ones stay mirrored.
        readable: (H, W) bool, the pixels of a picture that may be read.
        wanted: (h, w) bool, the pixels of the new picture that get a value; the others are 0.
    """

    def __init__(
        self, maps: tuple[NDArray[Any], NDArray[Any]], readable: NDArray[np.bool_], wanted: NDArray[np.bool_]
    ) -> None:
        height, width = readable.shape
        self._x, self._y = _rounded(maps[0], width - 1), _rounded(maps[1], height - 1)
        self._size, self._wanted = (height, width), wanted
        read = _read(self._x[wanted], self._y[wanted], (height, width))
        self._lent, self._lenders, self._alike = _nearest(readable, read & ~readable)

    def __call__(self, pictures: Any) -> Any:
        """Of pictures as `picture_size` takes them new ones, alike in all but height and width."""
        if is_tensor(pictures):
            return self._tensor(pictures)
        height, width = self._size
        channels = pictures.shape[-1:] if has_channels(pictures) else ()
        planes = pictures.reshape(-1, height, width, *(channels or (1,)))
        moved = np.empty((len(planes), *self._x.shape, planes.shape[-1]), pictures.dtype)
        for before, after in zip(planes, moved, strict=True):
            self._array(before, after)
        leading = pictures.shape[: pictures.ndim - 2 - len(channels)]
        return moved.reshape(*leading, *self._x.shape, *channels)

    def _array(self, planes: NDArray[Any], moved: NDArray[Any]) -> None:
        """(H, W, C) into (h, w, C)."""
        lent = planes.copy()
        if len(self._lent):
            flat = lent.reshape(-1, planes.shape[2])
            values = (flat[self._lenders] * self._alike[..., None]).sum(1) / self._alike.sum(1)[:, None]
            flat[self._lent] = np.rint(values) if planes.dtype == np.uint8 else values
        for first in range(0, planes.shape[2], _MOST_CHANNELS):
            group = slice(first, first + _MOST_CHANNELS)
            part = cv2.remap(lent[..., group], self._x, self._y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
            moved[..., group] = part.reshape(*part.shape[:2], -1)
        moved *= self._wanted[..., None]

    def _tensor(self, pictures: Tensor) -> Tensor:
        """(..., H, W) into (..., h, w)."""
        import torch
        from torch.nn.functional import grid_sample

        (height, width), device = self._size, pictures.device
        dtype = torch.float64 if pictures.dtype == torch.float64 else torch.float32
        flat = pictures.reshape(-1, height * width).to(dtype)
        if len(self._lent):
            alike = torch.from_numpy(self._alike).to(device, dtype)
            values = (flat[:, torch.from_numpy(self._lenders).to(device)] * alike).sum(2) / alike.sum(1)
            values = values.round() if pictures.dtype == torch.uint8 else values
            flat = flat.index_copy(1, torch.from_numpy(self._lent).to(device), values)
        grid = np.stack([self._x * (2 / max(width - 1, 1)) - 1, self._y * (2 / max(height - 1, 1)) - 1], 2)
        where = torch.from_numpy(grid)[None].to(device, dtype)
        # Pixel centres are whole numbers, the first -1 and the last 1: corners aligned.
        planes = flat.reshape(1, -1, height, width)
        moved = grid_sample(planes, where, padding_mode="border", align_corners=True)
        moved = torch.where(torch.from_numpy(self._wanted).to(device), moved, 0)
        moved = moved.round() if pictures.dtype == torch.uint8 else moved
        return moved.reshape(*pictures.shape[:-2], *self._x.shape).to(pictures.dtype)


def _rounded(places: NDArray[Any], last: int) -> Map:
    return np.asarray(np.rint(np.clip(places, 0, last) * _STEPS) / _STEPS, np.float32)


def _read(x: Map, y: Map, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of a picture that linear interpolation reads at these places."""
    read = np.zeros(size[0] * size[1], np.bool_)
    first = y.astype(np.intp) * size[1] + x.astype(np.intp)
    for step in (0, 1, size[1], size[1] + 1):  # past an edge this takes in a pixel too many
        read[np.minimum(first + step, len(read) - 1)] = True
    return read.reshape(size)


def _nearest(
    readable: NDArray[np.bool_], needed: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each needed pixel (n,): readable ones by distance (n, k), and 1 for those as near as the first.

    Pixels are numbered row by row. Where nothing is readable, all stay as they are.
    """
    from scipy.spatial import KDTree  # slow to import, and finding a sector needs none

    inner = cv2.erode(readable.view(np.uint8), np.ones((3, 3), np.uint8)) != 0
    rim = np.argwhere(readable & ~inner)
    if not len(rim):
        none = np.zeros(0, np.intp)
        return none, none.reshape(0, 1), np.zeros((0, 1), np.float32)
    alike = list(range(1, min(_MOST_ALIKE, len(rim)) + 1))
    distance, found = KDTree(rim).query(np.argwhere(needed), alike)
    alike = (distance <= distance[:, :1] + 1e-9).astype(np.float32)
    lenders = (rim @ np.array([readable.shape[1], 1]))[found]
    return np.flatnonzero(needed), lenders, alike
