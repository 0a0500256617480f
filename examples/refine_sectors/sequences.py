"""Sequences and the sectors that motion finds in them: the phantom's, or your own with some drawn sectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

import sectoraug as sa

METHODS = ("threshold", "filled", "hull")
"""The paper's recipes."""


@dataclass(frozen=True)
class Sequence:
    """A clip at the network's size."""

    frames: np.ndarray
    """(T, H, W) uint8"""
    drawn: np.ndarray | None
    """(H, W) bool, the hand-drawn sector; on the phantom the true one"""
    overlay: np.ndarray | None
    """(T, h, w) at the clip's own size, packed by `numpy.packbits`: what is burned in, where that is known"""
    clip_size: tuple[int, int]
    """(h, w)"""
    masks: dict[str, np.ndarray]
    """(H, W) bool, by each recipe; empty where it found nothing"""
    qualities: dict[str, float]
    """0..1"""

    def worth(self, method: str) -> float:
        """What a glance at a mask shows: its IoU with the drawn sector if there is one, or its quality."""
        return self.qualities[method] if self.drawn is None else iou(self.masks[method], self.drawn)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def kept(path: Path, make: Callable[[], Sequence]) -> Sequence:
    """The sequence in a file, which is made and written first where there is none."""
    if not path.exists():
        made = make()
        known = {"drawn": made.drawn, "overlay": made.overlay}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with open(part, "wb") as file:
            np.savez(
                file,
                frames=made.frames,
                clip_size=made.clip_size,
                masks=np.stack([made.masks[method] for method in METHODS]),
                qualities=[made.qualities[method] for method in METHODS],
                **{name: plane for name, plane in known.items() if plane is not None},
            )
        part.replace(path)
    with np.load(path) as saved:
        return Sequence(
            saved["frames"],
            saved.get("drawn"),
            saved.get("overlay"),
            tuple(saved["clip_size"].tolist()),
            dict(zip(METHODS, saved["masks"], strict=True)),
            dict(zip(METHODS, saved["qualities"].tolist(), strict=True)),
        )


def phantom_sequences(n: int, size: int, seed: int, folder: Path, frames: int = 24) -> list[Sequence]:
    """Clips of all vendors, shapes and views, some dim or noisy, larger than the network's size."""
    height = max(160, round(1.25 * size))
    rng = np.random.default_rng(seed)
    sequences = []
    for i in tqdm(range(n), desc="phantom"):
        settings = {
            "view": str(rng.choice(sa.phantom.VIEWS)),
            "frames": frames,
            "size": (height, round(height * rng.uniform(1, 1.35))),
            "seed": 1000 * seed + i,
            "vendor": str(rng.choice(sa.phantom.VENDORS)),
            "geometry": str(rng.choice(["fan", "fan", "curved", "linear"])),
            "half_opening_deg": rng.uniform(22, 46),
            "depth_share": rng.uniform(0.72, 0.92),
            "gain": rng.uniform(0.35, 1.5),
            "reject": rng.uniform(0.08, 0.25),
            "noise": rng.uniform(0.1, 1),
            "haze": rng.uniform(0, 1),
            "shadow": rng.uniform(0, 1),
            "blur": rng.uniform(0, 1),
            "beat_frames": rng.uniform(12, 60),
        }
        sequences.append(kept(folder / f"phantom-{i:04}.npz", partial(phantom_sequence, settings, size)))
    return sequences


def phantom_sequence(settings: dict[str, Any], size: int) -> Sequence:
    clip = sa.phantom.make_clip(**settings)
    return found_and_resized(clip.frames, clip.sector, clip.overlay, size)


def own_sequences(root: Path, size: int, folder: Path) -> list[Sequence]:
    """ROOT/clips/NAME.* (anything `sa.read_clip` reads) and, for some of them, ROOT/drawn/NAME.png."""
    paths = sorted(path for path in (root / "clips").glob("*") if not path.name.startswith("."))
    if not paths:
        raise SystemExit(
            f"no clip was found in {root / 'clips'}; expected ROOT/clips/NAME.* and ROOT/drawn/NAME.png."
        )
    sequences = []
    for path in tqdm(paths, desc=str(root)):
        drawn = root / "drawn" / f"{path.stem}.png"
        files = [path, drawn] if drawn.exists() else [path]
        changed = "-".join(f"{file.stat().st_mtime_ns:x}" for file in files)
        cached = folder / f"{path.stem}-{changed}.npz"
        sequences.append(kept(cached, partial(own_sequence, path, drawn, size)))
    return sequences


def own_sequence(path: Path, drawn_path: Path, size: int) -> Sequence:
    drawn = cv2.imread(str(drawn_path), cv2.IMREAD_GRAYSCALE) if drawn_path.exists() else None
    frames = sa.read_clip(path, grey=True)
    if drawn is not None and drawn.shape != frames.shape[1:]:
        raise SystemExit(
            f"{drawn_path} is {drawn.shape}, its clip {frames.shape[1:]}; draw it at the clip's size."
        )
    return found_and_resized(frames, None if drawn is None else drawn > 0, None, size)


def found_and_resized(
    frames: np.ndarray, drawn: np.ndarray | None, overlay: np.ndarray | None, size: int
) -> Sequence:
    """Masks by each recipe at the clip's own size, then all at size x size."""

    def small(plane: np.ndarray) -> np.ndarray:
        share = cv2.resize(plane * np.uint8(255), (size, size), interpolation=cv2.INTER_AREA)
        return share > 127

    masks, qualities = {}, {}
    for method in METHODS:
        try:
            found = sa.sector_from_clip(frames, method=method)
            masks[method], qualities[method] = small(found.sector), found.quality
        except sa.SectorNotFound:
            masks[method], qualities[method] = np.zeros((size, size), bool), 0.0
    small_frames = [cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in frames]
    return Sequence(
        np.stack(small_frames),
        None if drawn is None else small(drawn),
        None if overlay is None else np.packbits(overlay),
        frames.shape[1:],
        masks,
        qualities,
    )
