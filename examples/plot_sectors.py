"""Each step of finding a sector
=============================

Motion, threshold, filled, hull, fan; refusals included.

Real pictures are the ultrasound examples that ship inside pydicom; the others are phantoms.

    python examples/plot_sectors.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from textwrap import fill

import cv2
import matplotlib
import numpy as np
from pydicom import examples

import sectoraug as sa

matplotlib.use("Agg")
from matplotlib import pyplot as plt

STEPS = ("threshold", "filled", "hull", "fan")
CREDIT = (
    "Real pictures: examples_ybr_color.dcm, examples_jpeg2k.dcm and examples_palette.dcm of pydicom (MIT). "
    "Others: phantoms."
)


def cases() -> dict[str, np.ndarray]:
    """Clips and stills by name, (T, H, W) or (T, H, W, 3) uint8."""
    size = (240, 320)
    found = {"real clip": sa.read_clip(examples.get_path("ybr_color"))}
    for geometry, vendor in (("curved", "boreal"), ("linear", "dune")):
        clip = sa.phantom.make_clip("PSAX", 16, size, 5, vendor=vendor, geometry=geometry)
        found[f"phantom, {geometry}"] = clip.frames
    found["real still"] = sa.read_clip(examples.get_path("jpeg2k"))
    found["real still, mostly dark"] = sa.read_clip(examples.get_path("palette_color"))
    fan = sa.phantom.make_clip(frames=16, size=(240, 160), seed=2, vendor=None, half_opening_deg=25).frames
    found["two phantoms side by side"] = np.concatenate([fan, fan], 2)
    noise = np.random.default_rng(0).integers(0, 256, (8, *size), dtype=np.uint8)
    found["noise"] = noise
    return found


def motion(frames: np.ndarray) -> np.ndarray | None:
    """Mean |difference| of successive frames, for the eye; None for a still."""
    if len(frames) < 2:
        return None
    grey = frames if frames.ndim == 3 else np.stack([cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in frames])
    return np.log1p(np.abs(np.diff(grey.astype(np.int16), axis=0)).mean(0))


def outlined(frame: np.ndarray, sector: np.ndarray) -> np.ndarray:
    image = frame.copy() if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)
    contours, _ = cv2.findContours(sector.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(image, contours, -1, (255, 200, 0), max(1, image.shape[1] // 200))


def draw_step(axis: plt.Axes, frames: np.ndarray, method: str) -> str:
    """One method on one clip: its outline and quality, or the sentence that refuses; returns what it says."""
    try:
        found = sa.sector_from_clip(frames, method)
    except sa.SectorNotFound as refusal:
        sentence = fill(str(refusal).split(";")[0], 26)
        axis.text(0.5, 0.5, "refused:\n" + sentence, ha="center", va="center", fontsize=7)
        return f"refused: {refusal}"
    middle = frames[len(frames) // 2]
    shown = outlined(middle, found.sector) if method == "fan" else found.sector
    axis.imshow(shown, cmap="gray", vmin=0, vmax=1 if shown.dtype == bool else 255)
    kind = f"{found.geometry.kind}, " if found.geometry else ""
    by = "network" if "network" in found.note else method
    axis.set_title(f"{by}: {kind}quality {found.quality:.2f}", fontsize=7, pad=2)
    return f"{kind}quality {found.quality:.2f} {found.note}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(sys.argv[0]).parent / "output")
    arguments = parser.parse_args()
    rows = cases()
    figure, axes = plt.subplots(
        len(rows), 2 + len(STEPS), figsize=(11, 1.45 * len(rows)), layout="constrained"
    )
    for (name, frames), line in zip(rows.items(), axes, strict=True):
        line[0].imshow(frames[len(frames) // 2], cmap="gray")
        line[0].set_title(name, fontsize=8, pad=2)
        moved = motion(frames)
        if moved is not None:
            line[1].imshow(moved, cmap="magma")
            line[1].set_title("mean |difference|, log", fontsize=7, pad=2)
        for axis, method in zip(line[2:], STEPS, strict=True):
            print(f"{name}, {method}: {draw_step(axis, frames, method)}")
        for axis in line:
            axis.axis("off")
    figure.supxlabel(CREDIT, fontsize=6)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "sectors.png"
    figure.savefig(path, dpi=80)
    print(os.path.relpath(path))


if __name__ == "__main__":
    main()
