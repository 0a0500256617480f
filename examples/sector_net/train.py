"""Train the small network that finds the sector of a single frame, as it comes with the package.

    python examples/sector_net/train.py --scenes 400 --steps 40                   # a try, a minute
    python examples/sector_net/train.py --real FOLDER [FOLDER ...] --package      # 1.5 hours
    python examples/sector_net/train.py --begin FIRST/made-up.safetensors --seed 2 ...  # on from there

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
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from bank import Bank, Batch, contact_sheet, draw
from monai.losses import DiceLoss
from real import Drawn, read_drawn, real_scene
from safetensors.torch import load_file, save_file
from scenes import Scene, phantom_scene, scene
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from sectoraug.sectors.clues.net import planes
from sectoraug.sectors.clues.net_model import SectorNet
from sectoraug.sectors.clues.net_overlay import OverlayNet
from sectoraug.sectors.clues.net_torch import OVERLAY_WEIGHTS, WEIGHTS

Net = TypeVar("Net", bound=nn.Module)

FOLDS = 5
SEEN_FRAMES = 7  # of a clip
SHARE_OF_SINGLE = 0.5  # of the loss: telling one sector from several
SHARE_OF_OVERLAY = 0.5  # of the loss: finding what is written or drawn on a screen
INSIDE_MORE = 4.0  # how much more overlay inside a sector counts
LEAST_STROKE = 0.2  # share of a pixel from which on it is part of a stroke
MARKED = {"pydicom/acuson", "pydicom/palette_color"}  # sources whose sectors hold marks that nobody drew
Parts = list[tuple[Bank, np.ndarray]]


class Plan(NamedTuple):
    """How long and how fast a network learns."""

    steps: int
    rate: float
    seed: int
    batch: int = 32


def fit(
    model: nn.Module, loss_of: Callable[[Batch], torch.Tensor], parts: Parts, plan: Plan, title: str
) -> None:
    """AdamW with a one-cycle rate."""
    rng = np.random.default_rng(plan.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, plan.rate, total_steps=plan.steps, pct_start=0.15
    )
    model.to(memory_format=torch.channels_last).train()
    losses: list[float] = []
    for _ in (progress := tqdm(range(plan.steps), desc=title, mininterval=5)):
        loss = loss_of(draw(rng, parts, plan.batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        progress.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}", refresh=False)
    model.eval()


def answered(model: nn.Module, seen: Batch) -> Any:
    """What a network says of a batch, in half precision."""
    shown = torch.from_numpy(planes(seen.greys.numpy()))
    with torch.autocast("cpu", torch.bfloat16):
        return model(shown.contiguous(memory_format=torch.channels_last))


def train(model: SectorNet, parts: Parts, plan: Plan, title: str) -> None:
    """Cross-entropy and Dice of the sector, and cross-entropy of two lesser tasks."""
    dice, entropy = DiceLoss(sigmoid=True), functional.binary_cross_entropy_with_logits

    def loss_of(seen: Batch) -> torch.Tensor:
        answer = answered(model, seen)
        inside = answer.inside.float()
        loss = entropy(inside, seen.sectors) + dice(inside, seen.sectors)
        loss = loss + SHARE_OF_SINGLE * entropy(answer.single.float(), seen.single)
        overlay = answer.overlay.float()[seen.known]
        return loss + SHARE_OF_OVERLAY * entropy(overlay, seen.overlay[seen.known])

    fit(model, loss_of, parts, plan, title)


def train_overlay(model: OverlayNet, parts: Parts, plan: Plan, title: str) -> None:
    """Cross-entropy of overlay, inside sectors above all."""

    def loss_of(seen: Batch) -> torch.Tensor:
        weight = seen.known * (1 + INSIDE_MORE * seen.sectors)
        written = (seen.overlay > LEAST_STROKE).float()
        answer = answered(model, seen).float()
        return functional.binary_cross_entropy_with_logits(answer, written, weight)

    fit(model, loss_of, parts, plan, title)


def trained(path: Path, model: Net, begin: Path | None, learn: Callable[[Net], None]) -> Net:
    """The network with the weights at `path`; learnt, from those at `begin`, if they are not there yet."""
    if path.exists() or begin is not None:
        model.load_state_dict(load_file(path if path.exists() else begin))
    if not path.exists():
        learn(model)
        save(model.state_dict(), path)
    model.eval()
    return model


def save(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Whole or not at all."""
    save_file({key: value.contiguous() for key, value in weights.items()}, path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)
    path.chmod(0o644)  # safetensors writes for its owner alone


