"""What is written around a sector, as digests of its small blocks: the same words give the same digests.

Nothing is read. A block of 8x16 pixels with letters in it becomes the 64 signs of its cells against their
mean, so that the same text in another file has the same digests, and a digest does not give the text back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = (8, 16)
_LEAST_EDGES = 24.0
"""Mean edge of a block, in grey levels, from which something is written in it."""
_BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def letters_of(grey: NDArray[Any], edges: NDArray[Any]) -> NDArray[np.uint64]:
    """Sorted digests of the blocks with letters in them; blocks lie on a grid from the upper left corner."""
    height, width = (side - side % block for side, block in zip(grey.shape, _BLOCK, strict=True))
    if not height or not width:
        return np.zeros(0, np.uint64)
    written = _blocks(edges[:height, :width]).mean((1, 2)) > _LEAST_EDGES
    blocks = _blocks(grey[:height, :width])[written].reshape(-1, 8, 8, 2).mean(3).reshape(-1, 64)
    signs = blocks > blocks.mean(1, keepdims=True)
    places = np.flatnonzero(written).astype(np.uint64)  # the same letters elsewhere are other letters
    digests = (signs * _BITS).sum(1, dtype=np.uint64) ^ (places * np.uint64(0x9E3779B97F4A7C15))
    return np.unique(digests)


def groups_that_share_letters(
    letters: Sequence[NDArray[np.uint64]], groups: NDArray[np.intp], least: int = 6
) -> list[tuple[int, int, int]]:
    """Pairs of groups whose images share blocks that no third group has: (group, group, how many blocks).

    What a scanner writes on all its screens is shared by many; a name, a number or a date by those of one
    patient.
    """
    owners: dict[int, set[int]] = defaultdict(set)
    for own, group in zip(letters, groups.tolist(), strict=True):
        for digest in own.tolist():
            if len(owners[digest]) < 3:
                owners[digest].add(group)
    shared: dict[tuple[int, int], int] = defaultdict(int)
    for found in owners.values():
        if len(found) == 2:
            low, high = sorted(found)
            shared[low, high] += 1
    return sorted(((a, b, n) for (a, b), n in shared.items() if n >= least), key=lambda each: -each[2])


def _blocks(plane: NDArray[Any]) -> NDArray[Any]:
    rows, columns = _BLOCK
    height, width = plane.shape
    split = plane.reshape(height // rows, rows, width // columns, columns)
    return split.swapaxes(1, 2).reshape(-1, rows, columns)
