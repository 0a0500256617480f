"""Which styles of overlay there are, and which label goes with which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.told import Ints

_FEWEST, _MOST = 2, 8
_COMPARED = 1_000
"""Images by which the number of styles is chosen."""


@dataclass(frozen=True)
class Styles:
    """Clusters of backgrounds, the largest first, and how labels are spread over them."""

    style_of: Ints
    """(N,) each image's style, from 0."""
    examples: Ints
    """(n_styles, up to 8) images near the middle of each style; -1 where there are fewer."""
    table: NDArray[np.int64]
    """(n_labels, n_styles) images."""
    cramers_v: float
    """0: styles say nothing of the label, 1: they say all. What chance alone gives is taken off."""
    p_value: float
    worst: tuple[int, int]
    """The label and the style that go together most beyond chance (the largest residual of the table)."""


def styles_of(backgrounds: NDArray[Any], dealt: Ints, seed: int = 0) -> Styles:
    """Sort backgrounds, (N, D), into as many styles, 2 to 8, as tell them apart best by silhouette.

    `dealt`: as `told.deal` gives them.
    """
    style_of, distances = _clustered(backgrounds.astype(np.float32), seed)
    n_styles = int(style_of.max()) + 1
    shape = int(dealt.max()) + 1, n_styles
    table, *chance = (_table(labels, style_of, shape) for labels in dealt.T)
    found, by_chance = cramers_v(table), np.array([cramers_v(each) for each in chance])
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    residuals = (table - expected) / np.sqrt(np.maximum(expected, 1e-9))
    label, style = np.unravel_index(residuals.argmax(), table.shape)
    return Styles(
        style_of,
        _examples(style_of, distances, n_styles),
        table,
        max(0.0, (found - by_chance.mean()) / (1 - by_chance.mean())),
        float((1 + (by_chance >= found - 1e-12).sum()) / dealt.shape[1]),
        (int(label), int(style)),
    )


def cramers_v(table: NDArray[np.int64]) -> float:
    """Of the rows and columns that are not empty; 0 where there is only one."""
    from scipy.stats.contingency import association

    table = table[table.any(1)][:, table.any(0)]
    return float(association(table, method="cramer")) if min(table.shape) > 1 else 0.0


def _table(labels: Ints, styles: Ints, shape: tuple[int, ...]) -> NDArray[np.int64]:
    table = np.zeros(shape, np.int64)
    np.add.at(table, (labels, styles), 1)
    return table


def _clustered(backgrounds: NDArray[np.float32], seed: int) -> tuple[Ints, NDArray[Any]]:
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA
    from sklearn.metrics import silhouette_score

    n = len(backgrounds)
    few = min(16, n - 1, backgrounds.shape[1])
    near = PCA(few, svd_solver="randomized", random_state=0).fit_transform(backgrounds)
    some = np.random.default_rng(seed).permutation(n)[:_COMPARED]
    best = (-1.0, np.zeros(n, np.intp), np.zeros((n, 1)))
    for n_styles in range(_FEWEST, min(_MOST, n - 1) + 1):
        means = MiniBatchKMeans(n_styles, n_init=5, batch_size=4096, random_state=seed).fit(near)
        found = len(np.unique(means.labels_[some]))
        apart = silhouette_score(near[some], means.labels_[some]) if 1 < found < len(some) else -1.0
        if apart > best[0] + 1e-3:
            best = (apart, means.labels_, means.transform(near))
    _, labels, distances = best
    used = np.flatnonzero(np.bincount(labels))
    order = used[np.argsort(-np.bincount(labels)[used], kind="stable")]
    number = np.zeros(distances.shape[1], np.intp)
    number[order] = np.arange(len(order))
    return number[labels], distances[:, order]


def _examples(style_of: Ints, distances: NDArray[Any], n_styles: int, n: int = 8) -> Ints:
    found = np.full((n_styles, n), -1, np.intp)
    for style in range(n_styles):
        members = np.flatnonzero(style_of == style)
        near = members[np.argsort(distances[members, style], kind="stable")[:n]]
        found[style, : len(near)] = near
    return found
