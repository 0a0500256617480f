"""Masks by motion, a base network and a refined one on real clips, each source held out in turn.

    python examples/refine_sectors/real.py --root FOLDER

FOLDER/sectors.json lists {"file": a clip, "sector": its drawn sector, a PNG of the clip's size}, both in
FOLDER; stills and files that are elsewhere are left out. A clip's source is its folder, or what a CSV of
file,source says (--sources).

The base network learns good automatic masks: those of the other sources' clips, a third of what it sees, and
those of phantom sequences. The refined one goes on with the other sources' drawn sectors. The masks are by
one of the paper's recipes (--method). It writes real.md and each network's scores into --out, readable by you
only, and goes on after the last finished network.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from refine import among, once, settle, sort_masks
from sequences import METHODS, Sequence, kept, own_sequence, phantom_sequences
from tqdm import tqdm
from unet import RECIPES, ModernUNet, predict, score, train

RECIPE = RECIPES["modern"]


def drawn_clips(root: Path, sources: Path | None, size: int, folder: Path) -> dict[str, dict[str, Sequence]]:
    """Clips with a drawn sector by source and name."""
    known = dict(csv.reader(sources.read_text().splitlines())) if sources else {}
    found: dict[str, dict[str, Sequence]] = {}
    for entry in tqdm(json.loads((root / "sectors.json").read_text()), desc=str(root)):
        name, path = entry["file"], root / entry["file"]
        if not path.exists():
            continue
        make = partial(own_sequence, path, root / entry["sector"], size)
        clip = kept(folder / f"{name.replace('/', '-')}.npz", make)
        if len(clip.frames) > 1:
            found.setdefault(known.get(name, path.parent.name), {})[name] = clip
    if len(found) < 2:
        raise SystemExit(
            f"clips of {len(found)} sources are in {root}; expected two or more, to hold one out."
        )
    return found


def held_out(
    on: dict[str, Sequence], others: list[Sequence], phantoms: list[Sequence], seed: int, arguments: Any
) -> dict[str, Any]:
    """Scores of the masks and of both networks on each clip of a source that they saw nothing of."""
    method, share = arguments.method, arguments.pass_share
    passed, real = (sort_masks(sequences, method, share)[0] for sequences in (phantoms, others))
    good = passed + max(1, len(passed) // (2 * len(real))) * real
    torch.manual_seed(seed)
    model = ModernUNet(arguments.width).to("cuda" if torch.cuda.is_available() else "cpu")

    def scored(find: Any) -> dict[str, Any]:
        return {name: asdict(score(find, [clip])) for name, clip in on.items()}

    def trained(
        rate: float, sequences: list[Sequence], masks: list[np.ndarray], epochs: int
    ) -> dict[str, Any]:
        train(model, RECIPE, rate, sequences, masks, epochs, arguments.frames, seed, lambda epoch: None)
        return scored(partial(predict, model))

    masks = [s.masks[method] for s in good]
    return {
        "masks": scored(lambda s, chosen: np.repeat(s.masks[method][None], len(chosen), 0)),
        "base": trained(RECIPE.base_rate, good, masks, arguments.epochs),
        "refined": trained(
            RECIPE.refining_rate,
            among(good, others),
            among(masks, [s.drawn for s in others]),
            arguments.refine_epochs,
        ),
    }


def table(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Mean accuracy and IoU over a source's clips, ± standard deviation over seeds."""
    lines = ["| source | clips | masks | base | refined |", "|---|---|---|---|---|"]
    joined = [
        {model: {k: v for runs_ in part for k, v in runs_[model].items()} for model in part[0]}
        for part in zip(*runs.values(), strict=True)
    ]
    for source, results in (runs | {"all": joined}).items():
        cells = []
        for model in ("masks", "base", "refined"):
            means = {
                what: [np.mean([clip[what] for clip in result[model].values()]) for result in results]
                for what in ("accuracy", "iou")
            }
            spread = "" if model == "masks" else f" ± {np.std(means['accuracy'], ddof=len(results) > 1):.2f}"
            cells.append(f"{np.mean(means['accuracy']):.2f}{spread}, {np.mean(means['iou']):.2f}")
        lines.append(f"| {source} | {len(results[0]['masks'])} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, required=True, help="clips, drawn sectors and sectors.json")
    parser.add_argument("--sources", type=Path, help="a CSV of file,source; a clip's folder if left out")
    parser.add_argument("--method", choices=METHODS, default="hull", help="the recipe of the masks")
    parser.add_argument("--pass-share", type=float, default=0.37, help="of the masks, the best, are good")
    parser.add_argument("--phantoms", type=int, default=600, help="phantom sequences")
    parser.add_argument("--size", type=int, default=128, help="height and width in pixels")
    parser.add_argument("--width", type=int, default=16, help="features of the U-Net at full size")
    parser.add_argument("--frames", type=int, default=3, help="random frames a sequence")
    parser.add_argument("--epochs", type=int, default=3, help="of the base networks")
    parser.add_argument("--refine-epochs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "output" / "refine_sectors_real"
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    settle(arguments, free=("out", "seeds"))
    clips = drawn_clips(arguments.root, arguments.sources, arguments.size, arguments.out / "cache")
    phantoms = phantom_sequences(arguments.phantoms, arguments.size, 0, arguments.out / "cache")
    runs: dict[str, list[dict[str, Any]]] = {source: [] for source in clips}
    for seed in tqdm(range(arguments.seeds), desc="seeds"):
        for source, on in clips.items():
            others = [s for other, found in clips.items() if other != source for s in found.values()]
            path = arguments.out / "runs" / f"{source}-{seed}.json"
            runs[source].append(once(path, partial(held_out, on, others, phantoms, seed, arguments)))
    text = table(runs)
    (arguments.out / "real.md").write_text(text)
    print(text)


if __name__ == "__main__":
    os.umask(0o077)  # the cache shows patients
    main()
