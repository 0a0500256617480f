"""What an audit is given, checked: labels, groups, splits and attributes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.auditing.told import Ints
from sectoraug.categories import categories

NEIGHBOURS = 20
"""Images in a row that are one group where none are given."""


def named(values: Any, n: int, name: str) -> tuple[list[str], Ints]:
    """Names in sorted order, and which of them each image has."""
    found, which = categories(values, n, name)
    return [str(each) for each in found], which


def groups_of(groups: Any, n: int) -> tuple[list[str], Ints]:
    """The same of groups; where none are given, images in a row."""
    if groups is not None:
        return named(groups, n, "groups")
    which = np.arange(n) // NEIGHBOURS
    return [f"images {NEIGHBOURS * k} and on" for k in range(int(which[-1]) + 1)], which


def check_groups(labels: list[str], which: Ints, groups: list[str], group_of: Ints) -> None:
    """Raise unless there are two labels or more, each in two groups or more."""
    if len(labels) < 2:
        raise ValueError(
            f"all images have the label {labels[0]!r}; expected two labels or more: there is nothing to tell."
        )
    pairs = np.unique(np.stack([which, group_of]), axis=1)
    alone = np.flatnonzero(np.bincount(pairs[0]) < 2)
    if len(alone):
        raise ValueError(
            f"label {labels[alone[0]]!r} is in one group only ({groups[pairs[1][pairs[0] == alone[0]][0]]}); "
            "expected two or more of each label: what tells the group cannot be told from what tells the "
            "label. Leave the label out, or give groups."
        )


def splits_of(splits: Any, groups: list[str], group_of: Ints) -> Ints:
    """Which split each image is in; raises where a group is in several."""
    names, split_of = named(splits, len(group_of), "splits")
    pairs = np.unique(np.stack([group_of, split_of]), axis=1)
    torn = np.flatnonzero(np.bincount(pairs[0]) > 1)
    if len(torn):
        where = " and ".join(names[k] for k in pairs[1][pairs[0] == torn[0]])
        raise ValueError(
            f"{len(torn)} of {len(groups)} groups are in several splits, such as {groups[torn[0]]} in "
            f"{where}; expected each in one: mend the split first, since until then every test score is too "
            "good."
        )
    return split_of


def attribute(values: Any, n: int, name: str) -> NDArray[Any]:
    """Numbers or names, one an image."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(
            f"attribute {name} is {checks.describe(array)}; expected one value for each of {n} images."
        )
    if array.dtype == object:
        array = array.astype(str)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"attribute {name} has values that are not finite; expected numbers or names.")
    return array
