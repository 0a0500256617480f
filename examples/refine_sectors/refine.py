"""From poor automatic masks to a good network: sort, train, refine (Zahn & Perrin), with honest statistics.

    python examples/refine_sectors/refine.py                    # phantom, half an hour of one core
    python examples/refine_sectors/refine.py --full             # the paper's sizes; wants a GPU
    python examples/refine_sectors/refine.py --root FOLDER      # your clips
    python examples/refine_sectors/refine.py --shard 0/4        # a quarter of the runs

Your clips are FOLDER/clips/NAME.*, hand-drawn sectors of some of them FOLDER/drawn/NAME.png.

1. Each sequence gets a mask from its motion, by each of the paper's three recipes.
2. Masks are sorted into good and bad. The best pass, in the paper's share (--pass-share): where sectors are
   drawn the glance is their IoU; elsewhere it is the mask's quality.
3. A U-Net learns the good masks, random frames a sequence.
4. It is refined on two thirds of the hand-drawn Representative set, in three folds, and scored on the last
   third and on the Bad Mask set: sequences whose automatic mask failed. Beside them are two controls, trained
   as long without drawn sectors: on good masks alone ("longer"), and with the masks that failed most narrowly
   in the drawn sectors' place ("more"). What a refinement gains over them is the drawn sectors' doing.

--recipe paper trains as printed. The modern one darkens and flips frames, shows the network each sequence's
brightest image and its change beside them, refines on drawn sectors among good masks, and fits an outline.

Every run is repeated with other seeds. Stop it at any time: the same command goes on after the last finished
clip and network. It writes report.md, results.json, masks.png and curves.png into --out, and the clips at the
network's size into --out/cache, all readable by you only.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import FOLDS, write_report
from sequences import METHODS, Sequence, own_sequences, phantom_sequences
from tqdm import tqdm
from unet import RECIPES, Scores, predict, score, train


def sort_masks(sequences: list[Sequence], method: str, share: float) -> tuple[list[Sequence], list[Sequence]]:
    """Step 2, a glance at each mask: sequences with a good one, and the others."""
    good, failed = [], []
    for drawn in (True, False):
        alike = [s for s in sequences if (s.drawn is not None) == drawn]
        worths = [s.worth(method) for s in alike]
        least = np.quantile(worths, 1 - share) if alike else 0.0
        for sequence, worth in zip(alike, worths, strict=True):
            (good if worth >= least and worth > 0 else failed).append(sequence)
    return good, failed


def next_best(failed: list[Sequence], method: str, n: int) -> list[Sequence]:
    """The n whose masks failed most narrowly."""
    found = [s for s in failed if s.masks[method].any()]
    return sorted(found, key=lambda s: s.worth(method), reverse=True)[:n]


def among(good: list[Any], others: list[Any]) -> list[Any]:
    """What a modern refinement sees: a fourth of the good, and the others three times as often."""
    return max(1, 3 * len(good) // (4 * len(others))) * others + good[::4]


def once(path: Path, make: Callable[[], Any]) -> Any:
    """The JSON in a file, which is made and written first where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(make()))
        part.replace(path)
    return json.loads(path.read_text())


