"""The table and the pictures of train_resnet18.py."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import albumentations as A
import matplotlib
import numpy as np
import torch
from frames import standardised
from judging import predictions
from splits import CLASSES, Split
from torch import nn

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLUMNS = ("accuracy", "precision", "recall", "f1", "energy", "focus", "coverage")


def table(results: dict[str, dict[str, list[dict[str, float]]]], arguments: argparse.Namespace) -> str:
    """Markdown: a row a run and test set, mean and standard deviation over the seeds."""
    lines = [
        "| run | test | accuracy | precision | recall | F1 | %E | %F | coverage |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, tests in results.items():
        for test, rows in tests.items():
            cells = []
            for column in COLUMNS:
                values = [row[column] for row in rows]
                deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.mean(values):.1f}{deviation}")
            lines.append(f"| {name} | {test} | {' | '.join(cells)} |")
    first = next(iter(next(iter(results.values())).values()))[0]
    empty = sum(int(row["n_empty"]) for tests in results.values() for rows in tests.values() for row in rows)
    lines.append(
        f"\nPercent; {len(arguments.seeds)} seed(s), mean ± standard deviation. %E and %F: GradCAM of the "
        f"predicted class at {arguments.layer}, a {first['grid']} grid; {empty} dead maps left out. "
        "A uniform map scores the coverage."
    )
    return "\n".join(lines)


def draw_swaps(train_split: Split, pool: sa.BackgroundPool, path: Path) -> None:
    transform = A.Compose([sa.BackMix(pool, missing="skip")], seed=0)
    figure, axes = plt.subplots(2, 8, figsize=(13, 3.6), layout="constrained")
    for i, (top, bottom) in enumerate(axes.T):
        top.imshow(train_split.images[i], cmap="gray", vmin=0, vmax=255)
        out = transform(image=train_split.images[i], mask=train_split.sectors[i])
        bottom.imshow(out["image"], cmap="gray", vmin=0, vmax=255)
        top.set_title(CLASSES[train_split.labels[i]], fontsize=9)
        top.axis("off")
        bottom.axis("off")
    figure.suptitle("training images, and the same with backgrounds of others", fontsize=10)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_heatmaps(
    models: dict[str, nn.Module], split: Split, layer: str, device: torch.device, path: Path
) -> None:
    """Images of one test set, those that most models get wrong first, and where each model looks."""
    wrong = np.zeros(len(split.labels))
    for model in models.values():
        wrong += predictions(model, split, device) != split.labels
    chosen = np.argsort(-wrong, kind="stable")[:8]
    n, size = len(chosen), (1.6 * len(chosen), 1.75 * len(models))
    figure, axes = plt.subplots(len(models), n, figsize=size, squeeze=False, layout="constrained")
    for line, (name, model) in zip(axes, models.items(), strict=True):
        draw_heatmap_row(line, name, model, layer, split, chosen, CLASSES, device)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def draw_heatmap_row(
    axes: Any,
    name: str,
    model: nn.Module,
    layer: str,
    split: Split,
    chosen: Any,
    classes: Sequence[str],
    device: torch.device,
) -> None:
    """One model's GradCAM maps of the chosen images, with sectors, and what it takes them for."""
    images = standardised(torch.from_numpy(np.array(split.images[chosen]))[:, None]).to(device)
    with sa.GradCAM(model.eval(), layer) as gradcam:
        maps = np.nan_to_num(gradcam(images).cpu().numpy())
    predicted = gradcam.scores.argmax(1).tolist()
    for axis, i, cam, guess in zip(axes, chosen, maps, predicted, strict=True):
        axis.imshow(split.images[i], cmap="gray", vmin=0, vmax=255)
        axis.imshow(cam, cmap="inferno", alpha=0.5, vmin=0, vmax=1)
        axis.contour(split.sectors[i], [0.5], colors="cyan", linewidths=0.7)
        truth, said = classes[split.labels[i]], classes[guess]
        right = truth == said
        axis.set_title(
            f"{truth} ✓" if right else f"{truth}, not {said}",
            fontsize=7,
            color="black" if right else "crimson",
        )
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0].set_ylabel(name, fontsize=8)


def draw_curves(curves: dict[str, dict[str, list[float]]], path: Path) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, curve in curves.items():
        epochs = range(1, len(curve["losses"]) + 1)
        left.plot(epochs, curve["losses"], label=name)
        right.plot(epochs, [100 * a for a in curve["accuracies"]], label=name)
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation accuracy, %")
    left.legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)
