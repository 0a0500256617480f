"""Score the finder on real pictures, each by a network that saw no picture of its source.

    python examples/sector_net/score.py FOLDER [FOLDER ...]      # after train.py --real with these

Stills and clips go through `sector_from_image` and `sector_from_clip` as anybody's would, with the network
of the fold that left their source out. Clips are scored as stills, too: three frames of each. What was
refused counts as an IoU of 0. Then the quality is judged: how to turn expected IoUs into probabilities, and
what share of the estimates above each quality is good.

At last the network of all sources looks at made-up screens under seeds that it has not seen: how many with
several views or a strip are refused, how many with one sector, and how much overlay it finds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
import torch
from real import Drawn, read_drawn
from safetensors.torch import load_file
from scenes import scene
from sklearn.metrics import roc_auc_score
from tqdm import tqdm
from train import folds

import sectoraug as sa
from sectoraug.sectors.clues.net import seen_by_net
from sectoraug.sectors.clues.net_model import SectorNet

GOOD, BAD = 0.95, 0.9
UNSEEN = 8765  # seed of made-up screens that no training uses


@contextmanager
def network(path: Path) -> Iterator[None]:
    """Every look at a picture by these weights instead of the package's."""
    model = SectorNet()
    model.load_state_dict(load_file(path))
    model.eval()
    with patch("sectoraug.sectors.clues.net_torch.default_net", lambda: model):
        yield


class Row(NamedTuple):
    """One file, or one frame of a clip as a still."""

    file: int
    source: str
    kind: str
    """"clip", "still" or "frame of a clip"."""
    iou: float
    quality: float
    """0 where it was refused."""


def judged(number: int, item: Drawn) -> list[Row]:
    """A still once; a clip as it is, and its first, middle and last frame as stills."""
    n = len(item.frames)
    if n == 1:
        return [row(number, item, "still", lambda: sa.sector_from_image(item.frames[0]))]
    rows = [row(number, item, "clip", lambda: sa.sector_from_clip(item.frames))]
    for k in (0, n // 2, n - 1):
        rows.append(row(number, item, "frame of a clip", lambda k=k: sa.sector_from_image(item.frames[k])))
    return rows


def row(number: int, item: Drawn, kind: str, find) -> Row:
    try:
        found = find()
    except sa.SectorNotFound as refusal:
        print(f"{item.source}: {refusal}")
        return Row(number, item.source, kind, 0.0, 0.0)
    a, b = found.sector[~item.ignore], item.sector[~item.ignore]
    return Row(number, item.source, kind, float((a & b).sum() / max((a | b).sum(), 1)), found.quality)


def table(rows: list[Row]) -> str:
    """Mean over files of their mean IoU, and the least, by kind and source."""
    lines = ["| | files | mean IoU | least |", "|---|---|---|---|"]
    for kind in ("still", "clip", "frame of a clip"):
        of_kind = [row for row in rows if row.kind == kind]
        sources = sorted({row.source for row in of_kind})
        for source in [*sources, f"all: {kind}"]:
            among = [row for row in of_kind if source in (row.source, f"all: {kind}")]
            if among:
                files = sorted({row.file for row in among})
                means = [np.mean([row.iou for row in among if row.file == k]) for k in files]
                least = min(row.iou for row in among)
                lines.append(f"| {source} | {len(files)} | {np.mean(means):.3f} | {least:.3f} |")
    return "\n".join(lines)


def reliability(rows: list[Row]) -> str:
    """What became of the estimates of each quality."""
    lines = ["| quality | estimates | IoU of .95 or more | below .9 |", "|---|---|---|---|"]
    iou, quality = np.array([row.iou for row in rows]), np.array([row.quality for row in rows])
    for low, high in ((0.0, 0.001), (0.001, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01)):
        here = iou[(quality >= low) & (quality < high)]
        name = "refused" if high == 0.001 else f"{max(low, 0.15):g} to {min(high, 1):g}"
        if len(here):
            lines.append(
                f"| {name} | {len(here)} | {np.mean(here >= GOOD):.0%} | {np.mean(here < BAD):.0%} |"
            )
    good = iou >= GOOD
    if good.any() and not good.all():
        lines.append(f"\nArea under the ROC curve {roc_auc_score(good, quality):.3f}.")
    return "\n".join(lines)


def made_up(n: int) -> str:
    """What is refused of made-up screens of unseen seeds, and how much of their overlay is found."""
    refused, asked = np.zeros(2, int), np.zeros(2, int)
    right = marked = caught = written = 0
    for k in tqdm(range(n), desc="made-up screens"):
        screen = scene(np.random.default_rng([UNSEEN, k]))
        grey, kind = np.ascontiguousarray(screen.grey), int(screen.single)
        asked[kind] += 1
        try:
            sa.sector_from_image(grey)
        except sa.SectorNotFound:
            refused[kind] += 1
        found = seen_by_net(grey).overlay > 0.5
        true = (
            cv2.resize(screen.overlay.view(np.uint8), found.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        )
        right, marked = right + (found & widened(true)).sum(), marked + found.sum()
        caught, written = caught + (true & widened(found)).sum(), written + true.sum()
    return (
        f"Made-up screens of unseen seeds: {refused[0]} of {asked[0]} with several views or a strip refused, "
        f"{refused[1]} of {asked[1]} with one sector. Overlay, two pixels of slack: {right / marked:.1%} "
        f"of what is marked, and {caught / written:.1%} of it found."
    )


def widened(plane: np.ndarray) -> np.ndarray:
    """By two pixels."""
    return cv2.dilate(plane.view(np.uint8), np.ones((5, 5), np.uint8)) > 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path, nargs="+", help="folders with sectors.json (see real.py)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "sector_net")
    parser.add_argument("--made-up", type=int, default=1600, help="how many made-up screens")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    drawn = [item for folder in arguments.real for item in read_drawn(folder, None)]
    rows: list[Row] = []
    for fold, left_out in enumerate(folds(drawn)):
        with network(arguments.out / f"fold-{fold}.safetensors"):
            for number, item in enumerate(tqdm(drawn, desc=f"without {', '.join(left_out)}")):
                if item.source in left_out:
                    rows += judged(number, item)
    (arguments.out / "scores.json").write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    print(table(rows), reliability(rows), sep="\n\n")
    with network(arguments.out / "all.safetensors"):
        print("\n" + made_up(arguments.made_up))


if __name__ == "__main__":
    main()
