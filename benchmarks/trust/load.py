"""Long and crowded runs: steady memory, threads that give what one gives, forks that end, a core a worker.

Needs psutil.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from load_crowds import forked_after_threads, same_in_threads, threads_of_workers
from load_memory import batches, draws, loaders
from promises import Promise, main


def check(full: bool) -> list[Promise]:
    """The forks last: what is run before has started the threads of OpenCV and torch."""
    found = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        found.append(loaders(folder, *((500_000, 16, 10) if full else (20_000, 2, 3))))
        found.append(batches(1_000_000 if full else 10_000))
        found.append(draws(1_000_000 if full else 20_000))
        found.append(same_in_threads(40 if full else 2))
        found.append(forked_after_threads(20 if full else 2))
        found.append(threads_of_workers(folder, *((4, 12) if full else (1, 2))))
    return found


if __name__ == "__main__":
    main(__doc__, check)
