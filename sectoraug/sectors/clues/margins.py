"""Margins of one grey level, which a network takes for the dark end of a sector where that runs into them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EVEN = 1  # grey levels within a row or column


def margins(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows at the top and bottom, columns at the left and right, that are even from end to end.

    Args:
        grey: (H, W); none if it is of one level.
    """
    rows, columns = (_at_ends(grey.max(axis) - grey.min(axis) <= _EVEN) for axis in (1, 0))
    return np.asarray(rows[:, None] | columns, np.bool_)


def _at_ends(even: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which entries are true together with all before or all behind them; none if all are."""
    if even.all():
        return np.zeros_like(even)
    return np.logical_and.accumulate(even) | np.logical_and.accumulate(even[::-1])[::-1]
