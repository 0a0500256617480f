"""Whatever fails under a run, be it killed or out of disk, nothing is lost and nothing left half-written.

Each writing command is killed and starved of room; its end must be one sentence, and the same command must go
on to what an undisturbed run gives, byte for byte. Needs psutil; small disks need the right to mount.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # forks of a process with threads could hang
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from faults_pool import built_anew, damaged
from faults_processes import clock_set_back, dead_loader_worker, dead_worker, lost_scheduler, two_at_once
from faults_written import killed, read_only, without_room
from faulty_jobs import archive_in, costly_jobs_in, imported, jobs_in
from promises import Promise, main

import sectoraug as sa


def check(full: bool) -> list[Promise]:
    """All but what takes workers, torch or Dask; with `full` these, too."""
    found: list[Promise] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        imported()
        jobs = jobs_in(folder, 4 if full else 2)
        place = folder / "places"
        place.mkdir()
        for job in jobs.values():
            found.append(killed(job, place, 20 if full else 2))
            found += without_room(job, place, 6 if full else 2)
        found.append(read_only(jobs.values(), place))
        found += damaged(folder, 600 if full else 20)
        found.append(built_anew(folder, 30 if full else 1))
        found.append(two_at_once(jobs.values(), place, 3 if full else 1))
        found.append(clock_set_back(jobs.values(), place))
        if full:
            for job in costly_jobs_in(folder).values():
                found.append(killed(job, place, 4))
            found.append(dead_loader_worker(sa.BackgroundPool.open(folder / "pool-whole")))
            found.append(dead_worker(jobs["masks"], place, 2))
            found.append(lost_scheduler(archive_in(folder, 24), folder / "archive", place, 2))
    return found


if __name__ == "__main__":
    main(__doc__, check)
