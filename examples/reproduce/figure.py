"""The paper's Figures 4 and 5: test images with the GradCAM maps of each method's median model."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import torch
from data import Data
from methods import Run
from splits import Split
from train import Setting, layer_of, model_of
from train_report import draw_heatmap_row
from whole_files import write_whole

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROWS = ("baseline", "black", "noise", "shuffle", "blur", "dim", "cutmix", "sma", "backmix f=1")


def median_runs(folder: Path, test: str) -> dict[str, Run]:
    """For each name in ROWS the run of median accuracy."""
    runs: dict[str, list[tuple[float, Run]]] = {}
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text())
        if result["name"] in ROWS and test in result["tests"]:
            runs.setdefault(result["name"], []).append(
                (result["tests"][test]["accuracy"], Run(**result["run"]))
            )
    ordered = {name: sorted(each, key=lambda pair: pair[0]) for name, each in runs.items()}
    return {name: ordered[name][(len(ordered[name]) - 1) // 2][1] for name in ROWS if name in ordered}


def draw_maps(out: Path, data: Data, setting: Setting, device: torch.device) -> None:
    """maps-id.png and maps-ood.png: two images of each class, drawn by a fixed seed, never chosen by eye."""
    for test in ("i.d.", "o.o.d."):
        chosen = median_runs(out / "runs", test)
        if test in data.splits and chosen:
            path = out / f"maps-{test.replace('.', '')}.png"
            _draw(chosen, data, test, setting, out, device, path)


def _draw(
    runs: dict[str, Run],
    data: Data,
    test: str,
    setting: Setting,
    out: Path,
    device: torch.device,
    path: Path,
) -> None:
    split: Split = data.splits[test]
    rng = np.random.default_rng(0)
    picked = np.concatenate(
        [
            rng.permutation(np.flatnonzero(split.labels == label))[:2]
            for label in range(min(4, len(data.classes)))
        ]
    )
    figure, axes = plt.subplots(
        len(runs),
        len(picked),
        figsize=(1.35 * len(picked), 1.5 * len(runs)),
        squeeze=False,
        layout="constrained",
    )
    for line, (name, run) in zip(axes, runs.items(), strict=True):
        model = model_of(run, setting, len(data.classes)).to(device)
        weights = torch.load(out / "weights" / f"{run.file}.pt", map_location=device, weights_only=True)
        model.load_state_dict(weights)
        draw_heatmap_row(line, name, model, layer_of(run, setting), split, picked, data.classes, device)
    write_whole(path, lambda part: figure.savefig(part, dpi=80, format="png"))
    plt.close(figure)
