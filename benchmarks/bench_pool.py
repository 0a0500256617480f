"""Half a million backgrounds: the time to open them, and what four DataLoader workers cost in memory.

    python benchmarks/bench_pool.py [--n 500000] [--folder FOLDER] [--write]

Needs n * 14 kB of disk (7 GB at full size) and removes it afterwards. Linux only.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from timing import write
from torch.utils.data import DataLoader, Dataset, get_worker_info

import sectoraug as sa

SIZE = (112, 112)
DRAWS = 5000


class Draws(Dataset):
    """Each worker draws and reads backgrounds, then reports its own memory in MB."""

    def __init__(self, pool: sa.BackgroundPool | None) -> None:
        self.pool = pool

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, float]:
        touched = 0
        if self.pool is not None:
            rng = np.random.default_rng(get_worker_info().id)
            for _ in range(DRAWS):
                touched += int(self.pool[self.pool.draw(rng)][0].max())
        time.sleep(0.5)  # so that all four are alive and share the pages while they measure
        return {"touched": touched, **memory_mb()}


def memory_mb() -> dict[str, float]:
    """This process's share of memory in MB: its own, and pages of mapped files (the kernel's cache)."""
    values = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, kilobytes = line.split()[:2]
        values[name.rstrip(":")] = int(kilobytes) / 1000
    return {"pss": values["Pss"], "pss_own": values["Pss_Anon"], "pss_of_files": values["Pss_File"]}


def workers_mb(pool: sa.BackgroundPool | None, context: str) -> dict[str, float]:
    loader = DataLoader(Draws(pool), batch_size=None, num_workers=4, multiprocessing_context=context)
    seen = list(loader)
    return {
        key: round(statistics.median(float(s[key]) for s in seen), 1) for key in seen[0] if key != "touched"
    }


def build(folder: Path, n: int) -> None:
    """A pool on disk, built from 64 files that are read again and again."""
    rng = np.random.default_rng(0)
    sector = np.zeros(SIZE, np.uint8)
    sector[20:90, 20:90] = 1
    with tempfile.TemporaryDirectory() as small:
        np.save(Path(small, "sector.npy"), sector)
        for i in range(64):
            np.save(Path(small, f"{i}.npy"), rng.integers(0, 256, SIZE, np.uint8))
        images = [Path(small, f"{i % 64}.npy") for i in range(n)]
        sa.BackgroundPool.from_files(images, [Path(small, "sector.npy")] * n, size=SIZE, folder=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=500_000)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to put the pool; default: a temporary one"
    )
    parser.add_argument("--write", action="store_true", help="keep the result in results/pool.json")
    arguments = parser.parse_args()
    parent = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        start = time.perf_counter()
        build(parent / "pool", arguments.n)
        built = time.perf_counter() - start
        opened = []
        for _ in range(5):
            start = time.perf_counter()
            pool = sa.BackgroundPool.open(parent / "pool")
            opened.append(time.perf_counter() - start)
        result: dict[str, Any] = {
            "donors": len(pool),
            "size_on_disk_mb": round(sum(f.stat().st_size for f in (parent / "pool").iterdir()) / 1e6),
            "build_s": round(built, 1),
            "open_s": round(statistics.median(opened), 3),
        }
        for context in ("fork", "spawn"):
            result[f"worker_mb_without_pool_{context}"] = workers_mb(None, context)
            result[f"worker_mb_with_pool_{context}"] = workers_mb(pool, context)
        for key, value in result.items():
            print(f"{key:32} {value}")
        if arguments.write:
            print("written to", write("pool", {"results": result}))
    finally:
        shutil.rmtree(parent)


if __name__ == "__main__":
    main()
