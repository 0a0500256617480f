"""Draw docs/images/batch_DEVICE.png from results/batch_DEVICE.json: 64 float32 images, times over a copy's.

python benchmarks/plot_batch.py
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
IMAGES = HERE.parent / "docs" / "images"


def draw(path: Path) -> Path:
    result = json.loads(path.read_text())
    machine = result["machine"]
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", sharey=True)
    for axis, shape in zip(axes, ("1x112x112", "3x224x224"), strict=True):
        rows = {
            name.removesuffix(" / copy_"): value
            for name, value in result["results"][f"64x{shape} float32"].items()
            if name.endswith(" / copy_")
        }
        names = list(rows)[::-1]
        medians = [rows[name]["median"] for name in names]
        spread = [
            [rows[name]["median"] - rows[name]["q1"] for name in names],
            [rows[name]["q3"] - rows[name]["median"] for name in names],
        ]
        ours = ["tab:blue" if name.startswith(("swap", "RandomBackMix")) else "lightgrey" for name in names]
        axis.barh(names, medians, xerr=spread, color=ours)
        for y, (name, value) in enumerate(zip(names, medians, strict=True)):
            axis.text(rows[name]["q3"] * 1.06, y, f"{value:.1f}", va="center", fontsize=8)  # past its spread
        axis.set(
            xscale="log",
            xlabel="time, in copies of the batch (log scale)",
            title=f"64 images, {shape}, float32",
        )
        axis.set_xlim(1, 3 * max(medians))
        axis.tick_params(axis="y", labelsize=8)
    where = machine.get("gpu", f"{machine['processor']}, one thread")
    figure.suptitle(f"{where}; torch {machine['torch']}, kornia {machine['kornia']}", fontsize=9)
    out = IMAGES / f"{path.stem}.png"
    figure.savefig(out, dpi=90)
    plt.close(figure)
    return out


if __name__ == "__main__":
    for path in sorted((HERE / "results").glob("batch_*.json")):
        print("drawn to", draw(path))
