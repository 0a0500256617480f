"""From poor automatic masks to a good network: sort, train, refine (Zahn & Perrin), with honest statistics.

    python examples/refine_sectors/refine.py                    # phantom, minutes on two cores
    python examples/refine_sectors/refine.py --full             # the paper's sizes; wants a GPU
    python examples/refine_sectors/refine.py --root FOLDER      # your clips

Your clips are FOLDER/clips/NAME.*, hand-drawn sectors of some of them FOLDER/drawn/NAME.png.

1. Each sequence gets a mask from its motion, by each of the paper's three recipes.
2. Masks are sorted into good and bad. Where sectors are drawn, a mask is good that a glance would pass
   (--pass-iou); elsewhere its quality decides (--pass-quality).
3. A U-Net learns the good masks, ten random frames a sequence.
4. It is refined on two thirds of the hand-drawn Representative set, in three folds, and scored on the last
   third and on the Bad Mask set: sequences whose automatic mask failed.

Every run is repeated with other seeds. Stop it at any time: the same command goes on after the last finished
network. It writes report.md, results.json, masks.png and curves.png into --out.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import FOLDS, write_report
from sequences import METHODS, Sequence, own_sequences, phantom_sequences
from tqdm import tqdm
from unet import RECIPES, make_unet, predict, score, train


@dataclass(frozen=True)
class Sorted:
    """What one recipe's masks are good for."""

    good: list[Sequence]
    masks: list[np.ndarray]
    bad: list[Sequence]
    """Hand-drawn ones only."""
    n_failed: int


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def sort_masks(sequences: list[Sequence], method: str, arguments: argparse.Namespace) -> Sorted:
    """Step 2: a glance at each mask."""
    good, masks, bad, n_failed = [], [], [], 0
    for sequence in sequences:
        mask = sequence.masks[method]
        if sequence.drawn is None:
            passes = sequence.qualities[method] >= arguments.pass_quality
        else:
            passes = iou(mask, sequence.drawn) >= arguments.pass_iou[METHODS.index(method)]
        if passes:
            good.append(sequence)
            masks.append(mask)
        else:
            n_failed += 1
            if sequence.drawn is not None:
                bad.append(sequence)
    return Sorted(good, masks, bad, n_failed)


