"""Images that are nearly the same, and writing that two groups share: leaks, if in different splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.lettering import groups_that_share_letters
from sectoraug.auditing.looks import SIDE, Looks
from sectoraug.auditing.told import Ints

ALIKE = 0.995
"""The least correlation of two sectors' thumbnails that are nearly the same."""
_ROWS = 1_024
_MOST = 100_000


@dataclass(frozen=True)
class Twins:
    """What is nearly the same though it should not be; indices of images, or of groups."""

    pairs: list[tuple[int, int]]
    """Images of different groups whose sectors are nearly the same, the first below the second."""
    across_labels: list[tuple[int, int]]
    """Those of any groups that have different labels."""
    across_splits: list[tuple[int, int]]
    """Those in different splits; empty where no splits are given."""
    shared_letters: list[tuple[int, int, int]]
    """Two groups with the same writing around the sector that no third group has, and how many blocks."""


def twins_of(looks: Looks, labels: Ints, groups: Ints, splits: Ints | None) -> Twins:
    """All pairs of images with nearly the same sector (at most 100,000), and groups with the same writing."""
    pairs = alike(looks.sector[:, : SIDE * SIDE])
    letters = groups_that_share_letters(looks.letters, groups)
    if splits is not None:
        split_of = dict(zip(groups.tolist(), splits.tolist(), strict=True))
        letters = [each for each in letters if split_of[each[0]] != split_of[each[1]]]
    return Twins(
        [(a, b) for a, b in pairs if groups[a] != groups[b]],
        [(a, b) for a, b in pairs if labels[a] != labels[b]],
        [(a, b) for a, b in pairs if splits is not None and splits[a] != splits[b]],
        letters,
    )


def alike(thumbnails: NDArray[Any]) -> list[tuple[int, int]]:
    """Pairs of rows, (N, D), that correlate with ALIKE or more; rows without any variance are left out."""
    centred = thumbnails.astype(np.float32)
    centred -= centred.mean(1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    centred /= np.where(lengths > 1e-6, lengths, np.inf)
    found: list[tuple[int, int]] = []
    for first in range(0, len(centred), _ROWS):
        rows = centred[first : first + _ROWS]
        near = rows @ centred[first:].T >= ALIKE
        a, b = np.nonzero(np.triu(near, 1))
        found += zip((a + first).tolist(), (b + first).tolist(), strict=True)
        if len(found) >= _MOST:
            break
    return found[:_MOST]
