"""A progress bar where tqdm is installed (extra `progress`), nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from sectoraug import checks

T = TypeVar("T")


def track(items: Iterable[T], total: int, label: str, show: bool = True) -> Iterator[T]:
    """Yield `items`, with a bar on stderr once two seconds have passed."""
    show = checks.flag(show, "progress")
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield from items
    else:
        yield from tqdm(items, label, total, disable=not show, delay=2)
