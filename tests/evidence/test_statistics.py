"""Intervals, tests and corrections against scipy and against the tables that Zahn & Perrin printed."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import sectoraug as sa
from sectoraug.evidence.statistics import holm

# Means and ends of the 95% intervals of six runs, and printed p-values (1e-8 stands for "< 1e-8").
TABLES = {
    "1 and 2, threshold": (
        [(94.99, 94.58, 95.41), (98.14, 98.09, 98.2), (98.87, 98.84, 98.9), (97.6, 97.49, 97.71)],
        [1e-8, 1e-8, 2.22e-8, 1e-8, 4.81e-7, 1e-8],
    ),
    "1 and 2, filled": (
        [(97.71, 97.68, 97.75), (98.47, 98.41, 98.54), (98.93, 98.92, 98.95), (97.78, 97.67, 97.9)],
        [1e-8, 1e-8, 1.9e-1, 1e-8, 1e-7, 1e-8],
    ),
    "1 and 2, hull": (
        [(98.49, 98.44, 98.54), (98.7, 98.62, 98.78), (99.02, 98.97, 99.06), (98.28, 98.2, 98.36)],
        [1.58e-4, 1e-8, 2.12e-4, 4.0e-6, 2.42e-6, 1e-8],
    ),
    "3 and 4, threshold": (
        [(93.16, 92.69, 93.63), (97.18, 97.11, 97.25), (97.56, 97.48, 97.64), (96.91, 96.75, 97.08)],
        [1e-8, 1e-8, 1e-8, 4.42e-6, 2.9e-3, 3.48e-6],
    ),
    "3 and 4, filled": (
        [(96.32, 96.2, 96.45), (97.51, 97.45, 97.58), (97.78, 97.7, 97.86), (97.23, 97.12, 97.35)],
        [1e-8, 1e-8, 6.95e-8, 5.94e-5, 2.7e-4, 1.37e-6],
    ),
    "3 and 4, hull": (
        [(97.93, 97.8, 98.06), (98.02, 97.94, 98.1), (98.13, 98.06, 98.2), (97.8, 97.69, 97.92)],
        [1.53e-1, 5.06e-3, 9.21e-2, 4.0e-6, 1.95e-2, 8.08e-5],
    ),
}
MODELS = ("base", "1st", "2nd", "3rd")
MISPRINTED = {("3 and 4, hull", ("1st", "2nd")), ("3 and 4, hull", ("1st", "3rd"))}


def six_runs(mean: float, half: float) -> np.ndarray:
    """Six scores with this mean, whose 95% interval has this half width."""
    shape = np.array([-1.5, -1.0, -0.2, 0.3, 0.9, 1.5])
    deviation = half * sqrt(6) / stats.t.ppf(0.975, 5)
    return mean + (shape - shape.mean()) / shape.std(ddof=1) * deviation


def p_range(a: tuple[float, float, float], b: tuple[float, float, float]) -> tuple[float, float]:
    """Lowest and highest p that printed, so rounded, means and intervals allow."""
    values = []
    for shift in (-0.01, 0.0, 0.01):
        for wider_a in (-0.005, 0.0, 0.005):
            for wider_b in (-0.005, 0.0, 0.005):
                x = six_runs(a[0] + shift, max((a[2] - a[1]) / 2 + wider_a, 1e-4))
                y = six_runs(b[0], max((b[2] - b[1]) / 2 + wider_b, 1e-4))
                values.append(sa.compare_runs({"x": x, "y": y}).p_value["x", "y"])
    return min(values), max(values)


@pytest.mark.parametrize("table", TABLES)
def test_the_printed_tables_come_out_but_for_two_values(table: str) -> None:
    rows, printed = TABLES[table]
    runs = {
        name: six_runs(mean, (high - low) / 2) for name, (mean, low, high) in zip(MODELS, rows, strict=True)
    }
    found = sa.compare_runs(runs)
    for name, (mean, low, high) in zip(MODELS, rows, strict=True):
        assert found.mean[name] == pytest.approx(mean)
        assert found.interval[name] == pytest.approx((low, high), abs=0.0051)
    by_name = dict(zip(MODELS, rows, strict=True))
    for pair, p in zip(combinations(MODELS, 2), printed, strict=True):
        lowest, highest = p_range(by_name[pair[0]], by_name[pair[1]])
        fits = lowest <= 1.05e-8 if p == 1e-8 else lowest * 0.95 <= p <= highest * 1.05
        assert fits != ((table, pair) in MISPRINTED), (pair, p, lowest, highest)


def test_holm_marks_what_the_paper_marks() -> None:
    for table, marked in (("1 and 2, filled", [1, 1, 0, 1, 1, 1]), ("3 and 4, hull", [0, 1, 0, 1, 0, 1])):
        assert holm(TABLES[table][1]) == [bool(m) for m in marked]


def test_against_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.9, 0.01, 6), rng.normal(0.91, 0.02, 8)
    found = sa.compare_runs({"a": a, "b": b})
    assert found.p_value["a", "b"] == pytest.approx(stats.ttest_ind(a, b).pvalue)
    wanted = stats.t.interval(0.95, 5, a.mean(), stats.sem(a))
    assert found.interval["a"] == pytest.approx(wanted)
    welch = sa.compare_runs({"a": a, "b": b}, equal_variances=False)
    assert welch.p_value["a", "b"] == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)


def test_paired_runs_against_scipy() -> None:
    rng = np.random.default_rng(1)
    split = rng.normal(0, 5, 10)
    runs = {"a": split, "b": split + rng.normal(0.5, 0.3, 10), "c": split + 1}
    found = sa.compare_runs(runs, paired=True)
    assert found.p_value["a", "b"] == pytest.approx(stats.ttest_rel(runs["a"], runs["b"]).pvalue)
    assert found.significant["a", "b"] and not sa.compare_runs(runs).significant["a", "b"]
    assert found.p_value["a", "c"] < 1e-12 and sa.compare_runs({"a": [1, 2], "b": [1, 2]}, paired=True)


def test_runs_without_spread() -> None:
    found = sa.compare_runs({"a": [1, 1], "b": [1, 1], "c": [2, 2]})
    assert found.p_value == {("a", "b"): 1.0, ("a", "c"): 0.0, ("b", "c"): 0.0}
    assert found.interval["a"] == (1.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.2))
def test_holm_against_statsmodels_definition(p_values: list[float], alpha: float) -> None:
    """Adjusted values are running maxima of (m - k) p; Bonferroni's rejections are among Holm's."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate([(len(p_values) - k) * p_values[i] for k, i in enumerate(order)])
    falls = holm(p_values, alpha)
    for value, index in zip(adjusted, order, strict=True):
        if abs(value - alpha) > 1e-12:
            assert falls[index] == (value <= alpha)
    assert all(fell or p * len(p_values) > alpha for p, fell in zip(p_values, falls, strict=True))


