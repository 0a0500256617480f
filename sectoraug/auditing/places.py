"""Where in the background the label can be read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.told import Ints


def places_of(backgrounds: NDArray[Any], dealt: Ints) -> NDArray[np.float64]:
    """Of each place's variance, (side, side), the share that goes with the label, 0..1.

    `backgrounds`: (N, side * side). A place is 0 unless it has more than the best place of 95% of the
    permutations of the labels.
    """
    pixels = backgrounds.astype(np.float32)
    found, *chance = (_explained(pixels, labels) for labels in dealt.T)
    by_chance = np.quantile([each.max() for each in chance], 0.95)
    side = round(pixels.shape[1] ** 0.5)
    return np.where(found > by_chance, found, 0.0).reshape(side, side)


def _explained(pixels: NDArray[np.float32], labels: Ints) -> NDArray[np.float64]:
    total = pixels.var(0, dtype=np.float64)
    counts = np.bincount(labels)
    one_hot = (labels[:, None] == np.arange(len(counts))).astype(np.float32)
    means = (one_hot.T @ pixels) / np.maximum(counts, 1)[:, None]
    between = (counts[:, None] * (means - pixels.mean(0)) ** 2).sum(0) / len(labels)
    return np.asarray(np.clip(between / np.maximum(total, 1e-9), 0, 1) * (total > 1e-7))
