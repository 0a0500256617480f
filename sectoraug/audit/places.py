"""Where in the background the label can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.audit.told import Ints, permuted


def places_of(
    backgrounds: NDArray[Any], labels: Ints, groups: Ints, n_permutations: int = 19, seed: int = 0
) -> NDArray[np.float64]:
    """Of each place's variance, (side, side), the share that goes with the label, 0..1.

    `backgrounds`: (N, side * side). Where no permutation of the labels gives as little, it is 0.
    """
    pixels = backgrounds.astype(np.float32)
    rng = np.random.default_rng(seed)
    found = _explained(pixels, labels)
    chance = np.max(
        [_explained(pixels, permuted(labels, groups, rng)) for _ in range(n_permutations)], axis=0
    )
    side = round(pixels.shape[1] ** 0.5)
    return np.where(found > chance, found, 0.0).reshape(side, side)


def _explained(pixels: NDArray[np.float32], labels: Ints) -> NDArray[np.float64]:
    total = pixels.var(0, dtype=np.float64)
    counts = np.bincount(labels)
    one_hot = (labels[:, None] == np.arange(len(counts))).astype(np.float32)
    means = (one_hot.T @ pixels) / np.maximum(counts, 1)[:, None]
    between = (counts[:, None] * (means - pixels.mean(0)) ** 2).sum(0) / len(labels)
    return np.asarray(np.clip(between / np.maximum(total, 1e-9), 0, 1) * (total > 1e-7))
