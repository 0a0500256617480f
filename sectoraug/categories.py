"""Labels, groups or whatever else images are sorted by: names and numbers alike."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks


def distinct(values: Any, name: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different values in sorted order, and which of them each has; TypeError without an order."""
    try:
        array = np.asarray(values)
        found, which = np.unique(array, return_inverse=True)
    except (TypeError, ValueError) as error:  # names among numbers, rows of unlike lengths
        raise TypeError(
            f"{name} is {checks.describe(values)} of several kinds; expected numbers or names: turn "
            "all into str."
        ) from error
    return found, which.astype(np.intp)


def categories(values: Any, n: int, name: str) -> tuple[list[Hashable], NDArray[np.intp]]:
    """The different values in sorted order, and which of them each of n images has.

    Raises:
        ValueError: not one value an image.
        TypeError: neither whole numbers nor names.
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of unlike lengths
        array = np.empty((0, 0))
    if array.shape != (n,) or not n:
        raise ValueError(
            f"{name} is {checks.describe(array)} for {n} images; expected one an image, in the same order."
        )
    if array.dtype == object and all(isinstance(each, str) for each in array):
        array = array.astype(str)
    if array.dtype.kind not in "biuUS":
        raise TypeError(
            f"{name} is {checks.describe(array)}; expected whole numbers or names: bin what is measured, and "
            "name what is missing."
        )
    found, which = np.unique(array, return_inverse=True)
    return found.tolist(), which.astype(np.intp)


def numbers(value: Any, name: str) -> NDArray[np.float64]:
    """Return `value` as float64 if it is an array of numbers, or lists that make one."""
    try:
        array = np.asarray(value)
    except ValueError:  # rows of unlike lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is {checks.describe(value)}; expected numbers: give an array or equal rows.")
    return array.astype(np.float64)
