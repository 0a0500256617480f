"""Where new backgrounds come from: a pool of donors, built once, kept on disk, drawn from."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.pool.fitting import RESIZE, fit
from sectoraug.pool.folder import FolderWriter, MemoryWriter, checksum_of, open_arrays
from sectoraug.progress import track
from sectoraug.reading.stills import read_image, read_sector

if TYPE_CHECKING:
    from sectoraug.pool.device import DevicePool

_CHECKED_AT_OPEN = 64 << 20
_pools: WeakValueDictionary[str, BackgroundPool] = WeakValueDictionary()


class BackgroundPool:
    """Backgrounds of images whose own sectors are already black, with those sectors.

    Build one with `from_arrays` or `from_files`, keep it with `save`, map it with `open`.
    A pool holds what was burned in around the images, patients' names included: its files are for
    their owner only, its repr and its pickles of an opened pool carry no pixels.

    Examples:
        >>> import numpy as np, sectoraug as sa
        >>> images = np.full((3, 4, 4), 7, np.uint8)
        >>> sectors = np.zeros((3, 4, 4), bool); sectors[:, :2] = True
        >>> pool = sa.BackgroundPool.from_arrays(images, sectors)
        >>> pool
        BackgroundPool(n=3, size=(4, 4), channels=None, dtype=uint8)
        >>> background, sector = pool[0]
        >>> int(background[sector].max()), int(background[~sector].min())
        (0, 7)
    """

    def __init__(
        self,
        backgrounds: NDArray[Any],
        packed_sectors: NDArray[np.uint8],
        folder: Path | None = None,
        rows: NDArray[np.int64] | None = None,
        skipped: tuple[str, ...] = (),
    ) -> None:
        """For the classmethods; `packed_sectors` is (N, ceil(H*W/8)), and `rows` picks some of them."""
        self._backgrounds = backgrounds
        self._packed_sectors = packed_sectors
        self._rows = rows
        self._n = len(backgrounds if rows is None else rows)
        self.size: tuple[int, int] = backgrounds.shape[1:3]
        """(height, width) in pixels."""
        self.channels: int | None = backgrounds.shape[3] if backgrounds.ndim == 4 else None
        """Channels of each background, or None for (H, W)."""
        self.dtype = backgrounds.dtype
        """uint8 or float32."""
        self.folder = folder
        """Where the pool is saved, or None."""
        self.skipped = skipped
        """One sentence for each invalid donor that `skip_invalid=True` left out."""
        whole_folder = folder is not None and rows is None
        self.key = str(folder) if whole_folder else f"memory:{secrets.token_hex(8)}"
        """The name that serialised transforms use for this pool."""
        _pools[self.key] = self

    # -- building ---------------------------------------------------------------------------------

    @classmethod
    def from_arrays(
        cls,
        images: Any,
        sectors: Any,
        *,
        size: tuple[int, int] | None = None,
        resize: str = "raise",
        skip_invalid: bool = False,
    ) -> BackgroundPool:
        """Build a pool in memory.

        Args:
            images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), uint8 or float32; or a list of images.
            sectors: (N, H, W), bool or uint8 of 0/1 or 0/255; or a list of sectors.
            size: (height, width) of the pool in pixels; None for that of the first image.
            resize: "stretch", "pad" or "raise", as in `from_files`.
            skip_invalid: leave out donors with a missing or full-frame sector, and count them in
                `skipped`, instead of raising.
        """
        checks.choice(resize, RESIZE, "resize")
        for name, arrays in (("images", images), ("sectors", sectors)):
            if not isinstance(arrays, (np.ndarray, list, tuple)):
                raise TypeError(
                    f"{name} is {checks.describe(arrays)}; expected a NumPy array or a list of them."
                )
        if len(images) != len(sectors):
            raise ValueError(
                f"there are {len(images)} images and {len(sectors)} sectors; expected one sector an image."
            )
        if size is not None:
            size = checks.size(size)
        elif len(images):
            size = np.shape(images[0])[:2]
        streams = (
            (f"donor {index}", lambda i=index: [(images[i], sectors[i])]) for index in range(len(images))
        )
        return cls._build(streams, len(images), size or (0, 0), resize, skip_invalid, None, False)

    @classmethod
    def from_files(
        cls,
        image_paths: Iterable[str | Path],
        sector_paths: Iterable[str | Path],
        size: tuple[int, int],
        *,
        resize: str = "stretch",
        skip_invalid: bool = False,
        folder: str | Path | None = None,
        progress: bool = True,
    ) -> BackgroundPool:
        """Build a pool from image files, one at a time.

        Args:
            image_paths: PNG, JPEG, TIFF, BMP or NPY files, all grey or all colour (RGB).
            sector_paths: as many mask files, each of its image's size.
            size: (height, width) of the pool, in pixels: that of the images at the swap.
            resize: "stretch" ignores the aspect ratio, "pad" keeps it on black borders, "raise"
                accepts no other size. Donors are blacked before and again after.
            skip_invalid: leave out unreadable files and invalid sectors, and count them in
                `skipped`, instead of raising.
            folder: build in this new folder, as `save` would, and map it: needs no memory for the
                pool. None keeps the pool (not the images) in memory.
            progress: show a progress bar on stderr.
        """
        images, sectors = list(image_paths), list(sector_paths)
        if len(images) != len(sectors):
            raise ValueError(
                f"there are {len(images)} image paths and {len(sectors)} sector paths; expected one "
                "sector file an image, in the same order."
            )
        checks.choice(resize, RESIZE, "resize")
        streams = (
            (str(image), lambda i=image, s=sector: [(read_image(i), read_sector(s))])
            for image, sector in zip(images, sectors, strict=True)
        )
        target = None if folder is None else Path(folder)
        return cls._build(streams, len(images), checks.size(size), resize, skip_invalid, target, progress)

    @classmethod
    def from_streams(
        cls,
        streams: Iterable[tuple[str, Callable[[], Iterable[tuple[Any, Any]]]]],
        n: int,
        size: tuple[int, int],
        folder: str | Path,
        *,
        resize: str = "stretch",
        skip_invalid: bool = False,
        progress: bool = True,
    ) -> BackgroundPool:
        """Build a pool in a new folder from anything that gives images and sectors, such as clips.

        Args:
            streams: (name, load); load() gives (image, sector) pairs as `from_arrays` takes them, one at a
                time. What it raises counts as an invalid donor; those that it gave before stay.
            n: how many streams, for the progress bar.

        The other arguments are as in `from_files`.
        """
        checks.choice(resize, RESIZE, "resize")
        return cls._build(streams, n, checks.size(size), resize, skip_invalid, Path(folder), progress)

    @classmethod
    def _build(
        cls,
        streams: Iterable[tuple[str, Callable[[], Iterable[tuple[Any, Any]]]]],
        n: int,
        size: tuple[int, int],
        resize: str,
        skip_invalid: bool,
        folder: Path | None,
        progress: bool,
    ) -> BackgroundPool:
        writer = MemoryWriter(n) if folder is None else FolderWriter(folder)
        skipped: list[str] = []
        with writer:
            for name, load in track(streams, n, "pool", progress):
                donors = _donors(name, load, size, resize)
                while True:
                    try:
                        donor = next(donors, None)
                        if donor is None:
                            break
                        writer.check(donor[0], name)
                    except (OSError, ValueError, TypeError) as error:
                        if not skip_invalid:
                            raise
                        skipped.append(str(error))
                        break
                    writer.add(*donor)
            if writer.n == 0:
                raise ValueError(
                    f"the pool would be empty ({n} donors given, {len(skipped)} of them invalid); "
                    "expected at least one image with a sector that is neither empty nor full-frame."
                )
            writer.finish()
        if folder is not None:
            pool = cls.open(folder)
            pool.skipped = tuple(skipped)
            return pool
        assert isinstance(writer, MemoryWriter)
        return cls(writer.backgrounds, writer.sectors, skipped=tuple(skipped))

    # -- keeping ----------------------------------------------------------------------------------

    def save(self, folder: str | Path, *, progress: bool = True) -> BackgroundPool:
        """Write the pool to a new folder, readable by its owner only, and return it opened from there.

        The folder appears whole or not at all.
        """
        folder = Path(folder)
        with FolderWriter(folder) as writer:
            for index in track(range(len(self)), len(self), "save", progress):
                writer.add(self.background(index), self._packed(index))
            writer.finish()
        return type(self).open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> BackgroundPool:
        """Map a saved pool read-only; workers share its pages.

        Checks the files' sizes and the checksums of up to 64 MiB of donors, evenly spread;
        `verify` checks all.

        Raises:
            FileNotFoundError: no pool there.
            ValueError: an incomplete, changed or newer pool.
        """
        folder = Path(folder).absolute()
        backgrounds, packed_sectors, checksums = open_arrays(folder)
        pool = cls(backgrounds, packed_sectors, folder)
        n, n_bytes = len(pool), backgrounds.nbytes + packed_sectors.nbytes
        pool._verify(range(0, n, max(1, n_bytes // _CHECKED_AT_OPEN)), checksums)
        return pool

    def verify(self, *, progress: bool = True) -> None:
        """Check every donor of an opened pool; raise ValueError at the first changed one."""
        if self.folder is None:
            raise ValueError("this pool is in memory; expected an opened one: save it first.")
        checksums = open_arrays(self.folder)[2]
        rows = range(len(checksums))
        self._verify(track(rows, len(rows), "verify", progress), checksums)

    def _verify(self, rows: Iterable[int], checksums: NDArray[Any]) -> None:
        for row in rows:
            if checksum_of(self._backgrounds[row], self._packed_sectors[row]) != checksums[row]:
                raise ValueError(
                    f"donor {row} of {self.folder} does not match its checksum: the pool is damaged, "
                    "build it again."
                )

    def __reduce__(self) -> Any:
        if self.folder is None:
            return _from_memory, (self._backgrounds, self._packed_sectors, self._rows, self.key)
        return _from_folder, (self.folder, self._rows, self.key)

    # -- using ------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The background (H, W[, C]), read-only, and its sector (H, W) bool."""
        return self.background(index), self.sector(index)

    def background(self, index: int) -> NDArray[Any]:
        """Background `index`, black inside its sector: a read-only view."""
        return self._backgrounds[self._row(index)]  # type: ignore[no-any-return]

    def sector(self, index: int) -> NDArray[np.bool_]:
        """Sector (H, W) bool of donor `index`."""
        height, width = self.size
        bits = np.unpackbits(self._packed(index), count=height * width)
        return bits.view(np.bool_).reshape(height, width)

    def _packed(self, index: int) -> NDArray[np.uint8]:
        return self._packed_sectors[self._row(index)]  # type: ignore[no-any-return]

    def _row(self, index: int) -> int:
        if not -self._n <= index < self._n:
            raise IndexError(f"donor {index} of a pool of {self._n}; expected an index in 0..{self._n - 1}.")
        return index if self._rows is None else int(self._rows[index])

    def draw(self, rng: np.random.Generator, exclude: int | None = None) -> int:
        """Draw a donor's index, uniformly among all but `exclude`."""
        return self.pick(int(rng.integers(1 << 63)), exclude)

    def pick(self, bits: int, exclude: int | None = None) -> int:
        """The donor that 63 or more random bits stand for, uniformly among all but `exclude`."""
        n = self._n
        if exclude is None:
            return bits % n
        if not isinstance(exclude, (int, np.integer)):
            raise TypeError(
                f"pool_index is {checks.describe(exclude)}; expected the image's own index in this pool, "
                f"0..{n - 1}, or None."
            )
        if not 0 <= exclude < n:
            raise ValueError(
                f"pool_index is {exclude}; expected the image's own index in this pool, 0..{n - 1}, or None."
            )
        if n == 1:
            raise ValueError(
                "the pool holds one donor and that one is excluded; expected another: add donors, or "
                "leave pool_index out."
            )
        index = bits % (n - 1)
        return index + 1 if index >= exclude else index

    def to(self, device: Any, dtype: Any = None, *, progress: bool = True) -> DevicePool:
        """Copy all backgrounds to a torch device, for `swap_background_batch` and `RandomBackMix`.

        Args:
            device: a torch.device or its name, such as "cuda".
            dtype: a torch dtype; None for that of the pool. Floating-point values of a uint8 pool are in
                0..1, and need more memory; `donor_values` converts while swapping instead.
            progress: show a progress bar on stderr.

        Raises:
            MemoryError: the device has no room for the pool.
        """
        import torch

        from sectoraug.pool.device import upload

        own = torch.uint8 if self.dtype == np.uint8 else torch.float32
        rows = self._rows
        return upload(
            lambda part: self._backgrounds[part if rows is None else rows[part]],
            len(self),
            self._backgrounds.shape[1:],
            torch.device(device),
            own if dtype is None else dtype,
            progress,
        )

    def subset(self, fraction: float, seed: int) -> BackgroundPool:
        """A random share of the pool (at least one donor) that shares its memory.

        Args:
            fraction: in 0..1; round(fraction * n) donors are kept, in their order.
            seed: the choice repeats under one seed.
        """
        checks.number(fraction, 0, 1, "fraction")
        n = max(1, round(fraction * len(self)))
        chosen = np.sort(np.random.default_rng(seed).choice(len(self), n, replace=False))
        rows = chosen if self._rows is None else self._rows[chosen]
        return BackgroundPool(self._backgrounds, self._packed_sectors, self.folder, rows)

    def __repr__(self) -> str:
        return (
            f"BackgroundPool(n={len(self)}, size={self.size}, channels={self.channels}, dtype={self.dtype})"
        )


