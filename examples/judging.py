"""What a trained network scores on a test set, and where it looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from frames import Frames
from splits import CLASSES, Split
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
)

import sectoraug as sa


@torch.no_grad()
def predictions(model: nn.Module, split: Split, device: torch.device) -> np.ndarray:
    model.eval()
    guesses = [
        model(images.to(device)).argmax(1).cpu() for images, _, _ in DataLoader(Frames(split, None), 128)
    ]
    return torch.cat(guesses).numpy()


def judge_epoch(
    state: dict[str, Any],
    losses: list[torch.Tensor],
    model: nn.Module,
    validation: Split,
    device: torch.device,
    keep_last: bool = False,
) -> None:
    """Add an epoch's mean loss and validation accuracy to the curves; keep the best or the last weights."""
    accuracy = float((predictions(model, validation, device) == validation.labels).mean())
    state["losses"].append(float(torch.stack(losses).mean()))
    state["accuracies"].append(accuracy)
    if keep_last or accuracy > state["best"]:
        state["best"] = accuracy
        state["best_model"] = {key: value.clone() for key, value in model.state_dict().items()}
    state["epoch"] += 1


def batches(split: Split) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    loader = DataLoader(Frames(split, None), 64)
    for start, (images, labels, _) in zip(range(0, len(split.labels), 64), loader, strict=True):
        yield images, labels, torch.from_numpy(split.sectors[start : start + 64])


def evaluate(
    model: nn.Module, split: Split, layer: str, device: torch.device, n: int = len(CLASSES)
) -> dict[str, float]:
    """Scores of n classes, energy, focus and coverage in percent, dead CAMs, and the CAM's grid.

    Energy, focus and coverage are of the images that have a sector.
    """
    alone = {"sync_on_compute": False}  # one rank judges
    scores = MetricCollection(
        {
            "accuracy": MulticlassAccuracy(n, average="micro", **alone),
            "precision": MulticlassPrecision(n, **alone),
            "recall": MulticlassRecall(n, **alone),
            "f1": MulticlassF1Score(n, **alone),
        }
    )
    focus = sa.Focus(**alone)
    model.eval()
    with sa.GradCAM(model, layer) as gradcam:
        for images, labels, sectors in batches(split):
            cam = gradcam(images.to(device))
            scores.update(gradcam.scores.argmax(1).cpu(), labels)
            known = (sectors != 0).flatten(1).any(1)
            if known.any():
                focus.update(cam.cpu()[known], sectors[known])
        grid = gradcam.grid
    seen = {key: float(value) for key, value in focus.compute().items()}
    return {
        **{key: 100 * float(value) for key, value in scores.compute().items()},
        "energy": seen["energy_percent"],
        "focus": seen["focus_percent"],
        "coverage": seen["coverage_percent"],
        "n_empty": seen["n_empty"],
        "grid": "x".join(map(str, grid)),
    }