def folds(drawn: list[Drawn]) -> list[list[str]]:
    """The sources that each fold leaves out."""
    sources = sorted({item.source for item in drawn})
    return [sources[fold::FOLDS] for fold in range(FOLDS)]


class Real:
    """Variations of drawn pictures: sources take turns, whatever their number of pictures; so do these."""

    def __init__(self, folders: list[Path], out: Path, n: int) -> None:
        self.drawn = [item for folder in folders for item in read_drawn(folder, SEEN_FRAMES)]
        sources = sorted({item.source for item in self.drawn})
        order = [[k for k, item in enumerate(self.drawn) if item.source == source] for source in sources]

        def picture(i: int) -> int:
            of_source = order[i % len(order)]
            return of_source[i // len(order) % len(of_source)]

        def varied(i: int) -> Scene:
            return real_scene(np.random.default_rng([1, i]), self.drawn[picture(i)])

        self.bank = Bank(out / "real", n, varied, workers=0)
        cv2.imwrite(str(out / "real.png"), contact_sheet(self.bank, 10, 4))
        self.sources = np.array([self.drawn[picture(i)].source for i in range(n)])

    def without(self, left_out: Collection[str]) -> tuple[Bank, np.ndarray]:
        """The pictures of all other sources."""
        return self.bank, np.flatnonzero(~np.isin(self.sources, list(left_out)))


def with_real(out: Path, steps: int, made_up: Parts, real: Real, begin: Path) -> SectorNet:
    """One network for each fold of sources, and one that learns from all of them."""

    def learn(left_out: list[str], seed: int, title: str) -> Callable[[SectorNet], None]:
        parts = [*made_up, real.without(left_out)]
        return lambda model: train(model, parts, Plan(steps, 1.5e-3, seed), title)

    last = trained(out / "all.safetensors", SectorNet(), begin, learn([], 9, "all sources"))
    for fold, left_out in enumerate(folds(real.drawn)):
        title = f"without {', '.join(left_out)}"
        trained(out / f"fold-{fold}.safetensors", SectorNet(), begin, learn(left_out, 10 + fold, title))
    return last


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, nargs="+", help="folders with sectors.json (see real.py)")
    parser.add_argument("--scenes", type=int, default=32000)
    parser.add_argument("--variations", type=int, default=8000, help="of the real pictures")
    parser.add_argument("--seed", type=int, default=0, help="of the made-up screens")
    parser.add_argument("--steps", type=int, default=7200, help="on made-up screens")
    parser.add_argument("--steps-with-real", type=int, default=900)
    parser.add_argument("--begin", type=Path, help="weights that never saw a real picture, to learn on from")
    parser.add_argument("--package", action="store_true", help="put the weights into the package")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "sector_net")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    def made_up(i: int) -> Scene:
        return (phantom_scene if i % 8 == 0 else scene)(np.random.default_rng([arguments.seed, i]))

    scenes = Bank(out / "scenes", arguments.scenes, made_up, workers=2)
    cv2.imwrite(str(out / "scenes.png"), contact_sheet(scenes, 10, 4))
    parts: Parts = [(scenes, np.arange(arguments.scenes))]
    torch.manual_seed(0)
    begin = out / "made-up.safetensors"
    first = Plan(arguments.steps, 3e-3 if arguments.begin is None else 2e-3, 1 + arguments.seed)
    last = trained(begin, SectorNet(), arguments.begin, lambda m: train(m, parts, first, "made-up screens"))
    if arguments.real is not None:
        real = Real(arguments.real, out, arguments.variations)
        last = with_real(out, arguments.steps_with_real, parts, real, begin)
        parts.append(real.without(MARKED))
    torch.manual_seed(0)
    plan = Plan(max(arguments.steps * 9 // 40, 1), 4e-3, 3, batch=24)
    overlay = out / "overlay.safetensors"
    strokes = trained(overlay, OverlayNet(), None, lambda m: train_overlay(m, parts, plan, "overlay"))
    for model, name in ((last, WEIGHTS), (strokes, OVERLAY_WEIGHTS)):
        half = {k: v.half() for k, v in model.state_dict().items() if v.is_floating_point()}
        save(half, out / name)
        if arguments.package:
            save(half, Path(__file__).parents[2] / "sectoraug" / "sectors" / "clues" / name)


if __name__ == "__main__":
    main()
