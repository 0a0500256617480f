"""Donors in memory or mapped from disk: reading one, and drawing one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks


class Donors:
    """Backgrounds, black inside their own sectors, with those sectors; both only to be read.

    Args:
        backgrounds: (N, H, W) or (N, H, W, C), uint8 or float32.
        packed_sectors: (N, ceil(H*W/8)) uint8, bit-packed.
        rows: which of them these are; None for all.
    """

    def __init__(
        self, backgrounds: NDArray[Any], packed_sectors: NDArray[np.uint8], rows: NDArray[np.int64] | None
    ) -> None:
        self._backgrounds = backgrounds
        self._packed_sectors = packed_sectors
        self._rows = rows
        self._n = len(backgrounds if rows is None else rows)
        self.size: tuple[int, int] = backgrounds.shape[1:3]
        """(height, width) in pixels."""
        self.channels: int | None = backgrounds.shape[3] if backgrounds.ndim == 4 else None
        """Channels of each background, or None for (H, W)."""
        self.dtype = backgrounds.dtype
        """uint8 or float32."""

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The background (H, W[, C]), read-only, and its sector (H, W) bool."""
        return self.background(index), self.sector(index)

    def background(self, index: int) -> NDArray[Any]:
        """Background `index`, black inside its sector: a read-only view."""
        return self._backgrounds[self._row(index)]  # type: ignore[no-any-return]

    def sector(self, index: int) -> NDArray[np.bool_]:
        """Sector (H, W) bool of donor `index`."""
        height, width = self.size
        bits = np.unpackbits(self._packed(index), count=height * width)
        return bits.view(np.bool_).reshape(height, width)

    def _packed(self, index: int) -> NDArray[np.uint8]:
        return self._packed_sectors[self._row(index)]  # type: ignore[no-any-return]

    def _row(self, index: int) -> int:
        if not isinstance(index, (int, np.integer)):
            raise TypeError(
                f"a donor's index is {checks.describe(index)}; expected a whole number in 0..{self._n - 1}."
            )
        if not -self._n <= index < self._n:
            raise IndexError(f"donor {index} of a pool of {self._n}; expected an index in 0..{self._n - 1}.")
        return index if self._rows is None else int(self._rows[index])

    def draw(self, rng: np.random.Generator, exclude: int | None = None) -> int:
        """Draw a donor's index, uniformly among all but `exclude`."""
        checks.generator(rng)
        return self.pick(int(rng.integers(1 << 63)), exclude)

    def pick(self, bits: int, exclude: int | None = None) -> int:
        """The donor that 63 or more random bits stand for, uniformly among all but `exclude`."""
        n = self._n
        if exclude is None:
            return bits % n
        if not isinstance(exclude, (int, np.integer)):
            raise TypeError(
                f"pool_index is {checks.describe(exclude)}; expected the image's own index in this pool, "
                f"0..{n - 1}, or None."
            )
        if not 0 <= exclude < n:
            raise ValueError(
                f"pool_index is {exclude}; expected the image's own index in this pool, 0..{n - 1}, or None."
            )
        if n == 1:
            raise ValueError(
                "the pool holds one donor and that one is excluded; expected another: add donors, or "
                "leave pool_index out."
            )
        index = bits % (n - 1)
        return index + 1 if index >= exclude else index
