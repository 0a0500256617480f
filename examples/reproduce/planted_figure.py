"""A picture of the planted shortcut: each method's balanced accuracy on every test, with its interval."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from natural import Natural
from planted import Planted
from planted_table import in_order
from scipy.stats import t
from tables import TITLES, read, values
from whole_files import write_whole

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = ("#1b9e77", "#222222", "#d95f02", "#7570b3", "#bbbbbb")


def draw_planted(path: Path, folder: Path, data: Planted | Natural) -> None:
    """Dots are means over the seeds, bars 95% intervals by Student's t; dotted: an answer by chance."""
    groups = in_order(read(folder))
    shown = [test for test in data.shown if any(values(each, test, "recall") for each in groups.values())]
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(groups) + 1.4), layout="constrained")
    for line, results in enumerate(groups.values()):
        for k, (test, colour) in enumerate(zip(shown, COLOURS, strict=False)):
            scores = np.array(values(results, test, "recall"))
            if len(scores):
                spread = scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else 0
                half = t.ppf(0.975, max(len(scores) - 1, 1)) * spread
                height = line + 0.13 * (k - 2)
                axes.errorbar(scores.mean(), height, xerr=half, fmt="o", color=colour, ms=4, lw=1)
    for test, colour in zip(shown, COLOURS, strict=False):
        axes.plot([], [], "o", color=colour, label=test)
    axes.axvline(100 / len(data.classes), color="grey", ls=":", lw=1)
    axes.set_yticks(range(len(groups)), [TITLES.get(name, name) for name in groups])
    axes.invert_yaxis()
    axes.set_xlabel("balanced accuracy, %")
    axes.legend(frameon=False, fontsize=8, ncols=len(shown), loc="lower center", bbox_to_anchor=(0.5, 1))
    write_whole(path, lambda part: figure.savefig(part, dpi=120, format="png"))
    plt.close(figure)