def pool_named(key: str) -> BackgroundPool:
    """The pool that a serialised transform names: one alive in this process, or a saved folder."""
    pool = _pools.get(key)
    if pool is not None:
        return pool
    if key.startswith("memory:"):
        raise ValueError(
            f"pool {key!r} is not alive in this process; expected a pool that is still referenced, or "
            "a folder: save the pool, and build the transform with BackgroundPool.open(folder)."
        )
    return BackgroundPool.open(key)


def _from_memory(backgrounds: Any, sectors: Any, rows: Any, key: str) -> BackgroundPool:
    return _pools.get(key) or _renamed(BackgroundPool(backgrounds, sectors, None, rows), key)


def _from_folder(folder: Path, rows: Any, key: str) -> BackgroundPool:
    pool = _pools.get(key)
    if pool is not None:
        return pool
    whole = pool_named(str(folder))
    if rows is None:
        return whole
    return _renamed(BackgroundPool(whole._backgrounds, whole._packed_sectors, folder, rows), key)


def _renamed(pool: BackgroundPool, key: str) -> BackgroundPool:
    pool.key = key
    _pools[key] = pool
    return pool


def _donors(
    name: str, load: Callable[[], Iterable[tuple[Any, Any]]], size: tuple[int, int], resize: str
) -> Iterator[tuple[NDArray[Any], NDArray[np.uint8]]]:
    for image, sector in load():
        yield _donor(image, sector, size, resize, name)


def _donor(
    image: Any, sector: Any, size: tuple[int, int], resize: str, name: str
) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    checks.image(image, name)
    inside = checks.sector(sector, image.shape[:2], f"the sector of {name}", "use skip_invalid=True")
    if cv2.countNonZero(inside) == inside.size:
        raise ValueError(
            f"the sector of {name} fills the whole frame; expected a donor with some background: "
            "leave it out, or use skip_invalid=True."
        )
    try:
        background, inside = fit(image, inside, size, resize)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return background, np.packbits(inside != 0)
