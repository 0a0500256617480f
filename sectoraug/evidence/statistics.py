"""Is one model better than another? Over repeated runs (Zahn & Perrin, section 2.3.4) and over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sectoraug import checks
from sectoraug.categories import distinct, numbers

Pair = tuple[str, str]


@dataclass(frozen=True)
class RunComparison:
    """What `compare_runs` finds; `str()` is the table."""

    n: dict[str, int]
    """Runs of each model."""
    mean: dict[str, float]
    """Mean of each model's runs."""
    interval: dict[str, tuple[float, float]]
    """Confidence interval of each mean, by Student's t with n - 1 degrees of freedom."""
    p_value: dict[Pair, float]
    """Two-sided p of each pair, in the order of the models."""
    significant: dict[Pair, bool]
    """Whether a pair differs after Holm's correction over all pairs."""
    confidence: float
    """Of the intervals; 1 - confidence is the family-wise error rate of `significant`."""

    def __str__(self) -> str:
        low, high = f"{self.confidence:.0%} low", "high"
        width = max(len(name) for name in self.mean)
        lines = [f"{'model':{width}}  {'n':>3}  {'mean':>9}  {low:>9}  {high:>9}"]
        for name, mean in self.mean.items():
            ends = "  ".join(f"{end:9.4f}" for end in self.interval[name])
            lines.append(f"{name:{width}}  {self.n[name]:3}  {mean:9.4f}  {ends}")
        pairs = {pair: " vs. ".join(pair) for pair in self.p_value}
        width = max(len(text) for text in pairs.values())
        lines += ["", f"{'pair':{width}}  {'p':>10}   * significant after Holm's correction"]
        for pair, text in pairs.items():
            lines.append(
                f"{text:{width}}  {self.p_value[pair]:10.2e}{' *' if self.significant[pair] else ''}"
            )
        return "\n".join(lines)


def compare_runs(
    runs: Mapping[str, Sequence[float]],
    *,
    confidence: float = 0.95,
    equal_variances: bool = True,
    paired: bool = False,
) -> RunComparison:
    """Compare models by the scores of their repeated runs (Zahn & Perrin, section 2.3.4, Tables 1-4).

    Runs of one model differ by seed, so p speaks of the training procedure on these test data, not of
    new patients; for those see `clustered_bootstrap`.

    Args:
        runs: two or more models' names and the scores of their runs, two or more each.
        confidence: of the intervals, in 0..1; pairs are tested at 1 - confidence.
        equal_variances: pooled variance, as in the paper; False for Welch's test.
        paired: the k-th runs of all models share seed and split: test their differences, which leaves out how
            hard each split is.

    Raises:
        TypeError, ValueError: fewer models or runs, scores that are not finite, or paired models with
            different numbers of runs.

    Examples:
        >>> import sectoraug as sa
        >>> found = sa.compare_runs({"base": [0.91, 0.92, 0.90], "refined": [0.95, 0.96, 0.95]})
        >>> round(found.mean["refined"], 3), found.significant["base", "refined"]
        (0.953, True)
    """
    if not isinstance(runs, Mapping) or len(runs) < 2:
        raise TypeError(
            f"runs is {checks.describe(runs)}; expected a dict of two or more models' scores: "
            'give {"base": [...], "refined": [...]}.'
        )
    checks.number(confidence, 0, 1, "confidence")
    paired, equal_variances = checks.flag(paired, "paired"), checks.flag(equal_variances, "equal_variances")
    scores = {str(name): _scores(values, str(name)) for name, values in runs.items()}
    lengths = {len(values) for values in scores.values()}
    if paired and len(lengths) > 1:
        raise ValueError(
            f"paired models have {min(lengths)} to {max(lengths)} runs; expected as many each, in the same "
            "order: leave out the seeds that some lack."
        )
    p_value = {
        (a, b): _paired_p_value(scores[a] - scores[b])
        if paired
        else _p_value(scores[a], scores[b], equal_variances)
        for a, b in combinations(scores, 2)
    }
    return RunComparison(
        n={name: len(values) for name, values in scores.items()},
        mean={name: float(values.mean()) for name, values in scores.items()},
        interval={name: _interval(values, confidence) for name, values in scores.items()},
        p_value=p_value,
        significant=dict(zip(p_value, holm(list(p_value.values()), 1 - confidence), strict=True)),
        confidence=confidence,
    )


