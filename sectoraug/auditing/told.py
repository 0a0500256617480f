"""How well numbers tell the label: a simple classifier on other groups, against labels dealt anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_FOLDS = 5
_COMPONENTS = 64
_LANDMARKS = 256
_RIDGE = 0.3
"""Of the mean variance of the kernel's features. Chosen, as all of this, on MMOTU among .1, 1 and 10."""
_AT_ONCE = 20
"""Permutations, for the memory of their labels."""
_RESAMPLES = 2_000
_MOST_CLUSTERS = 1_000
"""Groups drawn apart for an interval; more are drawn in bunches, for memory's sake."""

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Score:
    """How well the label is told; `accuracy` is balanced, a mean over labels, in 0..1."""

    accuracy: float
    interval: tuple[float, float]
    """95%, by drawing whole groups."""
    chance: float
    """One over the number of labels."""
    p_value: float
    """Of permutations in which groups keep together; never below 1 / (n_permutations + 1)."""
    n_permutations: int


def score(features: NDArray[Any], dealt: Ints, groups: Ints, seed: int = 0) -> Score:
    """How well `features`, (N, D), tell the labels of images whose groups were not learned from.

    `dealt`: as `deal` gives them.
    """
    answers = answered(features, dealt, groups, seed)
    n_labels = int(dealt.max()) + 1
    found = np.array([balanced_accuracy(answers[:, k], dealt[:, k], n_labels) for k in range(dealt.shape[1])])
    p_value = float((found >= found[0] - 1e-12).mean())
    low, high = _interval(answers[:, 0] == dealt[:, 0], dealt[:, 0], groups, seed)
    return Score(float(found[0]), (low, high), 1 / n_labels, p_value, dealt.shape[1] - 1)


def deal(labels: Ints, groups: Ints, n_permutations: int, seed: int = 0) -> Ints:
    """(N, 1 + n_permutations): the labels as they are, then dealt to other images.

    Groups come in a random order, each turned by a random step: labels that follow each other in a group
    still do so, and a permutation has as few independent labels as the data.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(groups, kind="stable")
    own = groups[order]
    sizes = np.bincount(groups)
    place = np.arange(len(groups)) - (np.cumsum(sizes) - sizes)[own]
    dealt = np.empty((len(labels), 1 + n_permutations), np.intp)
    dealt[:, 0] = labels
    for k in range(1, 1 + n_permutations):
        turned = (place + rng.integers(sizes)[own]) % sizes[own]
        sequence = rng.permutation(len(sizes))
        first = np.empty_like(sizes)
        first[sequence] = np.cumsum(sizes[sequence]) - sizes[sequence]
        source = np.empty_like(order)
        source[first[own] + turned] = order
        dealt[order, k] = labels[source]
    return dealt


def answered(features: NDArray[Any], labels: Ints, groups: Ints, seed: int = 0) -> Ints:
    """The label that each image gets from the images of other folds, (N,) or (N, M) like `labels`.

    Ridge regression on an RBF kernel's features, its answers divided by how frequent the labels are; all M
    columns share its matrices.
    """
    columns = labels.reshape(len(labels), -1)
    n_labels = int(labels.max()) + 1
    answers = np.zeros_like(columns)
    fold_of = folds(groups, seed)
    for fold in range(fold_of.max() + 1):
        train, test = fold_of != fold, fold_of == fold
        weights, shown = _solver(features[train], features[test])
        for first in range(0, columns.shape[1], _AT_ONCE):
            some = columns[train, first : first + _AT_ONCE]
            one_hot = (some[..., None] == np.arange(n_labels)).astype(np.float32)
            share = one_hot.mean(0)
            told = np.tensordot(shown, np.tensordot(weights, one_hot - share, 1), 1) + share
            with np.errstate(divide="ignore", invalid="ignore"):
                relative = np.where(share > 0, told / share, -np.inf)
            answers[test, first : first + _AT_ONCE] = relative.argmax(2)
    return answers.reshape(labels.shape)


def folds(groups: Ints, seed: int) -> Ints:
    """(N,) each image's fold; a group is in one only."""
    n_groups = int(groups.max()) + 1
    order = np.random.default_rng(seed).permutation(n_groups)
    return np.asarray((order % min(N_FOLDS, n_groups))[groups])


def balanced_accuracy(answers: Ints, labels: Ints, n_labels: int) -> float:
    right = np.bincount(labels, answers == labels, n_labels)
    counts = np.bincount(labels, minlength=n_labels)
    return float((right[counts > 0] / counts[counts > 0]).mean())


def _solver(train: NDArray[Any], test: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What turns labels of the training images into weights, and the features that those are for."""
    from sklearn.decomposition import PCA
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    varying = np.ptp(train, axis=0) > 0
    train, test = train[:, varying], test[:, varying]
    if not varying.any():  # nothing to tell by
        train, test = np.zeros((len(train), 1)), np.zeros((len(test), 1))
    steps: list[Any] = [StandardScaler()]
    if train.shape[1] > _COMPONENTS:
        steps.append(PCA(min(_COMPONENTS, len(train) - 1), svd_solver="randomized", random_state=0))
    reduced = make_pipeline(*steps)
    near = np.asarray(reduced.fit_transform(train.astype(np.float32)), np.float32)
    far = np.asarray(reduced.transform(test.astype(np.float32)), np.float32)
    spread = max(float(near.var(0).sum()), 1e-12)
    kernel = Nystroem(gamma=0.5 / spread, n_components=min(_LANDMARKS, len(near)), random_state=0).fit(near)
    a, b = (
        np.concatenate([kernel.transform(each), each / np.sqrt(spread)], 1, dtype=np.float32)
        for each in (near, far)
    )
    centre = a.mean(0)
    a -= centre
    gram = (a.T @ a).astype(np.float64)
    gram[np.diag_indices_from(gram)] += _RIDGE * np.trace(gram) / len(gram) + 1e-12
    return np.linalg.solve(gram, a.T).astype(np.float32), b - centre


def _interval(right: NDArray[np.bool_], labels: Ints, groups: Ints, seed: int) -> tuple[float, float]:
    """95% interval of the balanced accuracy, by drawing whole groups."""
    bunch = groups % _MOST_CLUSTERS
    shape = int(bunch.max()) + 1, int(labels.max()) + 1
    counts, rights = np.zeros((2, *shape))
    np.add.at(counts, (bunch, labels), 1)
    np.add.at(rights, (bunch, labels), right)
    drawn = np.random.default_rng(seed).multinomial(shape[0], [1 / shape[0]] * shape[0], _RESAMPLES)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracies = np.nanmean((drawn @ rights) / (drawn @ counts), axis=1)
    low, high = np.quantile(accuracies, (0.025, 0.975))
    return float(low), float(high)
