"""The paper's tables and figures from the runs, with the printed numbers beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from sequences import Sequence

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

FOLDS = ("1st", "2nd", "3rd")
MODELS = ("base", *FOLDS)

PRINTED_MASKS = {"threshold": 91.87, "filled": 95.74, "hull": 97.24}
PRINTED = {
    "representative": {
        "threshold": (94.99, 98.14, 98.87, 97.60),
        "filled": (97.71, 98.47, 98.93, 97.78),
        "hull": (98.49, 98.70, 99.02, 98.28),
    },
    "bad": {
        "threshold": (93.16, 97.18, 97.56, 96.91),
        "filled": (96.32, 97.51, 97.78, 97.23),
        "hull": (97.93, 98.02, 98.13, 97.80),
    },
}
"""Mean accuracies of Tables 1 and 3 of Zahn & Perrin, base and three folds."""
SETS = {"representative": "Representative set", "bad": "Bad Mask set"}


def values(result: dict[str, Any], model: str, on: str, what: str) -> list[float]:
    return [run[model][on][what] for run in result["runs"] if run[model][on] is not None]


def accuracy_table(results: dict[str, Any], on: str) -> list[str]:
    """Tables 1 and 3: mean accuracy, 95% interval, IoU, and what the paper printed."""
    lines = [
        "| masks | model | accuracy, % | 95% interval | IoU, % | paper's accuracy |",
        "|---|---|---|---|---|---|",
    ]
    for method, result in results.items():
        if on == "representative":
            own = result["masks"]
            lines.append(
                f"| {method} | (the masks themselves) | {own['accuracy']:.2f} | | {own['iou']:.2f} | "
                f"{PRINTED_MASKS[method]:.2f} |"
            )
        runs = {model: values(result, model, on, "accuracy") for model in MODELS}
        found = sa.compare_runs(runs) if len(runs["base"]) > 1 else None
        for model, printed in zip(MODELS, PRINTED[on][method], strict=True):
            if not runs[model]:
                continue
            low_high = "" if found is None else "{:.2f} to {:.2f}".format(*found.interval[model])
            overlap = np.mean(values(result, model, on, "iou"))
            lines.append(
                f"| {method} | {model} | {np.mean(runs[model]):.2f} | {low_high} | {overlap:.2f} | "
                f"{printed:.2f} |"
            )
    return lines


def test_table(results: dict[str, Any], on: str) -> list[str]:
    """Tables 2 and 4: p-values of each pair of models, * where Holm's correction leaves them significant."""
    found = {
        method: sa.compare_runs({model: values(result, model, on, "accuracy") for model in MODELS})
        for method, result in results.items()
        if len(values(result, "base", on, "accuracy")) > 1
    }
    if not found:
        return ["(one run: nothing to compare)"]
    lines = ["| pair | " + " | ".join(found) + " |", "|---" * (1 + len(found)) + "|"]
    for pair in next(iter(found.values())).p_value:
        cells = [f"{c.p_value[pair]:.1e}{'*' if c.significant[pair] else ''}" for c in found.values()]
        lines.append(f"| {' vs. '.join(pair)} | {' | '.join(cells)} |")
    return lines


def gap(results: dict[str, Any], name: str) -> float:
    """Points of accuracy between the best and the worst recipe."""
    if name == "masks":
        means = [result["masks"]["accuracy"] for result in results.values()]
    else:
        means = [float(np.mean(values(r, name, "representative", "accuracy"))) for r in results.values()]
    return max(means) - min(means)


def write_report(results: dict[str, Any], shown: list[Sequence], out: Path) -> str:
    """Write report.md, masks.png and curves.png; return the report."""
    lines = ["# Refinement"]
    for method, result in results.items():
        lines.append(
            f"\n{method}: {result['good']} masks passed, {result['failed']} failed "
            f"(the paper kept 602 of 1,666); {result['bad']} in the Bad Mask set."
        )
    for on, title in SETS.items():
        lines += [f"\n## {title}\n", *accuracy_table(results, on), "", *test_table(results, on)]
    gaps = {name: gap(results, name) for name in ("masks", *MODELS)}
    lines.append(
        "\nGap between the best and the worst recipe, points: "
        + ", ".join(f"{name} {value:.2f}" for name, value in gaps.items())
        + " (paper: masks 5.37, 2nd 0.15)."
    )
    best = "2nd"
    clean = sum(sum(values(r, best, "bad", "clean")) for r in results.values())
    frames = sum(sum(values(r, best, "bad", "frames")) for r in results.values())
    if frames:
        lines.append(
            f"\nNo burned-in pixel taken for sector, {best} refinement on the Bad Mask set: {clean} of "
            f"{frames} frames, {100 * clean / frames:.1f}% (paper, judged by eye: 320 of 330, 97.0%)."
        )
    report = "\n".join(lines) + "\n"
    (out / "report.md").write_text(report)
    draw_masks(shown, list(results), out / "masks.png")
    draw_curves(results, out / "curves.png")
    return f"{report}\nreport, numbers and pictures are in {out}"


def draw_masks(shown: list[Sequence], methods: list[str], path: Path) -> None:
    size = (2 * len(shown), 2.1 * len(methods))
    figure, axes = plt.subplots(len(methods), len(shown), figsize=size, squeeze=False, layout="constrained")
    for line, method in zip(axes, methods, strict=True):
        for axis, sequence in zip(line, shown, strict=True):
            mask = sequence.masks[method]
            axis.imshow(sequence.frames[len(sequence.frames) // 2], cmap="gray", vmin=0, vmax=255)
            axis.contour(sequence.drawn, [0.5], colors="cyan", linewidths=0.8)
            if mask.any() and not mask.all():
                axis.contour(mask, [0.5], colors="orange", linewidths=0.8)
            axis.set_xticks([])
            axis.set_yticks([])
        line[0].set_ylabel(method)
    figure.suptitle("automatic masks (orange) and drawn sectors (cyan)", fontsize=10)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_curves(results: dict[str, Any], path: Path) -> None:
    """Figures 5 and 6: mean accuracy over the runs and a band of one standard deviation."""
    figure, axes = plt.subplots(
        1, len(results), figsize=(4 * len(results), 3.2), layout="constrained", sharey=True
    )
    for axis, (method, result) in zip(axes, results.items(), strict=True):
        for model in MODELS:
            curves = np.array([run[model]["curve"] for run in result["runs"]])
            epochs, accuracy = curves[0, :, 0], curves[:, :, 1]
            mean, deviation = accuracy.mean(0), accuracy.std(0)
            axis.plot(epochs, mean, marker="o", markersize=3, label=model)
            axis.fill_between(epochs, mean - deviation, mean + deviation, alpha=0.2)
        axis.set(title=method, xlabel="epoch")
    axes[0].set_ylabel("accuracy, %, Representative set")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)