def test_holm_against_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(1)
    for _ in range(50):
        p_values = rng.uniform(0, 0.1, 7).tolist()
        assert holm(p_values) == multitest.multipletests(p_values, 0.05, "holm")[0].tolist()


def test_the_table_reads() -> None:
    said = str(sa.compare_runs({"base": [0.91, 0.92, 0.90], "refined": [0.95, 0.96, 0.95]}))
    assert said.splitlines()[1].split()[:3] == ["base", "3", "0.9100"]
    assert said.splitlines()[-1].startswith("base vs. refined")
    assert said.endswith("*")


def test_the_bootstrap_agrees_with_scipy_where_every_patient_has_one_image() -> None:
    values = np.random.default_rng(0).exponential(1, 80)
    found = sa.clustered_bootstrap(values, np.arange(80))
    oracle = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, random_state=1)
    ends = oracle.confidence_interval
    assert found.low == pytest.approx(ends.low, abs=0.02)
    assert found.high == pytest.approx(ends.high, abs=0.02)
    assert found == sa.clustered_bootstrap(values, np.arange(80))


def test_the_bootstrap_covers_the_truth_where_images_of_a_patient_are_alike() -> None:
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(40), 10)
    covered = {"patients": 0, "images": 0}
    for _ in range(200):
        values = rng.normal(0, 1, 40)[patients] + rng.normal(0, 0.3, 400)
        for kind, clusters in (("patients", patients), ("images", np.arange(400))):
            found = sa.clustered_bootstrap(values, clusters, n_resamples=400)
            covered[kind] += found.low <= 0 <= found.high
    assert covered["patients"] >= 180
    assert covered["images"] <= 120, "an interval over images is too narrow"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sa.compare_runs({"a": [1, 2]}), "two or more models"),
        (lambda: sa.compare_runs({"a": [1, 2], "b": [1]}), "b has 1 scores"),
        (lambda: sa.compare_runs({"a": [1, 2], "b": [1, np.nan]}), "1 of them not finite"),
        (
            lambda: sa.compare_runs({"a": [1, 2], "b": [1, 2, 3]}, paired=True),
            "paired models have 2 to 3 runs; expected as many each",
        ),
        (
            lambda: sa.compare_runs({"a": [1, 2], "b": [1, 2]}, paired=np.ones(2)),
            r"paired is a float64 array of shape \(2,\); expected True or False",
        ),
        (lambda: sa.clustered_bootstrap([1, 2, 3], [1, 2]), "one cluster a value"),
        (lambda: sa.clustered_bootstrap([1, 2, 3], [1, 1, 1]), "all values are of one cluster"),
    ],
)
def test_bad_input_is_told(call: object, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        call()  # type: ignore[operator]
