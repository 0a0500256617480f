"""Tables of runs over seeds: means with intervals, paired comparisons, rank correlations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.stats import rankdata, t

import sectoraug as sa

Results = dict[str, dict[str, list[dict[str, Any]]]]
"""Scores by method and kind of views ("plain", "backmix"), one dict a seed."""
RESAMPLES = 10_000


def values(rows: list[dict[str, Any]], key: str) -> list[float]:
    """A score over seeds; "a/b" is b of the dict a."""
    found: Any = rows
    for name in key.split("/"):
        found = [row[name] for row in found]
    return found


def half_interval(scores: Any) -> float:
    """Half of a mean's 95% interval (Student's t)."""
    return float(t.ppf(0.975, len(scores) - 1) * np.std(scores, ddof=1) / np.sqrt(len(scores)))


def cell(rows: list[dict[str, Any]], key: str, digits: int = 1) -> str:
    """The mean over seeds, and half its interval."""
    scores = values(rows, key)
    spread = f" ± {half_interval(scores):.{digits}f}" if len(scores) > 1 else ""
    return f"{np.mean(scores):.{digits}f}{spread}"


def line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def head(titles: list[str]) -> list[str]:
    return [line(titles), "|---" * len(titles) + "|"]


def table(results: Results, columns: dict[str, tuple[str, int]]) -> list[str]:
    """A row a method and kind of views; `columns` gives the key and the digits of each title."""
    lines = head(["method", "views", *columns])
    for method, kinds in results.items():
        for kind, rows in kinds.items():
            lines.append(line([method, kind, *(cell(rows, *each) for each in columns.values())]))
    return lines


def holm(p_values: list[float]) -> list[float]:
    """Adjusted by Holm: significant where below the error rate of the family."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.take(p_values, order) * factors))
    return adjusted.tolist()


def paired(pairs: dict[str, tuple[list[float], list[float]]], titles: tuple[str, str]) -> list[str]:
    """Each row's two scores over the same seeds: means, their difference, and Holm over the rows."""
    p_values = {
        name: sa.compare_runs(dict(zip(titles, both, strict=True)), paired=True).p_value[titles]
        for name, both in pairs.items()
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    lines = head(["method", *titles, "difference", "p", "Holm"])
    for name, (first, second) in pairs.items():
        change = np.subtract(second, first)
        means = f"{np.mean(first):.1f}", f"{np.mean(second):.1f}"
        told = f"{change.mean():+.1f} ± {half_interval(change):.1f}"
        mark = "differs" if adjusted[name] <= 0.05 else ""
        lines.append(line([name, *means, told, f"{p_values[name]:.4f}", mark]))
    return lines


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's over the last axis of (..., n) arrays."""
    a, b = (rankdata(each, axis=-1) for each in (x, y))
    a, b = (each - each.mean(-1, keepdims=True) for each in (a, b))
    return (a * b).sum(-1) / np.maximum(np.sqrt((a**2).sum(-1) * (b**2).sum(-1)), 1e-12)


def correlation(encoders: list[list[dict[str, Any]]], score: str, f1: str, sign: float) -> str:
    """Of means over seeds, with a 95% interval of encoders' means over seeds drawn anew."""
    x, y = (np.array([values(rows, key) for rows in encoders]).T for key in (score, f1))
    rho = float(rank_correlation(sign * x.mean(0), y.mean(0)))
    rows = np.random.default_rng(0).integers(len(x), size=(RESAMPLES, len(x)))
    low, high = np.quantile(rank_correlation(sign * x[rows].mean(1), y[rows].mean(1)), [0.025, 0.975])
    return f"{rho:.2f} ({low:.2f} to {high:.2f})"
