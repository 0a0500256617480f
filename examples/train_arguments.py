"""The command line of train_resnet18.py, and what its runs are."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from ranks import rank_and_world, wait_for_all
from resnet18 import STEMS

import sectoraug as sa

FILLS = {
    "black": sa.BlackBackground,
    "noise": sa.NoiseBackground,
    "shuffle": sa.ShuffleBackground,
    "dim": sa.DimBackground,
    "blur": sa.BlurBackground,
}
METHODS = ("baseline", "backmix", "wbackmix", *FILLS)


@dataclass(frozen=True)
class Run:
    method: str
    fraction: float
    seed: int

    @property
    def name(self) -> str:
        sectors = "" if self.method == "baseline" else f" f={self.fraction:g}"
        return f"{self.method}{sectors}"

    @property
    def file(self) -> str:
        return f"{self.method}-f{self.fraction:g}-seed{self.seed}"


def parse(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=("phantom", "folder", "tmed2"), default="phantom")
    parser.add_argument("--root", type=Path, help="where the real data is")
    parser.add_argument("--sectors", type=Path, help="where TMED-2's sectors are")
    parser.add_argument("--runs", nargs="+", metavar="METHOD[@FRACTION]")
    parser.add_argument("--fraction", type=float, default=1.0, help="for runs that name none")
    parser.add_argument("--lam", type=float, default=1.0, help="lambda of wBackMix")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument(
        "--full", action="store_true", help="as wide as the paper's, 8 epochs, 4 runs, 3 seeds"
    )
    parser.add_argument("--size", type=int, help="height and width in pixels")
    parser.add_argument("--images", type=int, default=1600, help="training images of the phantom")
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--shortcut", type=float, default=0.95, help="how often the phantom's overlay tells the label"
    )
    parser.add_argument(
        "--augment",
        choices=("cpu", "gpu"),
        default="cpu",
        help="image by image, or whole batches on the device",
    )
    parser.add_argument("--stem", choices=STEMS, default="torchvision")
    parser.add_argument("--schedule", choices=("constant", "one-cycle"), help="of the learning rate")
    parser.add_argument("--lr", type=float, help="the learning rate, or one cycle's highest")
    parser.add_argument("--width", type=int, help="channels of the first stage; 64 in the paper")
    parser.add_argument("--layer", default="layer3", help="where GradCAM looks")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "output" / "train_resnet18")
    arguments = parser.parse_args()
    full = arguments.full or arguments.data != "phantom"
    parser.set_defaults(
        runs=["baseline", "backmix@1", "wbackmix@0.05"] + ["backmix@0.05"] * full,
        seeds=[0, 1, 2] if full else [0],
        size=112,
        width=64 if full else 16,
        schedule="constant" if full else "one-cycle",
        lr=1e-3 if full else 3e-3,
        epochs=100 if arguments.data != "phantom" else 8 if full else 10,
    )
    arguments = parser.parse_args()
    if arguments.data != "phantom" and arguments.root is None:
        parser.error(f"--data {arguments.data} needs --root FOLDER")
    return arguments


def parse_run(text: str, seed: int, default: float) -> Run:
    method, _, fraction = text.partition("@")
    if method not in METHODS:
        raise SystemExit(
            f"{text!r} is no run; expected one of {', '.join(METHODS)}, with @FRACTION if you like."
        )
    return Run(method, float(fraction) if fraction else default, seed)


def settings_of(arguments: argparse.Namespace) -> dict[str, str]:
    """What all runs in one folder share; kept there, so that others are refused."""
    own = ("runs", "seeds", "fraction", "out", "workers")
    settings = {key: str(value) for key, value in vars(arguments).items() if key not in own}
    described = arguments.out / "settings.json"
    if described.exists() and json.loads(described.read_text()) != settings:
        raise SystemExit(
            f"{arguments.out} holds runs with other settings; choose another --out, or remove it."
        )
    wait_for_all()
    if rank_and_world()[0] == 0:
        described.write_text(json.dumps(settings, indent=1))
    return settings