def run_once(
    method: str,
    run: int,
    good: list[Sequence],
    narrow: list[Sequence],
    bad: list[Sequence],
    representative: list[Sequence],
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """Steps 3 and 4 with one seed: a base network, its two controls and three refinements."""
    recipe, modern = RECIPES[arguments.recipe], arguments.recipe == "modern"
    seed = 100 * METHODS.index(method) + run
    torch.manual_seed(seed)
    model = recipe.network(arguments.width).to("cuda" if torch.cuda.is_available() else "cpu")
    masks = [s.masks[method] for s in good]

    def scored(sequences: list[Sequence]) -> Scores:
        return score(partial(predict, model), sequences)

    def trained(
        rate: float, sequences: list[Sequence], masks: list[np.ndarray], epochs: int, on: list[Sequence]
    ) -> dict[str, Any]:
        curve: list[Any] = []
        watch = lambda epoch: curve.append([epoch, scored(on).accuracy])  # noqa: E731
        train(model, recipe, rate, sequences, masks, epochs, arguments.frames, seed, watch)
        own = scored(on)
        return {
            "curve": [*curve, [epochs, own.accuracy]],
            "representative": asdict(own),
            "bad": asdict(scored(bad)) if bad else None,
        }

    result = {"base": trained(recipe.base_rate, good, masks, arguments.epochs, representative)}
    base = {key: value.clone() for key, value in model.state_dict().items()}

    def refined(others: list[Sequence], targets: list[np.ndarray], on: list[Sequence]) -> dict[str, Any]:
        model.load_state_dict(base)
        if modern:
            others, targets = among(good, others), among(masks, targets)
        return trained(recipe.refining_rate, others, targets, arguments.refine_epochs, on)

    thirds = [representative[k :: len(FOLDS)] for k in range(len(FOLDS))]
    result["base"] |= {fold: scored(rest).accuracy for fold, rest in zip(FOLDS, thirds, strict=True)}
    drawn = [[s for s in representative if not any(s is r for r in rest)] for rest in thirds]
    n_drawn = max(map(len, drawn))
    longer = [s for i, s in enumerate(good) if i % 4]
    controls = {"longer": longer if modern else longer[:n_drawn], "more": narrow[:n_drawn] or longer}
    for control, others in controls.items():
        result[control] = refined(others, [s.masks[method] for s in others], representative)
    for fold, rest, others in zip(FOLDS, thirds, drawn, strict=True):
        result[fold] = refined(others, [s.drawn for s in others], rest)
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="your clips; the phantom if left out")
    parser.add_argument("--full", action="store_true", help="256x256, width 32, 100 epochs")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="modern", help="how to train")
    parser.add_argument("--size", type=int, help="height and width in pixels")
    parser.add_argument("--sequences", type=int, default=1666, help="of the phantom")
    parser.add_argument("--seed", type=int, default=0, help="of the phantom's sequences")
    parser.add_argument("--drawn", type=int, default=33, help="size of the Representative set")
    parser.add_argument("--bad", type=int, default=100, help="size of the Bad Mask set")
    parser.add_argument("--width", type=int, help="features of the U-Net at full size")
    parser.add_argument("--frames", type=int, help="random frames a sequence")
    parser.add_argument("--epochs", type=int, help="of the base networks")
    parser.add_argument("--refine-epochs", type=int)
    parser.add_argument("--runs", type=int, default=6, help="seeds")
    parser.add_argument(
        "--pass-share", type=float, default=0.37, help="of the masks, the best, pass the glance"
    )
    parser.add_argument("--shard", default="0/1", metavar="K/N", help="do every N-th run from the K-th")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "refine_sectors")
    full = parser.parse_args().full
    parser.set_defaults(
        size=256 if full else 128,
        width=32 if full else 16,
        frames=10 if full else 3,
        epochs=100 if full else 3,
        refine_epochs=100 if full else 1,
    )
    return parser.parse_args()


def settle(arguments: argparse.Namespace, free: tuple[str, ...]) -> dict[str, str]:
    """The settings, but for some that are free, in words; a folder keeps to those that it was begun with."""
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = {key: str(value) for key, value in vars(arguments).items() if key not in free}
    described = arguments.out / "settings.json"
    if described.exists() and json.loads(described.read_text()) != settings:
        raise SystemExit(
            f"{arguments.out} holds runs with other settings; choose another --out, or remove it."
        )
    described.write_text(json.dumps(settings, indent=1))
    return settings


def main() -> None:
    arguments = parse()
    if arguments.size < 64 or arguments.size % 4:
        raise SystemExit(f"--size is {arguments.size}; expected 64 or more, and a multiple of 4.")
    settings = settle(arguments, free=("out", "runs", "shard"))
    if arguments.root is None:
        sequences = phantom_sequences(
            arguments.sequences, arguments.size, arguments.seed, arguments.out / "cache"
        )
    else:
        sequences = own_sequences(arguments.root, arguments.size, arguments.out / "cache")
    drawn = [s for s in sequences if s.drawn is not None]
    if len(drawn) < 6:
        raise SystemExit(
            f"{len(drawn)} sequences have a drawn sector; expected six or more, to refine and to score."
        )
    representative = drawn[: arguments.drawn]
    left = [s for s in sequences if not any(s is r for r in representative)]

    results: dict[str, Any] = {}
    learned: dict[str, tuple[list[Sequence], ...]] = {}
    for method in METHODS:
        good, failed = sort_masks(left, method, arguments.pass_share)
        bad = [s for s in failed if s.drawn is not None][: arguments.bad]
        if len(good) < 5:
            raise SystemExit(
                f'{len(good)} masks of "{method}" are good; expected five or more: raise --pass-share.'
            )
        narrow = next_best([s for s in failed if not any(s is b for b in bad)], method, len(representative))
        learned[method] = good, narrow, bad
        own = {
            name: asdict(score(lambda s, chosen, m=method: np.repeat(s.masks[m][None], len(chosen), 0), on))
            for name, on in (("representative", representative), ("bad", bad))
            if on
        }
        results[method] = {"masks": own, "good": len(good), "failed": len(failed), "runs": []}

    runs = [
        (m, run, arguments.out / "runs" / f"{m}-{run}.json") for run in range(arguments.runs) for m in METHODS
    ]
    shard, n_shards = map(int, arguments.shard.split("/"))
    for method, run, path in tqdm(runs[shard::n_shards], desc="runs"):
        once(path, partial(run_once, method, run, *learned[method], representative, arguments))
    if missing := sum(not path.exists() for *_, path in runs):
        print(f"{missing} of {len(runs)} runs are still missing; the shard that ends last writes the report.")
        return
    for method, _, path in runs:
        results[method]["runs"].append(json.loads(path.read_text()))
    (arguments.out / "results.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=1) + "\n"
    )
    print(write_report(results, representative[:4], arguments.out))


if __name__ == "__main__":
    os.umask(0o077)  # the pictures and the cache show patients
    main()
