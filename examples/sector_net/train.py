"""Train the small network that finds the sector of a single frame, as it comes with the package.

    python examples/sector_net/train.py --scenes 400 --steps 40          # a try, a minute
    python examples/sector_net/train.py --real FOLDER --package          # the shipped one, an hour on a core

1. Made-up screens (scenes.py): any outline, texture and overlay, and frames of the phantom.
2. A network learns those alone.
3. With --real, hand-drawn sectors of real pictures join in. For honest scores the sources are split into
   folds, and each picture is scored by a network that saw no picture of its source. The last network
   learns from all of them.

Weights and scores.json land in --out; --package puts the weights into the package.
Stop it at any time: the same command goes on after the last finished part.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from monai.losses import DiceLoss
from real import Drawn, read_drawn, real_scene
from safetensors.torch import load_file, save_file
from scenes import Rng, phantom_scene, scene
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from sectoraug.sectors.clues.net import WEIGHTS, sector_by_net
from sectoraug.sectors.clues.net_model import SIDE_PX, SectorNet, planes

FOLDS = 5
GOOD = 0.95
SEEN_FRAMES = 7  # of a clip, for training; its first, middle and last are judged


@dataclass(frozen=True)
class Made(Dataset):
    """Pictures at the network's size, made when asked for."""

    n: int
    make: Callable[[int], tuple[np.ndarray, np.ndarray]]

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        cv2.setNumThreads(1)
        screen, sector = self.make(i)
        shape = (SIDE_PX, SIDE_PX)
        grey = cv2.resize(screen.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
        return grey, cv2.resize(sector.astype(np.uint8) * 255, shape, interpolation=cv2.INTER_AREA)


class Bank:
    """Pictures made once and kept on disk: greys and sectors (N, H, W)."""

    def __init__(
        self, path: Path, n: int, make: Callable[[int], tuple[np.ndarray, np.ndarray]], workers: int
    ) -> None:
        size = (n, SIDE_PX, SIDE_PX)
        done = path.with_suffix(".done")
        mode = "r" if done.exists() else "w+"
        self.greys = np.lib.format.open_memmap(path.with_suffix(".greys.npy"), mode, np.float16, size)
        self.sectors = np.lib.format.open_memmap(path.with_suffix(".sectors.npy"), mode, np.uint8, size)
        if mode == "r":
            return
        loader = DataLoader(Made(n, make), batch_size=None, num_workers=workers)
        for i, (grey, sector) in enumerate(tqdm(loader, desc=path.stem)):
            self.greys[i], self.sectors[i] = grey, sector
        done.touch()

    def draw(self, rng: Rng, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.choice(among)
        return self.greys[chosen], self.sectors[chosen]


def contact_sheet(bank: Bank, across: int, down: int) -> np.ndarray:
    """The bank's first pictures, their sectors outlined: (H, W, 3) BGR."""
    tiles = []
    for grey, sector in zip(bank.greys[: across * down], bank.sectors, strict=False):
        tile = cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2BGR)
        outlines, _ = cv2.findContours(
            (sector > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        tiles.append(cv2.drawContours(tile, outlines, -1, (0, 200, 255), 1))
    return np.vstack([np.hstack(tiles[k : k + across]) for k in range(0, across * down, across)])


def batch(rng: Rng, parts: list[tuple[Bank, np.ndarray]], n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, 1, H, W) greys 0..255 and sectors 0..1, in equal shares; some mirrored, brighter or darker."""
    drawn = [bank.draw(rng, among) for i in range(n) for bank, among in [parts[i % len(parts)]]]
    greys = torch.from_numpy(np.stack([g for g, _ in drawn]).astype(np.float32))[:, None]
    sectors = torch.from_numpy(np.stack([s for _, s in drawn]).astype(np.float32))[:, None] / 255
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    for plane in (greys, sectors):
        plane[mirrored] = plane[mirrored].flip(-1)
    gain = torch.from_numpy(np.exp(rng.normal(0, 0.3, n)).astype(np.float32))
    return (greys * gain[:, None, None, None]).clamp(0, 255), sectors


def train(
    model: SectorNet, parts: list[tuple[Bank, np.ndarray]], steps: int, rate: float, seed: int, title: str
) -> None:
    """Cross-entropy and Dice, AdamW, a one-cycle rate, batches of 32."""
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.15)
    dice = DiceLoss(sigmoid=True)
    model.to(memory_format=torch.channels_last).train()
    losses: list[float] = []
    for _ in (progress := tqdm(range(steps), desc=title)):
        greys, sectors = batch(rng, parts, 32)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(planes(greys).contiguous(memory_format=torch.channels_last))
        logits = logits.float()
        loss = functional.binary_cross_entropy_with_logits(logits, sectors) + dice(logits, sectors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        progress.set_postfix(loss=f"{np.mean(losses[-50:]):.3f}")
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


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, help="folder with sectors.json (see real.py)")
    parser.add_argument("--scenes", type=int, default=24000)
    parser.add_argument("--variations", type=int, default=6000, help="of the real pictures")
    parser.add_argument(
        "--steps", type=int, default=3000, help="on made-up screens; a quarter as many with real"
    )
    parser.add_argument("--package", action="store_true", help="put the weights into the package")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "sector_net")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    out = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    def made_up(i: int) -> tuple[np.ndarray, np.ndarray]:
        return (phantom_scene if i % 7 == 0 else scene)(np.random.default_rng([0, i]))

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


def with_real(
    arguments: argparse.Namespace, made_up: list[tuple[Bank, np.ndarray]], begin: Path
) -> SectorNet:
    """Score on sources that were left out, then learn from all of them."""
    out = arguments.out
    drawn = read_drawn(arguments.real, frames=SEEN_FRAMES)
    sources = sorted({item.source for item in drawn})
    # Sources take turns, whatever their number of pictures; so do their pictures.
    order = [[k for k, item in enumerate(drawn) if item.source == source] for source in sources]

    def picture(i: int) -> int:
        of_source = order[i % len(order)]
        return of_source[i // len(order) % len(of_source)]

    real = Bank(
        out / "real",
        arguments.variations,
        lambda i: real_scene(np.random.default_rng([1, i]), drawn[picture(i)]),
        workers=0,
    )
    pictures = np.array([picture(i) for i in range(arguments.variations)])

    def learn(left_out: list[str], seed: int, title: str) -> Callable[[SectorNet], None]:
        seen = np.array([item.source not in left_out for item in drawn])
        parts = [*made_up, (real, np.flatnonzero(seen[pictures]))]
        return lambda model: train(model, parts, arguments.steps // 4, 1.5e-3, seed, title)

    rows: list[Row] = []
    for fold in range(FOLDS):
        left_out = sources[fold::FOLDS]
        path = out / f"fold-{fold}.safetensors"
        model = trained(path, begin, learn(left_out, 10 + fold, f"without {', '.join(left_out)}"))
        rows += judged(drawn, left_out, model)
    (out / "scores.json").write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    print(report(rows))
    unseen = judged(drawn, sources, trained(begin, None, lambda _: None))
    print("\nThe network that saw made-up screens alone:\n", *table_of_kinds(unseen), sep="\n")
    return trained(out / "all.safetensors", begin, learn([], 9, "all sources"))


class Row(NamedTuple):
    """One frame, judged by a network that saw nothing of its source."""

    file: int
    source: str
    clip: bool
    iou: float
    expected_iou: float
    ms: float


def judged(drawn: list[Drawn], sources: list[str], model: SectorNet) -> list[Row]:
    """Stills, and the first, middle and last frame of each clip."""
    rows = []
    for number, item in enumerate(drawn):
        if item.source not in sources:
            continue
        for frame in item.frames[:: (SEEN_FRAMES - 1) // 2]:
            start = time.perf_counter()
            seen = sector_by_net(frame, model)
            took = 1e3 * (time.perf_counter() - start)
            a, b = seen.sector[~item.ignore], item.sector[~item.ignore]
            overlap = float((a & b).sum() / max((a | b).sum(), 1))
            rows.append(Row(number, item.source, len(item.frames) > 1, overlap, seen.expected_iou, took))
    return rows


def table_line(title: str, among: list[Row]) -> str:
    """Mean over files of their frames' mean IoU, and the least of all frames."""
    files = sorted({row.file for row in among})
    means = [np.mean([row.iou for row in among if row.file == k]) for k in files]
    return f"| {title} | {len(files)} | {np.mean(means):.3f} | {min(row.iou for row in among):.3f} |"


def table_of_kinds(rows: list[Row]) -> list[str]:
    return [
        table_line("all stills", [row for row in rows if not row.clip]),
        table_line("frames of clips", [row for row in rows if row.clip]),
    ]


def report(rows: list[Row]) -> str:
    """Mean IoU by source, and how to turn expected IoUs into probabilities."""
    lines = ["| source | files | mean IoU | least |", "|---|---|---|---|"]
    for source in sorted({row.source for row in rows}):
        lines.append(table_line(source, [row for row in rows if row.source == source]))
    lines += table_of_kinds(rows)
    good = np.array([row.iou >= GOOD for row in rows])
    if good.any() and not good.all():
        expected = np.clip([row.expected_iou for row in rows], 1e-6, 1 - 1e-6)
        logit = np.log(expected / (1 - expected))[:, None]
        # Each source weighs the same: its pictures are alike.
        weights = [1 / sum(other.source == row.source for other in rows) for row in rows]
        fit = LogisticRegression().fit(
            logit, good, sample_weight=np.array(weights) * len(rows) / sum(weights)
        )
        lines.append(
            f"\nP(IoU >= {GOOD}) = logistic({fit.coef_[0, 0]:.2f} x logit of the expected IoU "
            f"{fit.intercept_[0]:+.2f}); area under the ROC curve {roc_auc_score(good, expected):.3f}."
        )
    lines.append(f"\n{np.median([row.ms for row in rows]):.1f} ms a frame (median).")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
