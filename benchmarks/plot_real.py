"""The picture of docs/real.md, from that page's own tables: what the tie is worth to each method.

python benchmarks/plot_real.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np
from scipy.stats import t

matplotlib.use("Agg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).parents[1]
SECTIONS = {
    "a. all images, 10 seeds": ("### a. Planted", 10),
    "a2. with background to see, 10 seeds": ("### a2. Planted", 10),
    "h. baseline and BackMix again, 30 seeds": ("### h. The gain", 30),
}
TESTS = {"i.d.": "#c8401e", "neutral": "#2f6db3"}


def rows(page: str, heading: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Method -> test -> mean and standard deviation, of the first table under a heading."""
    table = page[page.index(heading) :].split("\n\n| method |", 1)[1].split("\n\n", 1)[0]
    head, _, *lines = table.split("\n")
    names = [cell.strip() for cell in head.split("|")[:-1]]
    found = {}
    for line in lines:
        method, *cells = [cell.strip() for cell in line.split("|")[1:-1]]
        numbers = [tuple(map(float, re.findall(r"[\d.]+", cell))) for cell in cells]
        found[method] = dict(zip(names, numbers, strict=True))
    return found


def main() -> None:
    page = (ROOT / "docs" / "real.md").read_text()
    tables = {title: (rows(page, heading), n) for title, (heading, n) in SECTIONS.items()}
    heights = [len(table) + 1 for table, _ in tables.values()]
    figure, axes = plt.subplots(
        len(tables),
        1,
        figsize=(7, 0.3 * sum(heights) + 1.2),
        sharex=True,
        height_ratios=heights,
        layout="constrained",
    )
    for axis, (title, (table, n)) in zip(axes, tables.items(), strict=True):
        for line, scores in enumerate(table.values()):
            for k, (test, colour) in enumerate(TESTS.items()):
                mean, deviation = scores[test]
                half = t.ppf(0.975, n - 1) * deviation / np.sqrt(n)
                axis.errorbar(mean, line + 0.2 * k - 0.1, xerr=half, fmt="o", color=colour, ms=4, lw=1.2)
        axis.axvline(25, color="grey", ls=":", lw=1)
        axis.set_yticks(range(len(table)), list(table))
        axis.set_ylim(len(table) - 0.5, -0.5)
        axis.set_title(title, loc="left", fontsize=9)
    for test, colour in TESTS.items():
        label = {"i.d.": "background tells the class", "neutral": "it does not"}[test]
        axes[0].plot([], [], "o", color=colour, label=label)
    axes[0].legend(frameon=False, fontsize=8, loc="lower left")
    axes[-1].set_xlabel("balanced accuracy on the test, %; bars: 95% intervals; dotted: chance")
    figure.savefig(ROOT / "docs" / "images" / "real.png", dpi=110)


if __name__ == "__main__":
    main()
