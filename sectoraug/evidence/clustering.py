"""How well features cluster: silhouette, compactness and uniqueness.

From Zhang et al., Explainability of Self-Supervised Representation Learning for Medical Ultrasound Video,
section 2. The printed formulas depend on the features' scale (Eq. 1 holds a distance against squared ones,
Eq. 3 takes the exponential of a squared length) and on which cluster is number 1. The robust variant is free
of that; the printed one is kept beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from sectoraug import checks
from sectoraug.categories import distinct, numbers

METRICS = ("sqeuclidean", "euclidean")
VARIANTS = ("robust", "printed")
_PAIRS_AT_ONCE = 1 << 24
_MOST_PAIRS = 400_000_000

Matrix = NDArray[np.floating[Any]]
Numbers = NDArray[np.intp]


def clustering_scores(
    features: Any,
    labels: Any = None,
    n_clusters: int = 8,
    tau: float = 1.0,
    metric: str = "sqeuclidean",
    variant: str = "robust",
    *,
    seed: int = 0,
) -> dict[str, float]:
    """Silhouette, compactness D_C and uniqueness D_U of clustered features (section 2, Eq. 1-3).

    Args:
        features: (n, d) finite numbers, such as a layer's output at landmarks.
        labels: (n,) each feature's cluster; None to find `n_clusters` of them with k-means
            (scikit-learn, extra `evidence`).
        n_clusters: for k-means; ignored with `labels`.
        tau: scaling factor of D_C and D_U, > 0.
        metric: of the robust silhouette. "sqeuclidean" comes from the clusters' moments in O(n k d),
            "euclidean" from all pairs, or, over 20,000 features, from those of a sample with all.
        variant: "robust" scales each feature to length 1, so that neither scale nor rotation changes a
            score, and gives uniqueness as the logarithm of Eq. 3, averaged over all choices of its
            reference cluster. "printed" is Eq. 1-3 as they stand; uniqueness is inf for long features.
        seed: of k-means and of the sample.

    Returns:
        silhouette in -1..1 (higher is better), compactness >= 0 (lower is better), uniqueness (higher is
        better), n, n_clusters. A feature alone in its cluster has silhouette 0, as in scikit-learn.

    Raises:
        TypeError, ValueError: features that are not finite, fewer than two clusters, or one a feature.

    Examples:
        >>> import numpy as np, sectoraug as sa
        >>> features = np.array([[9.0, 0.0], [8.0, 1.0], [0.0, 7.0], [1.0, 9.0]])
        >>> scores = sa.clustering_scores(features, labels=[0, 0, 1, 1])
        >>> round(scores["silhouette"], 2), scores["n_clusters"]
        (0.99, 2)
    """
    checks.choice(metric, METRICS, "metric")
    checks.choice(variant, VARIANTS, "variant")
    checks.number(tau, float(np.finfo(float).tiny), float("inf"), "tau")
    seed = checks.seed(seed)
    x = _finite(features)
    if variant == "robust":
        lengths = np.linalg.norm(x, axis=1, keepdims=True)
        x = x / np.where(lengths > 0, lengths, 1)
    cluster = _numbered(_k_means(x, n_clusters, seed) if labels is None else labels, len(x))
    # Sorted by cluster, sums over clusters are sums over slices.
    order = np.argsort(cluster, kind="stable")
    x, cluster = x[order], cluster[order]
    starts = np.flatnonzero(np.diff(cluster, prepend=-1))
    sizes = np.diff(starts, append=len(x))
    x = x - x.mean(0)
    centroids = np.add.reduceat(x, starts) / sizes[:, None]
    squared = _mean_squared_distances(x, centroids, starts, sizes)
    own_squared = squared[np.arange(len(x)), cluster]
    if variant == "printed":
        rows = np.arange(len(x))
        silhouette = _silhouette(_mean_distances(x, rows, starts, sizes), squared, cluster, sizes)
    elif metric == "sqeuclidean":
        silhouette = _silhouette(squared, squared, cluster, sizes)
    else:
        rows = _sample(len(x), seed)
        distances = _mean_distances(x, rows, starts, sizes)
        silhouette = _silhouette(distances, distances, cluster[rows], sizes)
    return {
        "silhouette": silhouette,
        # The mean squared distance within a cluster is twice that from its centroid.
        "compactness": float(own_squared.sum() / 2 / (len(x) * tau)),
        "uniqueness": _uniqueness(centroids, sizes / len(x), tau, variant),
        "n": len(x),
        "n_clusters": len(sizes),
    }


def _mean_squared_distances(x: Matrix, centroids: Matrix, starts: Numbers, sizes: Numbers) -> Matrix:
    """(n, k) mean squared distance of each feature from each cluster, from the clusters' moments."""
    lengths2 = np.einsum("ij,ij->i", x, x)
    mean_lengths2 = np.add.reduceat(lengths2, starts) / sizes
    return np.asarray(np.maximum(lengths2[:, None] - 2 * x @ centroids.T + mean_lengths2, 0))


