"""What temporal.py measured, beside the paper's numbers, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import binomtest, spearmanr
from temporal_tasks import CHOICES

import sectoraug as sa

Results = dict[str, list[dict[str, Any]]]
"""By model, a dict for each seed."""

PAPER = {"random": ("0.625", "0.113"), "sorting": ("0.679", "0.351"), "supervised": ("0.681", "0.403")}
"""Precision and uniqueness as the text prints them (3.2, 3.3); all else is bars of a figure."""

SCORES: dict[str, Callable[[dict[str, Any]], float]] = {
    "F1": lambda run: float(np.mean(run["f1"])),
    "precision": lambda run: float(np.mean(run["precision"])),
    "silhouette": lambda run: run["silhouette"],
    "compactness": lambda run: -run["compactness"],
    "uniqueness": lambda run: run["uniqueness"],
}
"""Of a model and seed, higher is better. Folds share training data, so a seed counts once, as their mean."""


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(titles: list[str], rows: list[list[str]]) -> str:
    return "\n".join(["", line(titles), "|" + "---|" * len(titles), *map(line, rows), ""])


def spread(values: list[float], digits: int) -> str:
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def holm(p_values: list[float]) -> list[float]:
    """Adjusted by Holm: significant where below the error rate of the family."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.take(p_values, order) * factors))
    return adjusted.tolist()


def solved_by_chance(task: str, run: dict[str, Any]) -> float:
    """One-sided p of a pretext task's right answers on held-out clips."""
    right = run["solved"]
    return float(binomtest(sum(right), len(right), 1 / CHOICES[task], alternative="greater").pvalue)


def learned(results: Results) -> list[str]:
    """Tasks above chance (p < .01) on held-out clips in every seed."""
    return [t for t in results if t in CHOICES and max(solved_by_chance(t, r) for r in results[t]) < 0.01]


def pretext_table(results: Results) -> str:
    rows = []
    for task in (task for task in results if task in CHOICES):
        seen = " / ".join(f"{run['log'][-1]['accuracy']:.0f}" for run in results[task])
        held = " / ".join(f"{100 * np.mean(run['solved']):.0f}" for run in results[task])
        worst = max(solved_by_chance(task, run) for run in results[task])
        verdict = "yes" if task in learned(results) else "no"
        rows.append([task, f"{100 / CHOICES[task]:.0f}", seen, held, f"{worst:.1e}", verdict])
    return table(["task", "chance", "last epoch", "held-out clips", "largest p", "learned"], rows)


def model_table(results: Results) -> str:
    rows = []
    for task, runs in results.items():
        precision, uniqueness = PAPER.get(task, ("bar", "bar"))
        values = {name: [abs(score(run)) for run in runs] for name, score in SCORES.items()}
        cells = [spread(values[name], 1) for name in ("F1", "precision")]
        clusters = [spread(values[name], 3) for name in ("silhouette", "compactness", "uniqueness")]
        rows.append([task, *cells, precision, *clusters, uniqueness])
    return table(["model", "F1", "precision", "paper", "silhouette", "D_C", "D_U", "paper"], rows)


def differences(results: Results, score: str, pairs: list[tuple[str, str]]) -> str:
    """Paired by seed, p by `sa.compare_runs`, Holm's correction over the pairs."""
    runs = {name: [SCORES[score](run) for run in found] for name, found in results.items()}
    p_values = [
        sa.compare_runs({a: runs[a], b: runs[b]}, paired=True).p_value[a, b] if runs[a] != runs[b] else 1.0
        for a, b in pairs
    ]
    digits = 1 if score in ("F1", "precision") else 3
    rows = []
    for (a, b), p, corrected in zip(pairs, p_values, holm(p_values), strict=True):
        gains = np.subtract(runs[b], runs[a])
        each = " / ".join(f"{gain:+.{digits}f}" for gain in gains)
        cells = [f"{b} - {a}", each, f"{gains.mean():+.{digits}f}", f"{p:.3f}", f"{corrected:.3f}"]
        if score == "F1":
            cells.append(over_patients(results[a], results[b]))
        rows.append(cells)
    titles = [score, "each seed", "mean", "p", "Holm"]
    return table([*titles, "accuracy, 95% over patients"] if score == "F1" else titles, rows)


def over_patients(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> str:
    """Difference of accuracy in points; it holds the trained networks fixed and draws patients."""
    gains = [np.subtract(y["right"], x["right"], dtype=float) for x, y in zip(a, b, strict=True)]
    who = [f"{k}-{patient}" for k, run in enumerate(a) for patient in run["patients"]]
    found = sa.clustered_bootstrap(100 * np.concatenate(gains), who)
    return f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


def places(results: Results, score: str) -> str:
    """The models from best to worst, each seed for itself."""
    n_seeds = min(map(len, results.values()))
    orders = [sorted(results, key=lambda t, k=k: -SCORES[score](results[t][k])) for k in range(n_seeds)]
    return f"- {score}, best first: " + "; ".join(", ".join(order) for order in orders) + "."


def correlations(results: Results) -> str:
    """Does clustering rank the models as F1 does? Means over seeds, so n is the number of models."""
    means = {
        s: [float(np.mean([f(r) for r in runs])) for runs in results.values()] for s, f in SCORES.items()
    }
    rows = []
    for score in ("silhouette", "compactness", "uniqueness"):
        found = spearmanr(means[score], means["F1"])
        rows.append([score, f"{found.statistic:+.2f}", f"{found.pvalue:.2f}", str(len(results))])
    return table(["Spearman with F1", "rho", "p", "n"], rows)


def report(results: Results) -> str:
    several = min(map(len, results.values())) > 1
    told = learned(results)
    parts = ["## Pretext tasks, percent\n", pretext_table(results)]
    parts += [
        "## Downstream, percent, and clustering; ± standard deviation over seeds\n",
        model_table(results),
    ]
    if several and "random" in results and told:
        pairs = [("random", task) for task in told]
        parts += ["## Against random initialisation: tasks that were learned\n"]
        parts += [differences(results, score, pairs) for score in SCORES]
    if several and {"random", "supervised"} < set(results) and told:
        pairs = [(task, "supervised") for task in told]
        parts += ["## The upper bound\n"]
        parts += [differences(results, score, pairs) for score in ("F1", "uniqueness", "silhouette")]
    if len(results) > 3:
        parts += ["## Ranks\n", *(places(results, score) for score in SCORES), correlations(results)]
    minutes = sum(run["seconds"] for runs in results.values() for run in runs) / 60
    parts.append(f"Trained and scored in {minutes:.0f} minutes of processor time.")
    return "\n".join(parts)
