"""Learn encoders from unlabelled clips, by seven methods.

    python examples/ssl/pretrain.py                          # phantom, all seven, minutes on one core
    python examples/ssl/pretrain.py --no-backmix             # the same without BackMix views
    python examples/ssl/pretrain.py --methods barlow --full  # ResNet18 at 128x128; wants a GPU
    python examples/ssl/pretrain.py --clips FOLDER           # your clips, FOLDER/PATIENT_*.*

Stop it at any time: the same command goes on after the last finished epoch and ends with the same weights. It
writes encoders/NAME.safetensors (torchvision's names of layers) and logs/NAME.json (loss, and spread and rank
of the embeddings, which tell a collapse) into --out.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from clips import Clips, Frames, cached, every_kth, own_clips, phantom_clips, write_whole
from methods import METHODS, SELF_SUPERVISED, make_method
from networks import Encoder, make_encoder
from resume import fit, keep_settings
from safetensors.torch import load_file, save
from torch import Tensor
from tqdm import tqdm
from views import Views, as_images, standardised


@dataclass(frozen=True)
class Run:
    method: str
    """One of METHODS, or `random` for no training at all."""
    backmix: bool
    seed: int
    encoder: str = "narrow16"
    epochs: int = 6
    batch: int = 64
    lr: float = 2e-3
    acoustic: bool = False
    """Views with attenuation and shadows, too."""

    @property
    def views(self) -> str:
        kinds = [kind for kind in ("backmix", "acoustic") if getattr(self, kind)]
        return " + ".join(kinds) or "plain"

    @property
    def name(self) -> str:
        views = "" if self.views == "plain" else f"-{self.views.replace(' + ', '-')}"
        return f"{self.method}{views}-{self.encoder}-seed{self.seed}"


@dataclass(frozen=True)
class Spread:
    """How embeddings fill their space."""

    std: float
    """Of features scaled to length 1, mean over dimensions, times sqrt(d): at most 1; 0 is one point."""
    rank: float
    """exp(entropy) of the centred features' singular values, 1..d: how many directions are in use."""

    @property
    def collapsed(self) -> bool:
        return not (self.std > 0.02 and self.rank > 2)


def spread(features: Tensor) -> Spread:
    """Of (N, d) features; NaN counts as collapsed."""
    x = features.double()
    unit = x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
    shares = torch.linalg.svdvals(x - x.mean(0)) if x.isfinite().all() else torch.full((1,), torch.nan)
    shares = shares / shares.sum().clamp_min(1e-12)
    rank = float((-(shares * shares.clamp_min(1e-12).log()).sum()).exp())
    return Spread(float(unit.std(0).mean()) * math.sqrt(x.shape[1]), rank)


def device_of_choice() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@torch.no_grad()
def embed(encoder: Encoder, images: np.ndarray, batch: int = 256) -> Tensor:
    """(N, H, W) uint8 to (N, n_features) float32 on the CPU, without augmentation."""
    encoder.eval()
    device = next(encoder.parameters()).device
    parts = torch.from_numpy(images).split(batch)
    return torch.cat([encoder(standardised(as_images(part.to(device)))).float().cpu() for part in parts])


def pretrain(run: Run, frames: Frames, out: Path) -> Encoder:
    """The trained encoder: read if it is there, else trained, or trained on from the last finished epoch."""
    finished = out / "encoders" / f"{run.name}.safetensors"
    torch.manual_seed(run.seed)
    encoder = make_encoder(run.encoder).to(device_of_choice())
    if finished.exists():
        encoder.load_state_dict(load_file(finished))
        return encoder
    log: list[dict[str, float]] = []
    if run.method != "random":
        log = train(run, encoder, frames, out / "checkpoints" / f"{run.name}.pt")
    found = spread(embed(encoder, some_of(frames)))
    told = {"run": asdict(run), "epochs": log, **asdict(found), "collapsed": found.collapsed}
    write_whole(out / "logs" / f"{run.name}.json", lambda f: f.write(json.dumps(told, indent=1).encode()))
    weights = {key: value.contiguous() for key, value in encoder.state_dict().items()}
    write_whole(finished, lambda file: file.write(save(weights)))
    (out / "checkpoints" / f"{run.name}.pt").unlink(missing_ok=True)
    return encoder