def holm(p_values: Sequence[float], alpha: float = 0.05) -> list[bool]:
    """Holm's step-down: which hypotheses fall, at a family-wise error rate of `alpha`.

    The k-th smallest of m values is compared with alpha / (m - k + 1); the first to fail stops all after it.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [True, False, False]
    """
    falls = [False] * len(p_values)
    for k, index in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[index] > alpha / (len(p_values) - k):
            break
        falls[index] = True
    return falls


@dataclass(frozen=True)
class BootstrapInterval:
    """A mean over images and its confidence interval over patients."""

    mean: float
    low: float
    high: float
    n_clusters: int
    """Patients, or whatever was drawn as a whole."""


def clustered_bootstrap(
    values: Any, clusters: Any, *, confidence: float = 0.95, n_resamples: int = 10_000, seed: int = 0
) -> BootstrapInterval:
    """Mean of per-image scores, with a percentile interval from drawing whole patients.

    Images of one patient are alike, so an interval over images is too narrow. To compare two models on the
    same images, give the differences of their scores: an interval without 0 tells them apart.

    Args:
        values: (N,) finite scores, one an image.
        clusters: (N,) whose image it is: patients' or sites' numbers or names.
        confidence: in 0..1.
        n_resamples: how often patients are drawn with replacement.
        seed: the draws repeat under one seed.

    Raises:
        TypeError, ValueError: lengths differ, scores are not finite, or there are fewer than two clusters.

    Examples:
        >>> import sectoraug as sa
        >>> found = sa.clustered_bootstrap([1, 1, 0, 0, 1, 0], ["a", "a", "b", "b", "c", "c"])
        >>> found.mean, found.n_clusters
        (0.5, 3)
    """
    scores = _scores(values, "values")
    names, which = distinct(clusters, "clusters")
    if which.shape != scores.shape:
        raise ValueError(
            f"there are {len(scores)} values and clusters of shape {which.shape}; expected one "
            "cluster a value."
        )
    if len(names) < 2:
        raise ValueError(
            "all values are of one cluster; expected two or more: an interval needs several patients."
        )
    checks.number(confidence, 0, 1, "confidence")
    n_resamples, seed = checks.whole(n_resamples, 1, 10**9, "n_resamples"), checks.seed(seed)
    sums, counts = np.bincount(which, scores), np.bincount(which)
    drawn = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), n_resamples)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return BootstrapInterval(float(scores.mean()), float(low), float(high), len(names))


def _scores(values: Any, name: str) -> NDArray[np.float64]:
    scores = numbers(values, name)
    if scores.ndim != 1 or len(scores) < 2 or not np.isfinite(scores).all():
        raise ValueError(
            f"{name} has {scores.size} scores of shape {scores.shape}, {int((~np.isfinite(scores)).sum())} "
            "of them not finite; expected two or more finite numbers in a row: repeat the run with other "
            "seeds."
        )
    return scores


def _interval(scores: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    half = stats.t.ppf((1 + confidence) / 2, len(scores) - 1) * scores.std(ddof=1) / sqrt(len(scores))
    return float(scores.mean() - half), float(scores.mean() + half)


def _p_value(a: NDArray[np.float64], b: NDArray[np.float64], equal_variances: bool) -> float:
    if a.std() == 0 and b.std() == 0:
        return float(a[0] == b[0])
    return float(stats.ttest_ind(a, b, equal_var=equal_variances).pvalue)


def _paired_p_value(differences: NDArray[np.float64]) -> float:
    if np.ptp(differences) <= 1e-12 * np.abs(differences).max():
        return float(differences[0] == 0)
    return float(stats.ttest_1samp(differences, 0).pvalue)
