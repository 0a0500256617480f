"""Pickles that would leave a trace if anything ran them, in every kind of file that the package opens."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzzing.in_process import command

import sectoraug as sa

_SUFFIXES = (
    ".npy",
    ".npz",
    ".dcm",
    ".nii",
    ".nii.gz",
    ".png",
    ".jpg",
    ".tif",
    ".gif",
    ".webp",
    ".mp4",
    ".avi",
)


class _Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self.trace,)


Case = tuple[str, Callable[[], object]]


def cases(folder: Path, trace: Path) -> list[Case]:
    """A name and a call each, which must raise a sentence and leave no trace."""
    trap = pickle.dumps(_Trap(trace), protocol=2)
    objects = np.empty(2, object)
    objects[:] = _Trap(trace)
    found: list[Case] = []

    def read(name: str, content: bytes | None, call: Callable[[Path], object]) -> None:
        path = folder / f"{len(found)}-{name}"
        if content is not None:
            path.write_bytes(content)
        found.append((name, lambda: call(path)))

    np.save(folder / "o.npy", objects, allow_pickle=True)
    np.savez(folder / "o.npz", frames=objects, allow_pickle=True)
    npy, npz = (folder / "o.npy").read_bytes(), (folder / "o.npz").read_bytes()
    with zipfile.ZipFile(folder / "t.npz", "w") as archive:
        archive.writestr("frames.npy", trap)
    readers: dict[str, Callable[[Path], object]] = {
        "read_clip": sa.read_clip,
        "iter_clip": lambda path: list(sa.iter_clip(path)),
        "from_files, image": lambda path: sa.BackgroundPool.from_files([path], [_sector(folder)], (8, 8)),
        "from_files, sector": lambda path: sa.BackgroundPool.from_files([_image(folder)], [path], (8, 8)),
    }
    for called, call in readers.items():
        read(f"{called}.npy", npy, call)
        read(f"{called}.npz", npz, call)
        read(f"{called}-trap.npz", (folder / "t.npz").read_bytes(), call)
        for suffix in _SUFFIXES:
            read(f"{called}-pickle{suffix}", trap, call)
    for name in ("backgrounds.bin", "sectors.bin", "checksums.bin", "pool.json"):
        for size in ("its size", "another size"):
            found.append((f"pool's {name} of {size}", _spoilt_pool(folder, name, trap, size == "its size")))
    return found


def _image(folder: Path) -> Path:
    np.save(folder / "image.npy", np.full((8, 8), 9, np.uint8))
    return folder / "image.npy"


def _sector(folder: Path) -> Path:
    np.save(folder / "sector.npy", np.eye(8, dtype=np.uint8))
    return folder / "sector.npy"


def _spoilt_pool(folder: Path, name: str, trap: bytes, keeps_size: bool) -> Callable[[], object]:
    def call() -> object:
        place = folder / f"pool-{name}-{keeps_size}"
        images = np.full((4, 40, 40), 9, np.uint8)
        sa.BackgroundPool.from_arrays(images, np.stack([np.eye(40, dtype=bool)] * 4)).save(place)
        size = (place / name).stat().st_size
        (place / name).write_bytes(trap.ljust(size, b".")[:size] if keeps_size else trap)
        pool = sa.BackgroundPool.open(place)
        pool.verify()
        return pool

    return call


def models(folder: Path, trace: Path) -> tuple[int, list[str]]:
    """How many crafted networks `audit --model` was given, and those that it did not refuse in a sentence."""
    import torch

    torch.save(_Trap(trace), folder / "saved.pt")
    contents = (pickle.dumps(_Trap(trace), protocol=2), (folder / "saved.pt").read_bytes())
    paths = []
    for kind, content in zip(("pickle", "saved"), contents, strict=True):
        for suffix in (".pt", ".pth", ".pkl", ".bin", ".safetensors", ".ckpt", ".ts", ".pt2"):
            paths.append(folder / f"model-{kind}{suffix}")
            paths[-1].write_bytes(content)
    table = folder / "labels.csv"
    table.write_text("image,label\nimage.npy,a\n")
    words = ["--images", folder, "--sectors", folder, "--labels", table, "--out", folder / "out"]
    return len(paths), [path.name for path in paths if command("audit", "--model", path, *words)[0] != 2]


def own_weights(folder: Path, trace: Path) -> str:
    """What a copy of the package says whose weights are pickles."""
    shutil.copytree(Path(sa.__file__).parent, folder / "sectoraug")
    for path in (folder / "sectoraug").rglob("*.safetensors"):
        path.write_bytes(pickle.dumps(_Trap(trace), protocol=2))
    script = "import numpy, sectoraug; sectoraug.sector_from_image(numpy.eye(64, dtype='u1') * 200)"
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=folder
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""
