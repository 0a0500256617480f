"""Clustering scores against scikit-learn, by hand, and under scale, rotation and renumbering."""

from __future__ import annotations

from math import exp, inf, isclose, sqrt

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.evidence import clustering


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    return rng.normal(0, 1, (300, 12)) + 3 * rng.normal(0, 1, (5, 12))[labels], labels


@pytest.mark.parametrize("metric", ["sqeuclidean", "euclidean"])
def test_the_silhouette_is_scikit_learns(blobs: tuple[np.ndarray, np.ndarray], metric: str) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    x, labels = blobs
    labels[0] = 77  # alone in its cluster
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = sa.clustering_scores(x, labels, metric=metric)
    assert found["silhouette"] == pytest.approx(
        metrics.silhouette_score(unit, labels, metric=metric), abs=1e-9
    )
    assert found["n_clusters"] == 6


def test_compactness_is_k_means_inertia(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    cluster = pytest.importorskip("sklearn.cluster")
    x, _ = blobs
    fitted = cluster.KMeans(5, n_init=1, random_state=0).fit(x)
    found = sa.clustering_scores(x, fitted.labels_, tau=2.0, variant="printed")
    assert found["compactness"] == pytest.approx(fitted.inertia_ / (300 * 2), rel=1e-3)


def test_the_printed_variant_by_hand() -> None:
    """Points 0, 2 and 6, 8 on a line: centroids 1 and 7, mean 4, offsets -3 and 3."""
    found = sa.clustering_scores([[0.0], [2.0], [6.0], [8.0]], [0, 0, 1, 1], tau=2.0, variant="printed")
    far, near = (36 + 64) / 2, (16 + 36) / 2
    assert found["silhouette"] == pytest.approx(((far - 2) / far + (near - 2) / near) / 2)
    assert found["compactness"] == pytest.approx(4 * 1 / (4 * 2))
    assert found["uniqueness"] == pytest.approx((2 * exp(9 - 1) + 2 * exp(9 + 1)) / (4 * 2))


def test_the_robust_uniqueness_by_hand() -> None:
    """Unit vectors on the axes: offsets of length sqrt(1/2), opposite to each other."""
    found = sa.clustering_scores([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 9.0]], [0, 0, 1, 1])
    assert found["compactness"] == pytest.approx(0, abs=1e-12)
    assert found["silhouette"] == pytest.approx(1)
    assert found["uniqueness"] == pytest.approx(np.log((exp(0.5 - 1) + exp(0.5 + 1)) / 2))


def test_the_robust_variant_knows_no_scale_rotation_or_order(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, labels = blobs
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    order = rng.permutation(300)
    plain = sa.clustering_scores(x, labels)
    assert isclose(sqrt(abs(np.linalg.det(rotation))), 1)
    for other, of in ((x * 1e4, labels), (x @ rotation, labels), (x[order], labels[order]), (x, 4 - labels)):
        assert sa.clustering_scores(other, of) == pytest.approx(plain)
    printed = sa.clustering_scores(x, labels, variant="printed")
    assert sa.clustering_scores(2 * x, labels, variant="printed")["silhouette"] != pytest.approx(
        printed["silhouette"], abs=1e-3
    )


def test_the_printed_uniqueness_overflows_and_the_robust_one_does_not(
    blobs: tuple[np.ndarray, np.ndarray],
) -> None:
    x, labels = blobs
    assert sa.clustering_scores(100 * x, labels, variant="printed")["uniqueness"] == inf
    assert np.isfinite(sa.clustering_scores(100 * x, labels)["uniqueness"])


def test_k_means_finds_the_clusters_and_repeats(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("sklearn")
    x, labels = blobs
    found = sa.clustering_scores(x, n_clusters=5)
    assert found == sa.clustering_scores(x, n_clusters=5)
    assert found["silhouette"] > sa.clustering_scores(x, labels)["silhouette"] - 0.05


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_clusters_that_stay_empty_are_none(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("sklearn")
    three_points = np.repeat(np.eye(3), 5, 0)
    found = sa.clustering_scores(three_points, n_clusters=5)
    assert found["n_clusters"] == 3
    assert found["silhouette"] == pytest.approx(1)
    x, labels = blobs
    assert sa.clustering_scores(x, 10 * labels) == sa.clustering_scores(x, labels)


def test_better_clusters_score_better(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, labels = blobs
    noisy = x + np.random.default_rng(2).normal(0, 3, x.shape)
    good, poor = sa.clustering_scores(x, labels), sa.clustering_scores(noisy, labels)
    assert good["silhouette"] > poor["silhouette"]
    assert good["compactness"] < poor["compactness"]
    assert good["uniqueness"] > poor["uniqueness"]


def test_a_sample_stands_for_all_pairs(
    blobs: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, labels = blobs
    whole = sa.clustering_scores(x, labels, metric="euclidean")["silhouette"]
    monkeypatch.setattr(clustering, "_MOST_PAIRS", 300 * 150)
    monkeypatch.setattr(clustering, "_PAIRS_AT_ONCE", 300 * 40)
    part = sa.clustering_scores(x, labels, metric="euclidean")["silhouette"]
    assert part != whole
    assert part == pytest.approx(whole, abs=0.03)


def test_features_alike_and_features_of_zeros_have_scores() -> None:
    found = sa.clustering_scores([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]], [0, 0, 1, 1])
    assert found["silhouette"] == pytest.approx(1)
    alike = sa.clustering_scores(np.ones((4, 2)), [0, 0, 1, 1])
    assert alike["silhouette"] == 0
    assert alike["compactness"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sa.clustering_scores([[1.0], [np.nan], [2.0]], [0, 0, 1]), "1 of 3 features hold NaN"),
        (lambda: sa.clustering_scores([1.0, 2.0, 3.0], [0, 0, 1]), r"expected \(n, d\)"),
        (lambda: sa.clustering_scores(np.eye(3), [0, 0, 0]), "labels name 1 clusters"),
        (lambda: sa.clustering_scores(np.eye(3), [0, 1, 2]), "labels name 3 clusters of 3"),
        (lambda: sa.clustering_scores(np.eye(3), [0, 1]), "one label a feature"),
        (lambda: sa.clustering_scores(np.eye(3), [0, 0, 1], metric="cosine"), "'sqeuclidean', 'euclidean'"),
        (lambda: sa.clustering_scores(np.eye(3), [0, 0, 1], tau=0), "tau is 0"),
    ],
)
def test_bad_input_is_told(call: object, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        call()  # type: ignore[operator]
