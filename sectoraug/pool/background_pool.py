"""Where new backgrounds come from: a pool of donors, built once, kept on disk, drawn from."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.pool.building import Building
from sectoraug.pool.donors import Donors
from sectoraug.pool.folder import FolderWriter, MemoryWriter, checksum_of, open_arrays
from sectoraug.progress import track

if TYPE_CHECKING:
    from sectoraug.pool.device import DevicePool

_CHECKED_AT_OPEN = 64 << 20
_pools: WeakValueDictionary[str, BackgroundPool] = WeakValueDictionary()


class BackgroundPool(Building, Donors):
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
        checksums: NDArray[np.uint32] | None = None,
    ) -> None:
        """For the classmethods; `packed_sectors` is (N, ceil(H*W/8)), and `rows` picks some of them."""
        super().__init__(backgrounds, packed_sectors, rows)
        self._checksums = checksums
        self.folder = folder
        """Where the pool is saved, or None."""
        self.skipped = skipped
        """One sentence for each invalid donor that `skip_invalid=True` left out."""
        whole_folder = folder is not None and rows is None
        self.key = str(folder) if whole_folder else f"memory:{secrets.token_hex(8)}"
        """The name that serialised transforms use for this pool."""
        _pools[self.key] = self

    @classmethod
    def _from_writer(cls, writer: MemoryWriter | FolderWriter, skipped: tuple[str, ...]) -> Self:
        if isinstance(writer, MemoryWriter):
            return cls(writer.backgrounds, writer.sectors, skipped=skipped)
        pool = cls.open(writer.folder)
        pool.skipped = skipped
        return pool

    def save(self, folder: str | Path, *, progress: bool = True) -> Self:
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
    def open(cls, folder: str | Path) -> Self:
        """Map a saved pool read-only; workers share its pages.

        Checks the files' sizes and the checksums of up to 64 MiB of donors, evenly spread;
        `verify` checks all.

        Raises:
            FileNotFoundError: no pool there.
            ValueError: an incomplete, changed or newer pool.
        """
        folder = Path(folder).absolute()
        backgrounds, packed_sectors, checksums = open_arrays(folder)
        n, n_bytes = len(backgrounds), backgrounds.nbytes + packed_sectors.nbytes
        pool = cls(backgrounds, packed_sectors, folder, checksums=checksums)
        pool._verify(range(0, n, max(1, n_bytes // _CHECKED_AT_OPEN)))
        return pool

    def verify(self, *, progress: bool = True) -> None:
        """Check every donor of an opened pool; raise ValueError at the first changed one."""
        if self._checksums is None:
            raise ValueError("this pool is in memory; expected an opened one: save it first.")
        n = len(self._checksums)
        self._verify(track(range(n), n, "verify", progress))

    def _verify(self, rows: Iterable[int]) -> None:
        assert self._checksums is not None
        for row in rows:
            if checksum_of(self._backgrounds[row], self._packed_sectors[row]) != self._checksums[row]:
                raise ValueError(
                    f"donor {row} of {self.folder} does not match its checksum: the pool is damaged, "
                    "build it again."
                )

    def __reduce__(self) -> Any:
        if self.folder is None:
            return _from_memory, (self._backgrounds, self._packed_sectors, self._rows, self.key)
        return _from_folder, (self.folder, self._rows, self.key, self._digest)

    @property
    def _digest(self) -> int | None:
        """Of the checksums: tells an opened pool from another one in the same folder."""
        return None if self._checksums is None else zlib.crc32(self._checksums.data)

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
        try:
            place = torch.device(device)
        except (TypeError, RuntimeError) as error:
            raise TypeError(
                f"device is {checks.shown(device)}; expected a torch.device or its name, such as 'cuda'."
            ) from error
        if place.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device is {place}; expected one that torch can use here, and it finds no GPU.")
        rows = self._rows
        return upload(
            lambda part: self._backgrounds[part if rows is None else rows[part]],
            len(self),
            self._backgrounds.shape[1:],
            place,
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
        seed = checks.seed(seed)
        n = max(1, round(fraction * len(self)))
        chosen = np.sort(np.random.default_rng(seed).choice(len(self), n, replace=False))
        rows = chosen if self._rows is None else self._rows[chosen]
        return self._with_rows(rows)

    def _with_rows(self, rows: NDArray[np.int64]) -> BackgroundPool:
        arrays = (self._backgrounds, self._packed_sectors)
        return BackgroundPool(*arrays, self.folder, rows, checksums=self._checksums)

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


def _from_folder(folder: Path, rows: Any, key: str, digest: int | None = None) -> BackgroundPool:
    pool = _pools.get(key)
    if pool is not None and digest in (None, pool._digest):
        return pool
    whole = _pools.get(str(folder))
    if whole is None or digest not in (None, whole._digest):
        whole = BackgroundPool.open(folder)
    if digest not in (None, whole._digest):
        raise ValueError(
            f"{folder} holds another pool than the one that was sent from another process; expected the "
            "same: open it again there, and leave it as it is while processes use it."
        )
    return whole if rows is None else _renamed(whole._with_rows(rows), key)


def _renamed(pool: BackgroundPool, key: str) -> BackgroundPool:
    pool.key = key
    _pools[key] = pool
    return pool
