"""How a pool lies on disk: raw arrays, their checksums and a manifest, whole or not at all.

pool.json          format, n, shape (H, W[, C]) and dtype of a background, CRC-32 of checksums.bin
backgrounds.bin    (N, H, W[, C]) in that dtype
sectors.bin        (N, ceil(H*W/8)) uint8, bit-packed
checksums.bin      (N,) little-endian uint32, CRC-32 of each donor's background and sector
"""

from __future__ import annotations

import json
import math
import mmap
import os
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.pool.disk import must_be_new, owner_only, synced, under_way, write_all, writing_to

_FORMAT = 1
_FILES = ("backgrounds.bin", "sectors.bin", "checksums.bin")
_DTYPES = ("|u1", "<f4")  # no other byte order: their checksums are alike


def checksum_of(background: NDArray[Any], packed: NDArray[np.uint8]) -> int:
    """CRC-32 of one donor."""
    return zlib.crc32(np.ascontiguousarray(packed).data, zlib.crc32(np.ascontiguousarray(background).data))


def open_arrays(folder: Path) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[np.uint32]]:
    """Map backgrounds, packed sectors and checksums read-only; raise for a folder that is not whole."""
    identity = _identity(folder)
    about = _read_manifest(folder)
    n, shape = _counts(about, folder)
    packed = (shape[0] * shape[1] + 7) // 8
    kinds = ((about["dtype"], (n, *shape)), ("|u1", (n, packed)), ("<u4", (n,)))
    arrays = []
    for name, (dtype, full_shape) in zip(_FILES, kinds, strict=True):
        expected = np.dtype(dtype).itemsize * math.prod(full_shape)
        content = _mapped(folder / name)
        if len(content) != expected:
            raise ValueError(
                f"{folder / name} holds {len(content)} bytes; expected {expected}: the pool is damaged, "
                "build it again."
            )
        arrays.append(content.view(dtype).reshape(full_shape))
    if _identity(folder) != identity:
        raise ValueError(
            f"{folder} was replaced by another pool while it was opened; expected it to stay: open it again."
        )
    if zlib.crc32(arrays[2].data) != about["checksums"]:
        raise ValueError(f"{folder} has changed checksums; the pool is damaged, build it again.")
    return arrays[0], arrays[1], arrays[2]


def _identity(folder: Path) -> object:
    """Changes where a folder is replaced by another of its name."""
    try:
        about = folder.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


def _counts(about: dict[str, Any], folder: Path) -> tuple[int, tuple[int, ...]]:
    n, shape = about.get("n"), about.get("shape")
    numbers: list[Any] = [n, *shape] if isinstance(shape, list) and len(shape) in (2, 3) else [None]
    if (
        about.get("dtype") not in _DTYPES
        or type(about.get("checksums")) is not int
        or not all(type(each) is int and each > 0 for each in numbers)
    ):
        raise ValueError(
            f"{folder} is damaged (n, shape, dtype or checksums in its pool.json); expected what "
            "BackgroundPool.save wrote: build the pool again."
        )
    return numbers[0], tuple(numbers[1:])


def _mapped(path: Path) -> NDArray[np.uint8]:
    if not path.is_file() or not path.stat().st_size:
        return np.empty(0, np.uint8)
    with open(path, "rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        pages.madvise(mmap.MADV_RANDOM)  # draws are random: reading ahead would be in vain
    return np.frombuffer(pages, np.uint8)


class Writer:
    """Takes donors one at a time and holds them to the first one's dtype and channels."""

    def __init__(self) -> None:
        self.n = 0
        self.first: NDArray[Any] | None = None

    def check(self, background: NDArray[Any], name: str) -> None:
        """Raise if `background` differs in kind from the first."""
        if self.first is not None:
            checks.alike(background, self.first, name, "the pool's first donor")

    def add(self, background: NDArray[Any], packed: NDArray[np.uint8]) -> None:
        """Write one donor that `check` has passed."""
        if self.first is None:
            self.first = np.empty_like(background)
        self.write(background, packed)
        self.n += 1

    def write(self, background: NDArray[Any], packed: NDArray[np.uint8]) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """Called once, after the last donor."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to clean up."""


class MemoryWriter(Writer):
    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity

    def write(self, background: NDArray[Any], packed: NDArray[np.uint8]) -> None:
        if self.n == 0:
            self.backgrounds = np.empty((self.capacity, *background.shape), background.dtype)
            self.sectors = np.empty((self.capacity, *packed.shape), np.uint8)
        self.backgrounds[self.n] = background
        self.sectors[self.n] = packed

    def finish(self) -> None:
        self.backgrounds = self.backgrounds[: self.n]
        self.sectors = self.sectors[: self.n]
        self.backgrounds.flags.writeable = self.sectors.flags.writeable = False


class FolderWriter(Writer):
    """Writes beside the folder under a temporary name; `finish` gives it its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder.absolute()
        if self.folder.exists():
            raise FileExistsError(
                f"{self.folder} exists; expected a new folder for the pool: choose another, or remove it."
            )

    def __enter__(self) -> FolderWriter:
        with ExitStack() as stack:
            stack.enter_context(writing_to(self.folder))
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.part = stack.enter_context(under_way(self.folder)) / "pool"
            self.part.mkdir(mode=0o700)
            # Unbuffered: what a full disk refused would be tried again, and fail again, when they are closed.
            self.files = [
                stack.enter_context(open(self.part / name, "wb", buffering=0, opener=owner_only))
                for name in _FILES
            ]
            self.ends = stack.pop_all()
        return self

    def write(self, background: NDArray[Any], packed: NDArray[np.uint8]) -> None:
        checksum = np.array(checksum_of(background, packed), "<u4")
        for file, array in zip(self.files, (background, packed, checksum), strict=True):
            write_all(file, np.ascontiguousarray(array).tobytes())

    def finish(self) -> None:
        for file in self.files:
            os.fsync(file.fileno())
        assert self.first is not None
        about: dict[str, Any] = {
            "format": _FORMAT,
            "n": self.n,
            "shape": list(self.first.shape),
            "dtype": self.first.dtype.newbyteorder("<").str,
            "checksums": zlib.crc32((self.part / "checksums.bin").read_bytes()),
        }
        with open(self.part / "pool.json", "w", opener=owner_only) as manifest:
            json.dump(about, manifest)
        synced(self.part / "pool.json")
        must_be_new(self.folder)
        self.part.rename(self.folder)
        synced(self.folder.parent)

    def __exit__(self, *exc: Any) -> None:
        self.ends.__exit__(*exc)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "pool.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no pool.json; expected a folder written by BackgroundPool.save."
        )
    try:
        about: dict[str, Any] = json.loads(path.read_text())
        newer = about["format"] != _FORMAT
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{folder} is damaged ({error!r}); build the pool again.") from error
    if newer:
        raise ValueError(
            f"{folder} has pool format {about['format']}; expected {_FORMAT}: update sectoraug, or "
            "build the pool again."
        )
    return about
