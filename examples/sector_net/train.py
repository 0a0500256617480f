"""Train the small network that finds the sector of a single frame, as it comes with the package.

    python examples/sector_net/train.py --scenes 400 --steps 40                    # a try, a minute
    python examples/sector_net/train.py --real FOLDER [FOLDER ...] --package       # the shipped one, an hour

1. Made-up screens (scenes.py): any outline, texture and overlay, dual views and strips, and frames of
   the phantom.
2. A network learns those alone.
3. With --real, hand-drawn sectors of real pictures join in. For honest scores the sources are split into
   folds, and for each fold a network learns without its sources; `score.py` judges by those. The last
   network learns from all sources.

Weights land in --out; --package puts the last ones into the package.
Stop it at any time: the same command goes on after the last finished part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from bank import Bank, contact_sheet, draw
from monai.losses import DiceLoss
from real import Drawn, read_drawn, real_scene
from safetensors.torch import load_file, save_file
from scenes import Scene, phantom_scene, scene
from torch.nn import functional
from tqdm import tqdm

from sectoraug.sectors.clues.net import WEIGHTS
from sectoraug.sectors.clues.net_model import SectorNet, planes

FOLDS = 5
SEEN_FRAMES = 7  # of a clip
SHARE_OF_SINGLE = 0.3  # of the loss: telling one sector from several
SHARE_OF_OVERLAY = 0.5  # of the loss: finding what is written or drawn on a screen
Parts = list[tuple[Bank, np.ndarray]]


def train(model: SectorNet, parts: Parts, steps: int, rate: float, seed: int, title: str) -> None:
    """Cross-entropy and Dice, AdamW, a one-cycle rate, batches of 32."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    dice, entropy = DiceLoss(sigmoid=True), functional.binary_cross_entropy_with_logits
    model.to(memory_format=torch.channels_last).train()
    losses: list[float] = []
    for _ in (progress := tqdm(range(steps), desc=title, mininterval=5)):
        seen = draw(rng, parts, 32)
        with torch.autocast("cpu", torch.bfloat16):
            answer = model(planes(seen.greys).contiguous(memory_format=torch.channels_last))
        inside = answer.inside.float()
        loss = entropy(inside, seen.sectors) + dice(inside, seen.sectors)
        loss = loss + SHARE_OF_SINGLE * entropy(answer.single.float(), seen.single)
        loss = loss + SHARE_OF_OVERLAY * entropy(answer.overlay.float()[seen.known], seen.overlay[seen.known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        progress.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    model.eval()


def trained(path: Path, begin: Path | None, learn: Callable[[SectorNet], None]) -> SectorNet:
    """The network at `path`; learnt, from the weights at `begin`, if it is not there yet."""
    torch.manual_seed(0)
    model = SectorNet()
    if path.exists() or begin is not None:
        model.load_state_dict(load_file(path if path.exists() else begin))
    if not path.exists():
        learn(model)
        weights = {key: value.contiguous() for key, value in model.state_dict().items()}
        save_file(weights, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)
    return model.eval()


def folds(drawn: list[Drawn]) -> list[list[str]]:
    """The sources that each fold leaves out."""
    sources = sorted({item.source for item in drawn})
    return [sources[fold::FOLDS] for fold in range(FOLDS)]


def with_real(arguments: argparse.Namespace, made_up: Parts, begin: Path) -> SectorNet:
    """One network for each fold of sources, and one that learns from all of them."""
    out = arguments.out
    drawn = [item for folder in arguments.real for item in read_drawn(folder, SEEN_FRAMES)]
    # Sources take turns, whatever their number of pictures; so do their pictures.
    sources = sorted({item.source for item in drawn})
    order = [[k for k, item in enumerate(drawn) if item.source == source] for source in sources]

    def picture(i: int) -> int:
        of_source = order[i % len(order)]
        return of_source[i // len(order) % len(of_source)]

    def varied(i: int) -> Scene:
        return real_scene(np.random.default_rng([1, i]), drawn[picture(i)])

    real = Bank(out / "real", arguments.variations, varied, workers=0)
    cv2.imwrite(str(out / "real.png"), contact_sheet(real, 10, 4))
    pictures = np.array([picture(i) for i in range(arguments.variations)])

    def learn(left_out: list[str], seed: int, title: str) -> Callable[[SectorNet], None]:
        seen = np.array([item.source not in left_out for item in drawn])
        parts = [*made_up, (real, np.flatnonzero(seen[pictures]))]
        return lambda model: train(model, parts, arguments.steps // 8, 1.5e-3, seed, title)

    last = trained(out / "all.safetensors", begin, learn([], 9, "all sources"))
    for fold, left_out in enumerate(folds(drawn)):
        title = f"without {', '.join(left_out)}"
        trained(out / f"fold-{fold}.safetensors", begin, learn(left_out, 10 + fold, title))
    return last


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, nargs="+", help="folders with sectors.json (see real.py)")
    parser.add_argument("--scenes", type=int, default=24000)
    parser.add_argument("--variations", type=int, default=8000, help="of the real pictures")
    parser.add_argument("--steps", type=int, default=4000, help="on made-up screens; an eighth with real")
    parser.add_argument("--package", action="store_true", help="put the weights into the package")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "sector_net")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    def made_up(i: int) -> Scene:
        return (phantom_scene if i % 8 == 0 else scene)(np.random.default_rng([0, i]))

    scenes = Bank(out / "scenes", arguments.scenes, made_up, workers=2)
    cv2.imwrite(str(out / "scenes.png"), contact_sheet(scenes, 10, 4))
    parts = [(scenes, np.arange(arguments.scenes))]
    begin = out / "made-up.safetensors"
    last = trained(begin, None, lambda m: train(m, parts, arguments.steps, 3e-3, 1, "made-up screens"))
    if arguments.real is not None:
        last = with_real(arguments, parts, begin)
    half = {k: v.half().contiguous() for k, v in last.state_dict().items() if v.is_floating_point()}
    save_file(half, out / WEIGHTS)
    if arguments.package:
        target = Path(__file__).parents[2] / "sectoraug" / "sectors" / "clues" / WEIGHTS
        save_file(half, target.with_suffix(".part"))
        target.with_suffix(".part").replace(target)
        target.chmod(0o644)  # safetensors writes for its owner alone


if __name__ == "__main__":
    main()
