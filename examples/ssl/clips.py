"""Clips to learn from: the phantom's, or your own, read once and kept on disk at the network's size."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

import sectoraug as sa


@dataclass(frozen=True)
class Clips:
    frames: np.ndarray
    """(N, T, H, W) uint8"""
    sectors: np.ndarray
    """(N, H, W) bool, True inside"""
    labels: np.ndarray
    """(N,) int64, -1 where unknown"""
    patients: np.ndarray
    """(N,) int64"""


@dataclass(frozen=True)
class Frames:
    images: np.ndarray
    """(N, H, W) uint8"""
    sectors: np.ndarray
    """(N, H, W) bool, True inside"""
    labels: np.ndarray
    """(N,) int64, -1 where unknown"""
    patients: np.ndarray
    """(N,) int64"""

    def __getitem__(self, rows: Any) -> Frames:
        return Frames(self.images[rows], self.sectors[rows], self.labels[rows], self.patients[rows])


def every_kth(clips: Clips, k: int) -> Frames:
    images = clips.frames[:, ::k]
    n, times = images.shape[:2]
    return Frames(
        images.reshape(n * times, *images.shape[2:]),
        clips.sectors.repeat(times, 0),
        clips.labels.repeat(times),
        clips.patients.repeat(times),
    )


def phantom_settings(n: int, seed: int, shortcut: float) -> list[dict[str, Any]]:
    """How each of n clips of as many patients is made, one overlay a clip, tied to the view by `shortcut`.

    Vendors, openings and settings are the training domain's of the phantom's preset.
    """
    ranges = sa.phantom.PRESETS["phantom-v1"]["train"]
    rng = np.random.default_rng([seed, n])
    chosen = []
    for i in range(n):
        label = i % len(sa.phantom.VIEWS)
        layout = label if rng.random() < shortcut else int(rng.integers(len(ranges["layouts"])))
        chosen.append(
            {
                "view": sa.phantom.VIEWS[label],
                "seed": int(rng.integers(2**32)),
                "vendor": ranges["layouts"][layout],
                "half_opening_deg": rng.choice(ranges["half_openings_deg"]) + rng.uniform(-1, 1),
                "beat_frames": rng.uniform(20, 28),
                **{
                    key: rng.uniform(*ranges[key])
                    for key in ("depth_share", "gain", "reject", "noise", "haze", "shadow", "blur")
                },
            }
        )
    return chosen


def phantom_clips(n: int, frames: int, size: int, seed: int, shortcut: float) -> Clips:
    """Clips of as many patients."""
    views = sa.phantom.VIEWS
    clips = Clips(
        np.empty((n, frames, size, size), np.uint8),
        np.empty((n, size, size), bool),
        np.arange(n) % len(views),
        np.arange(n),
    )
    for i, settings in enumerate(
        tqdm(phantom_settings(n, seed, shortcut), desc="phantom clips", leave=False)
    ):
        clip = sa.phantom.make_clip(frames=frames, size=(size, size), **settings)
        clips.frames[i], clips.sectors[i] = clip.frames, clip.sector
    return clips


def own_clips(folder: Path, frames: int, size: int) -> Clips:
    """FOLDER/PATIENT_*.* or FOLDER/LABEL/PATIENT_*.*, whatever `sa.read_clip` reads; the first frames.

    Clips whose sector is not found are left out and counted; shorter clips start again from their beginning.
    """
    paths = own_paths(folder)
    names = sorted({path.parent.name for path in paths if path.parent != folder})
    found, n_refused = [], 0
    for path in tqdm(paths, desc=str(folder)):
        read = sa.read_clip(path, grey=True)
        try:
            sector = sa.sector_from_clip(read).sector
        except sa.SectorNotFound:
            n_refused += 1
            continue
        chosen = [
            cv2.resize(read[k % len(read)], (size, size), interpolation=cv2.INTER_AREA) for k in range(frames)
        ]
        inside = cv2.resize(sector.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST) > 0
        label = names.index(path.parent.name) if path.parent != folder else -1
        found.append((np.stack(chosen), inside, label, path.stem.split("_")[0]))
    print(f"{len(found)} clips with a sector, {n_refused} without one left out; labels: {names or 'none'}")
    if not found:
        raise SystemExit(f"no clip of {folder} has a sector that can be found; expected one or more.")
    patients = sorted({patient for *_, patient in found})
    return Clips(
        np.stack([frames for frames, *_ in found]),
        np.stack([inside for _, inside, *_ in found]),
        np.array([label for _, _, label, _ in found]),
        np.array([patients.index(patient) for *_, patient in found]),
    )


def own_paths(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def split_by_patient(clips: Clips, share: float, seed: int) -> tuple[Clips, Clips]:
    """Two sets without a patient in common; the second has about this share of the patients."""
    patients = np.random.default_rng(seed).permutation(np.unique(clips.patients))
    later = np.isin(clips.patients, patients[: max(1, round(share * len(patients)))])
    return select(clips, ~later), select(clips, later)


def select(clips: Clips, rows: np.ndarray) -> Clips:
    return Clips(clips.frames[rows], clips.sectors[rows], clips.labels[rows], clips.patients[rows])


def cached(cache: Path, make: Callable[..., Clips], **settings: Any) -> Clips:
    """What `make(**settings)` gives, read from disk the next time.

    Frames of patients may show overlays, so only their owner may read the file.
    """
    key: dict[str, Any] = {"make": make.__name__, **settings}
    if "folder" in settings:
        key["files"] = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in own_paths(key["folder"])]
    digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:16]
    path = cache / f"{make.__name__}-{digest}.npz"
    if not path.exists():
        clips = make(**settings)
        write_whole(path, lambda file: np.savez(file, **vars(clips)))
    with np.load(path, allow_pickle=False) as arrays:
        return Clips(**{name: arrays[name] for name in arrays.files})


def write_whole(path: Path, write: Callable[[Any], Any]) -> None:
    """Write to a temporary name, owner only, and rename: a killed run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        write(file)
    part.replace(path)
