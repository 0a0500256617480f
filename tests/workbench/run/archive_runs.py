"""A `masks` run whose clips take a while, hang, or kill their process; run by test_archive.py.

A script of its own, so that worker processes can import the job: ENGINE INPUT OUT SECONDS.
"""

# ruff: noqa: E402
from __future__ import annotations

import atexit
import gc

# A third of a short process's time is collecting what its imports left.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sectoraug.workbench.jobs.masks import FindSector
from sectoraug.workbench.run.archive import run
from sectoraug.workbench.run.engines import with_dask, with_processes
from sectoraug.workbench.run.manifest import Entry
from sectoraug.workbench.run.sources import Source, find_sources


@dataclass(frozen=True)
class Difficult(FindSector):
    seconds: float = 0.0

    def __call__(self, source: Source, sha256: str) -> list[Entry]:
        time.sleep(self.seconds)
        if "deadly" in source.name:
            os.kill(os.getpid(), signal.SIGSEGV)
        while "hanging" in source.name:
            time.sleep(1)
        return super().__call__(source, sha256)


if __name__ == "__main__":
    # Background jobs of shells start with it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    engine = with_dask(2, timeout_s=10) if sys.argv[1] == "dask" else with_processes(2, timeout_s=10)
    clips, out = Path(sys.argv[2]), Path(sys.argv[3]).absolute()
    sources, _ = find_sources([clips])
    print(run(Difficult(str(out), seconds=float(sys.argv[4])), sources, out, engine, progress=False))
