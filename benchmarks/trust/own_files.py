"""Who may read what is written: modes of all files, while commands run and afterwards."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def seen_under(folder: Path, every_s: float) -> Iterator[dict[str, int]]:
    """The widest mode of each path that was there at any look, by its path."""
    seen: dict[str, int] = {}
    ended = threading.Event()

    def look() -> None:
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                path = os.path.join(place, name)
                try:
                    found = os.lstat(path).st_mode
                except OSError:  # gone meanwhile
                    continue
                if not stat.S_ISLNK(found):
                    seen[path] = seen.get(path, 0) | stat.S_IMODE(found)

    def watch() -> None:
        while not ended.wait(every_s):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()
        look()