def _mean_distances(x: Matrix, rows: Numbers, starts: Numbers, sizes: Numbers) -> Matrix:
    """(m, k) mean distance of the features in `rows` from each cluster, from all pairs."""
    lengths2 = np.einsum("ij,ij->i", x, x)
    means = np.empty((len(rows), len(starts)))
    step = max(1, _PAIRS_AT_ONCE // len(x))
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        squared = lengths2[some, None] - 2 * x[some] @ x.T + lengths2
        squared[np.arange(len(some)), some] = 0
        distances = np.sqrt(np.maximum(squared, 0, out=squared), out=squared)
        means[start : start + step] = np.add.reduceat(distances, starts, axis=1) / sizes
    return means


def _silhouette(near: Matrix, far: Matrix, cluster: Numbers, sizes: Numbers) -> float:
    """Mean silhouette from mean distances to clusters: `near` for the own one, `far` for the others."""
    rows, n_own = np.arange(len(cluster)), sizes[cluster]
    # A feature is no other of its own cluster.
    a = near[rows, cluster] * n_own / np.maximum(n_own - 1, 1)
    others = far.copy()
    others[rows, cluster] = np.inf
    b = others.min(1)
    largest = np.maximum(a, b)
    alone_or_alike = (n_own == 1) | (largest == 0)
    return float(np.where(alone_or_alike, 0, (b - a) / np.where(largest > 0, largest, 1)).mean())


def _uniqueness(offsets: Matrix, weights: Matrix, tau: float, variant: str) -> float:
    """Eq. 3 from the centroids' offsets from the data's mean: with cluster 1 as reference, or over all."""
    lengths = np.linalg.norm(offsets, axis=1)
    directions = offsets / np.where(lengths > 0, lengths, 1)[:, None]
    cosines = directions @ directions.T
    references = cosines[:, :1] if variant == "printed" else cosines
    exponents = lengths[:, None] ** 2 - references + np.log(weights)[:, None]
    log_of_sum = float(logsumexp(exponents) - np.log(references.shape[1] * tau))
    if variant == "robust":
        return log_of_sum
    with np.errstate(over="ignore"):
        return float(np.exp(log_of_sum))


def _sample(n: int, seed: int) -> Numbers:
    most = _MOST_PAIRS // n
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def _k_means(x: Matrix, n_clusters: int, seed: int) -> Numbers:
    try:
        from sklearn.cluster import KMeans
    except ImportError as error:
        raise ImportError(
            'k-means needs scikit-learn: pip install "sectoraug[evidence]", or give labels.'
        ) from error
    checks.whole(n_clusters, 1, 2**31 - 1, "n_clusters")
    if not 2 <= n_clusters < len(x):
        raise ValueError(f"n_clusters is {n_clusters}; expected 2 to {len(x) - 1} for {len(x)} features.")
    labels: Numbers = KMeans(n_clusters, random_state=seed).fit_predict(x.astype(np.float32))
    return labels


def _finite(features: Any) -> Matrix:
    x = numbers(features, "features")
    if x.ndim != 2 or len(x) < 3 or not x.shape[1]:
        raise ValueError(
            f"features is {checks.describe(features)}; expected (n, d), three rows or more: flatten what is "
            "not a feature's own axis."
        )
    n_bad = int((~np.isfinite(x).all(1)).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(x)} features hold NaN or infinity; expected finite numbers: find the layer "
            "that makes them, or leave these rows out."
        )
    return x


def _numbered(labels: Any, n: int) -> Numbers:
    names, cluster = distinct(labels, "labels")
    if cluster.shape != (n,):
        raise ValueError(f"labels has shape {cluster.shape} for {n} features; expected one label a feature.")
    if not 2 <= len(names) < n:
        raise ValueError(
            f"labels name {len(names)} clusters of {n} features; expected 2 to {n - 1}: with one cluster, or "
            "one a feature, nothing can be compared."
        )
    return cluster
