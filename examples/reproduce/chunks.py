"""Images whose sectors are found in clips, made on all cores, and kept in chunks.

Its workers import this module: it needs neither torch nor what trains.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm
from whole_files import write_whole

import sectoraug as sa

SPLITS = ("train", "val", "i.d.", "o.o.d.")
CHUNK = 40
"""Clips that are made and kept together: what is lost when the making is killed."""


def make_clips(what: dict[str, Any], folder: Path) -> dict[str, np.ndarray]:
    """The first frame of a clip an image; sectors of the training clips are found from motion, too.

    On all cores; chunks that are in `folder` already are not made again.
    """
    chunks = [
        (split, start, min(start + CHUNK, n))
        for split, n in what["counts"].items()
        for start in range(0, n, CHUNK)
    ]
    paths = [folder / f"{split}-{start}.npz" for split, start, _ in chunks]
    # Fresh processes: a fork of this one, whose torch and OpenCV have threads, might hang.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        jobs = [
            workers.submit(_make_chunk, what, *chunk, path)
            for chunk, path in zip(chunks, paths, strict=True)
            if not path.exists()
        ]
        for job in tqdm(as_completed(jobs), desc=f"chunks of {CHUNK} clips", total=len(jobs)):
            job.result()
    arrays = {}
    for split, n in what["counts"].items():
        parts = [np.load(path) for path, chunk in zip(paths, chunks, strict=True) if chunk[0] == split]
        for key in parts[0].files:
            arrays[f"{split}-{key}"] = np.concatenate([part[key] for part in parts])
        arrays[f"{split}-labels"] = _label(np.arange(n))
        arrays[f"{split}-patients"] = np.char.add(f"{split} ", np.arange(n).astype(str))
    arrays["found"] = arrays.pop("train-found")
    return arrays


def _label(i: Any) -> Any:
    return i % len(sa.phantom.VIEWS)


def _make_chunk(what: dict[str, Any], split: str, start: int, stop: int, path: Path) -> None:
    cv2.setNumThreads(1)
    clips = [_make_clip(what, split, i) for i in range(start, stop)]
    size = what["size"]
    arrays = {
        "images": [cv2.resize(c.frames[0], (size, size), interpolation=cv2.INTER_AREA) for c in clips],
        "sectors": [shrunk(clip.sector, size) for clip in clips],
    }
    if split == "train":
        arrays["found"] = [shrunk(_found(clip), size) for clip in clips]

    def save(part: Path) -> None:
        with open(part, "wb") as file:
            np.savez(file, **arrays)

    write_whole(path, save)


def _make_clip(what: dict[str, Any], split: str, i: int) -> sa.phantom.PhantomClip:
    far = split == "o.o.d."
    ranges = sa.phantom.PRESETS[what["preset"]]["shifted" if far else "train"]
    rng = np.random.Generator(np.random.PCG64([what["seed"], SPLITS.index(split), i]))
    tied = rng.random() < (0.0 if far else what["shortcut"])
    layout = _label(i) if tied else rng.integers(len(ranges["layouts"]))
    drawn = {
        key: float(rng.uniform(*ranges[key]))
        for key in ("depth_share", "gain", "reject", "noise", "haze", "shadow", "blur")
    }
    return sa.phantom.make_clip(
        sa.phantom.VIEWS[_label(i)],
        what["frames"],
        (what["found_at_px"],) * 2,
        seed=int(rng.integers(2**32)),
        vendor=ranges["layouts"][layout],
        geometry=ranges["geometries"][rng.integers(len(ranges["geometries"]))],
        half_opening_deg=float(rng.choice(ranges["half_openings_deg"])),
        **drawn,
    )


def _found(clip: sa.phantom.PhantomClip) -> np.ndarray:
    """All zero where none was."""
    try:
        return sa.sector_from_clip(clip.frames).sector
    except sa.SectorNotFound:
        return np.zeros_like(clip.sector)


def shrunk(sector: np.ndarray, size: int) -> np.ndarray:
    """(size, size) uint8 of 0/1."""
    return cv2.resize((sector > 0).astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
