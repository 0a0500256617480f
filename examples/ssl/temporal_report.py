"""What temporal.py measured, beside the paper's numbers, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
from report import head, holm, line
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


def table(titles: list[str], rows: list[list[str]]) -> str:
    return "\n".join(["", *head(titles), *map(line, rows), ""])


def spread(values: list[float], digits: int) -> str:
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


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


def paired(
    results: Results, score: str, base: str, others: list[str]
) -> list[tuple[np.ndarray, float, float]]:
    """Of each other model the gains over `base` by seed, p by `sa.compare_runs`, and p after Holm."""
    runs = {name: np.array([SCORES[score](run) for run in results[name]]) for name in (base, *others)}
    p_values = [
        sa.compare_runs({base: runs[base], name: runs[name]}, paired=True).p_value[base, name]
        for name in others
    ]
    gains = [runs[name] - runs[base] for name in others]
    return list(zip(gains, p_values, holm(p_values), strict=True))


def gain_table(results: Results, tasks: list[str]) -> str:
    """Tasks that were learned against random initialisation."""
    rows = []
    for score in ("F1", "precision"):
        for task, (gains, p, corrected) in zip(tasks, paired(results, score, "random", tasks), strict=True):
            each = " / ".join(f"{gain:+.1f}" for gain in gains)
            rows.append([f"{task}, {score}", each, f"{gains.mean():+.1f}", f"{p:.3f}", f"{corrected:.3f}"])
    for task in tasks:
        rows.append([f"{task}, accuracy", "", over_patients(results["random"], results[task]), "", ""])
    return table(["gain", "each seed", "mean (95% interval over patients)", "p", "after Holm"], rows)


def over_patients(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> str:
    """Difference of accuracy in points; it holds the trained networks fixed and draws patients."""
    gains = [np.subtract(y["right"], x["right"], dtype=float) for x, y in zip(a, b, strict=True)]
    who = [f"{k}-{patient}" for k, run in enumerate(a) for patient in run["patients"]]
    found = sa.clustered_bootstrap(100 * np.concatenate(gains), who)
    return f"{found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})"


def mark(results: Results, score: str, first: str, others: list[str], sign: int) -> str:
    """Is `first` beyond all others, above (sign 1) or below (-1): in every seed, or is the contrary shown?"""
    found = paired(results, score, first, others)
    beyond = (np.array([-sign * gains for gains, _, _ in found]) > 0).all(0)
    contrary = [p for gains, _, p in found if sign * gains.mean() > 0]
    verdict = "met" if beyond.all() else "refuted" if min(contrary, default=1.0) < 0.05 else "undecided"
    shown = f", p {min(contrary):.3f}" if contrary and not beyond.all() else ""
    return f"{verdict} ({beyond.sum()} of {len(beyond)}{shown})"


def claim_table(results: Results, tasks: list[str]) -> str:
    """The paper's orders of models; the number of seeds that show each, and the least p of the contrary."""
    both, rows = ["random", "supervised"], []
    claims = [
        ("random is worst", "random", ["supervised", *tasks], -1),
        ("supervised is best", "supervised", ["random", *tasks], 1),
        ("sorting is best of the tasks", "sorting", [task for task in tasks if task != "sorting"], 1),
    ]
    for claim, first, others, sign in claims:
        if first in (*both, *tasks) and others:
            marks = [mark(results, score, first, others, sign) for score in SCORES]
            rows.append([claim, *marks])
    return table(["claim", *SCORES], rows)


def ranked_alike(a: list[float], b: list[float]) -> tuple[float, float]:
    """Spearman's rho, and its exact two-sided p; scipy's is an approximation for more than five models."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0, 1.0
    rho = spearmanr(a, b).statistic
    by_chance = np.array([spearmanr(a, order).statistic for order in permutations(b)])
    return float(rho), float(np.mean(np.abs(by_chance) > abs(rho) - 1e-9))


def correlations(results: Results) -> str:
    """Does clustering rank the models as F1 does? Means over seeds, so n is the number of models."""
    every = {s: np.array([[f(run) for run in runs] for runs in results.values()]) for s, f in SCORES.items()}
    rows = []
    for score in ("silhouette", "compactness", "uniqueness"):
        rho, p = ranked_alike(every[score].mean(1).tolist(), every["F1"].mean(1).tolist())
        seeds = zip(every[score].T.tolist(), every["F1"].T.tolist(), strict=True)
        each = " / ".join(f"{ranked_alike(a, b)[0]:+.2f}" for a, b in seeds)
        rows.append([score, f"{rho:+.2f}", f"{p:.3f}", str(len(results)), each])
    return table(["better clustering, better F1", "Spearman of means", "exact p", "n", "each seed"], rows)


def report(results: Results) -> str:
    tasks = learned(results)
    parts = ["## Pretext tasks, percent", pretext_table(results)]
    parts += ["## Downstream, percent, and clustering; ± standard deviation over seeds", model_table(results)]
    if min(map(len, results.values())) > 1 and {"random", "supervised"} < set(results) and tasks:
        parts += ["## Learned tasks against random initialisation", gain_table(results, tasks)]
        parts += ["## Claims", claim_table(results, tasks)]
    if len(results) > 3:
        parts += ["## Does clustering tell F1?", correlations(results)]
    minutes = sum(run["seconds"] for runs in results.values() for run in runs) / 60
    parts.append(f"Trained and scored in {minutes:.0f} minutes of processor time.")
    return "\n".join(parts)