def run_once(
    method: str, run: int, step: Sorted, representative: list[Sequence], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Steps 3 and 4 with one seed: a base network, and its three refinements."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    recipe = RECIPES[arguments.recipe]
    seed = 100 * METHODS.index(method) + run
    torch.manual_seed(seed)
    model = make_unet(arguments.width).to(device)
    result: dict[str, Any] = {}

    def scores(name: str, on: list[Sequence], curve: list[Any]) -> dict[str, Any]:
        return {
            "curve": curve,
            "representative": asdict(score(lambda s: predict(model, s.frames), on)),
            "bad": asdict(score(lambda s: predict(model, s.frames), step.bad)) if step.bad else None,
        }

    def train_on(
        sequences: list[Sequence], masks: list[np.ndarray], epochs: int, on: list[Sequence]
    ) -> list[Any]:
        curve: list[Any] = []
        train(
            model,
            recipe,
            sequences,
            masks,
            epochs,
            arguments.frames,
            seed,
            lambda epoch: curve.append([epoch, score(lambda s: predict(model, s.frames), on).accuracy]),
        )
        return curve

    curve = train_on(step.good, step.masks, arguments.epochs, representative)
    result["base"] = scores("base", representative, curve)
    base = {key: value.clone() for key, value in model.state_dict().items()}
    for k, fold in enumerate(FOLDS):
        rest = representative[k :: len(FOLDS)]
        others = [s for i, s in enumerate(representative) if i % len(FOLDS) != k]
        model.load_state_dict(base)
        curve = train_on(others, [s.drawn for s in others], arguments.refine_epochs, rest)
        result[fold] = scores(fold, rest, curve)
    return result


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, help="your clips; the phantom if left out")
    parser.add_argument("--full", action="store_true", help="256x256, 1,666 sequences, width 32, six runs")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="modern", help="how to train")
    parser.add_argument("--size", type=int, default=None, help="height and width in pixels")
    parser.add_argument("--sequences", type=int, default=None, help="of the phantom")
    parser.add_argument(
        "--drawn", type=int, default=None, help="size of the Representative and Bad Mask sets"
    )
    parser.add_argument("--width", type=int, default=None, help="features of the U-Net at full size")
    parser.add_argument("--frames", type=int, default=None, help="random frames a sequence")
    parser.add_argument("--epochs", type=int, default=None, help="of the base networks")
    parser.add_argument("--refine-epochs", type=int, default=None)
    parser.add_argument("--runs", type=int, default=None, help="seeds")
    parser.add_argument(
        "--pass-iou",
        type=float,
        nargs=3,
        default=(0.7, 0.8, 0.9),
        metavar=METHODS,
        help="where sectors are drawn: a mask of each recipe passes the glance from here",
    )
    parser.add_argument("--pass-quality", type=float, default=0.8, help="where they are not drawn")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "refine_sectors")
    arguments = parser.parse_args()
    full = arguments.full
    defaults = {
        "size": 256 if full else 64,
        "sequences": 1666 if full else 160,
        "drawn": 33 if full else 18,
        "width": 32 if full else 8,
        "frames": 10 if full else 4,
        "epochs": 100 if full else 10,
        "refine_epochs": 100 if full else 20,
        "runs": 6 if full else 3,
    }
    for key, value in defaults.items():
        if getattr(arguments, key) is None:
            setattr(arguments, key, value)
    return arguments


def main() -> None:
    arguments = parse()
    arguments.out.mkdir(parents=True, exist_ok=True)
    settings = {key: str(value) for key, value in vars(arguments).items() if key not in ("out", "runs")}
    described = arguments.out / "settings.json"
    if described.exists() and json.loads(described.read_text()) != settings:
        raise SystemExit(
            f"{arguments.out} holds runs with other settings; choose another --out, or remove it."
        )
    described.write_text(json.dumps(settings, indent=1))

    if arguments.root is None:
        sequences = phantom_sequences(arguments.sequences, arguments.size, seed=0)
    else:
        sequences = own_sequences(arguments.root, arguments.size)
    drawn = [s for s in sequences if s.drawn is not None]
    if len(drawn) < 6:
        raise SystemExit(
            f"{len(drawn)} sequences have a drawn sector; expected six or more, to refine and to score."
        )
    representative = drawn[: arguments.drawn]
    left = [s for s in sequences if not any(s is r for r in representative)]

    results: dict[str, Any] = {}
    for method in METHODS:
        step = sort_masks(left, method, arguments)
        step.bad[arguments.drawn :] = []
        if len(step.good) < 5:
            raise SystemExit(
                f'{len(step.good)} masks of "{method}" are good; expected five or more: lower --pass-iou.'
            )
        own = score(lambda s, m=method: np.repeat(s.masks[m][None], len(s.frames), 0), representative)
        results[method] = {
            "masks": asdict(own),
            "good": len(step.good),
            "failed": step.n_failed,
            "bad": len(step.bad),
            "runs": [],
        }
        for run in tqdm(range(arguments.runs), desc=method):
            path = arguments.out / "runs" / f"{method}-{run}.json"
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                part = path.with_suffix(".part")
                part.write_text(json.dumps(run_once(method, run, step, representative, arguments)))
                part.replace(path)
            results[method]["runs"].append(json.loads(path.read_text()))
    (arguments.out / "results.json").write_text(
        json.dumps({"settings": settings, "results": results}, indent=1) + "\n"
    )
    print(write_report(results, representative[:6], arguments.out))


if __name__ == "__main__":
    main()