def train(run: Run, encoder: Encoder, frames: Frames, checkpoint: Path) -> list[dict[str, float]]:
    device = next(encoder.parameters()).device
    model = make_method(run.method, encoder, run.backmix).to(device)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=run.lr, weight_decay=1e-4)
    views = Views(run.backmix, run.acoustic)
    images, sectors, labels = (torch.from_numpy(a) for a in (frames.images, frames.sectors, frames.labels))
    steps = len(images) // run.batch
    if steps == 0:
        raise SystemExit(f"there are {len(images)} frames; expected a batch of {run.batch} or more.")

    def train_epoch(epoch: int) -> dict[str, float]:
        start, start_cpu, losses = time.perf_counter(), time.process_time(), []
        model.train()
        order = torch.randperm(len(images))[: steps * run.batch].view(steps, run.batch)
        for step, rows in enumerate(tqdm(order, desc=f"{run.name} epoch {epoch + 1}", leave=False)):
            done = (epoch * steps + step) / (run.epochs * steps)
            for group in optimizer.param_groups:
                group["lr"] = run.lr * min(1, 10 * done + 0.1) * 0.5 * (1 + math.cos(math.pi * done))
            batch = as_images(images[rows].to(device)), sectors[rows].to(device)
            (first, first_inside), (second, second_inside) = views(*batch), views(*batch)
            pair = [view.contiguous(memory_format=torch.channels_last) for view in (first, second)]
            loss = model(pair, [first_inside, second_inside], labels[rows].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            model.after_step()
            losses.append(float(loss.detach()))
        found = spread(embed(encoder, some_of(frames)))
        if found.collapsed:
            print(f"{run.name}: the embeddings collapsed in epoch {epoch + 1} ({found}).")
        return {
            "loss": float(np.mean(losses)),
            **asdict(found),
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - start_cpu,
        }

    return fit(model, optimizer, run.epochs, run.seed, checkpoint, train_epoch)


def some_of(frames: Frames) -> np.ndarray:
    """About 512 images, evenly."""
    return frames.images[:: max(1, len(frames.images) // 512)]


# -- command line ---------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clips", type=Path, help="your clips; the phantom's if left out")
    parser.add_argument("--full", action="store_true", help="ResNet18 at 128x128, 1,000 clips, 50 epochs")
    parser.add_argument("--encoder", help="resnet18, or narrowN with N features in its first layer")
    parser.add_argument("--size", type=int, help="height and width in pixels, a multiple of 32")
    parser.add_argument("--n-clips", type=int, help="of the phantom")
    parser.add_argument("--frames", type=int, default=24, help="of a clip")
    parser.add_argument("--every", type=int, default=4, help="take every k-th of them")
    parser.add_argument(
        "--shortcut", type=float, default=0.95, help="how often overlays are tied to the view"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "output" / "ssl")


def parse(parser: argparse.ArgumentParser, words: list[str] | None = None) -> argparse.Namespace:
    """Arguments of the reduced or the full size; a folder of other settings is refused."""
    full = parser.parse_args(words).full
    parser.set_defaults(
        encoder="resnet18" if full else "narrow16",
        size=128 if full else 64,
        n_clips=1000 if full else 240,
        epochs=50 if full else 6,
    )
    arguments = parser.parse_args(words)
    if arguments.size % 32:
        raise SystemExit(
            f"--size is {arguments.size}; expected a multiple of 32, by which encoders shrink it."
        )
    kept = ("clips", "encoder", "size", "n_clips", "frames", "every", "shortcut", "epochs", "batch")
    keep_settings(arguments.out, {key: getattr(arguments, key) for key in kept})
    return arguments


def clips_of(arguments: argparse.Namespace, seed: int = 0) -> Clips:
    """Your clips, or the phantom's of this seed."""
    shape = {"frames": arguments.frames, "size": arguments.size}
    cache = arguments.out / "cache"
    if arguments.clips is not None:
        return cached(cache, own_clips, folder=arguments.clips, **shape)
    made = {"n": arguments.n_clips, "seed": seed, "shortcut": arguments.shortcut}
    return cached(cache, phantom_clips, **made, **shape)


def runs_of(arguments: argparse.Namespace, methods: list[str], backmix: list[bool]) -> list[Run]:
    sizes = arguments.encoder, arguments.epochs, arguments.batch
    return [
        Run(method, mixed, seed, *sizes)
        for seed in arguments.seeds
        for mixed in backmix
        for method in methods
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(SELF_SUPERVISED))
    parser.add_argument("--backmix", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    add_arguments(parser)
    arguments = parse(parser)
    frames = every_kth(clips_of(arguments), arguments.every)
    print("| run | frames | loss, first and last epoch | std | rank | seconds |\n|---|---|---|---|---|---|")
    for run in runs_of(arguments, arguments.methods, [arguments.backmix]):
        pretrain(run, frames, arguments.out)
        log = json.loads((arguments.out / "logs" / f"{run.name}.json").read_text())
        first, last = log["epochs"][0], log["epochs"][-1]
        seconds = sum(epoch["seconds"] for epoch in log["epochs"])
        verdict = " (collapsed)" if log["collapsed"] else ""
        print(
            f"| {run.name}{verdict} | {len(frames.images)} | {first['loss']:.3f}, {last['loss']:.3f} "
            f"| {log['std']:.2f} | {log['rank']:.1f} | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
