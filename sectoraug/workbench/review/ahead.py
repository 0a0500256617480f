"""Sprites made in time: those asked for first, then those that will be asked for next; in memory only."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass

from sectoraug.workbench.review.tiles import PER_SPRITE, Mask, Tile, jpeg, small_tile_of, sprite_of

AHEAD = 6
_KEPT = 40  # about 10 MB
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class Sprite:
    """The small tiles of PER_SPRITE masks."""

    jpeg: bytes
    tiles: tuple[Tile, ...]
    """Without their frames."""


class Sprites:
    """Sprites of masks, made by threads inside a `with` block; `get` waits for one."""

    def __init__(self, masks: Sequence[Mask], first: int = 0) -> None:
        self.masks = masks
        self.n = -(-len(masks) // PER_SPRITE)
        self._ready: OrderedDict[int, Sprite] = OrderedDict()
        self._waited_for: Counter[int] = Counter()
        self._last = first
        self._changed = threading.Condition()
        self._threads = ThreadPoolExecutor(
            max(1, min(4, (os.cpu_count() or 1) // 2))
        )  # the browser needs some, too
        self._worker = threading.Thread(target=self._work)
        self._closed = False

    def __enter__(self) -> Sprites:
        self._worker.start()
        return self

    def get(self, index: int) -> Sprite:
        """The sprite of masks `index * PER_SPRITE` and on; raises IndexError where there is none."""
        if not 0 <= index < self.n:
            raise IndexError(index)
        with self._changed:
            self._last = index
            self._waited_for[index] += 1
            self._changed.notify_all()
            while index not in self._ready:
                if self._closed:
                    raise RuntimeError("the sprites are closed")
                self._changed.wait()
            self._waited_for[index] -= 1
            self._ready.move_to_end(index)
            return self._ready[index]

    def __exit__(self, *exc: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._threads.shutdown(cancel_futures=True)
        self._worker.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (index := self._next()) is None and not self._closed:
                    self._changed.wait()
            if index is None or self._closed:
                return
            try:
                masks = self.masks[index * PER_SPRITE :][:PER_SPRITE]
                tiles = list(self._threads.map(small_tile_of, masks))
            except (CancelledError, RuntimeError):  # closed meanwhile
                return
            picture = jpeg(sprite_of(tiles), _JPEG_QUALITY)
            made = Sprite(picture, tuple(Tile(None, t.trouble, t.contours) for t in tiles))
            with self._changed:
                self._ready[index] = made
                waited_for = +self._waited_for
                for old in [k for k in self._ready if k not in waited_for and k != index]:
                    if len(self._ready) > _KEPT:
                        del self._ready[old]
                self._changed.notify_all()

    def _next(self) -> int | None:
        ahead = range(self._last, min(self._last + AHEAD + 1, self.n))
        return next((k for k in [*(+self._waited_for), *ahead] if k not in self._ready), None)
