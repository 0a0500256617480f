"""What is killed, or has no room to write, leaves nothing half-written, says why, and goes on."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from faulty_disks import PAGE_BYTES, changed, small_disk
from faulty_jobs import Job, cleared
from faulty_runs import Ended, ended, left_in, litter, wrong_in
from promises import Promise

ROOM_BYTES = 64 << 20
KILLED = (
    "A run killed at any moment leaves nothing half-written under its name; the same run goes on to the same"
)
FULL = "A full disk ends a run in one sentence, with nothing half-written, and the same run goes on"
READ_ONLY = "A read-only folder ends a run in one sentence"


def killed(job: Job, place: Path, n_kills: int) -> Promise:
    """Kill it at `n_kills` random moments, each time in what the last kill left; then let it end."""
    rng = random.Random(job.name)
    wrong: list[str] = []
    out, n, finished = place / "out", 0, 0
    while n < n_kills:
        end = ended(job.call(out), kill_after_s=rng.uniform(0, job.seconds))
        n += end.status < 0
        wrong += wrong_in(out, job.expected, job.at_once)
        if end.status >= 0:
            wrong += unlike(out, job, end)
        if end.status >= 0 or left_in(out) == job.expected:
            finished += 1
            cleared(out)
    wrong += unlike(out, job, ended(job.call(out)))
    cleared(out)
    tried = f"{job.name}: {n} kills within the {job.seconds:.1f} s that it takes"
    return promised(KILLED, tried, f"ended {finished + 1} times, each time with the same", wrong)


def without_room(job: Job, place: Path, steps: int) -> list[Promise]:
    """Up to `steps` sizes of a disk, numbers of its files, and sizes of a file, that are too small for it."""
    found = []
    with small_disk(place / "disk", ROOM_BYTES) as disk:
        if disk is None:
            found.append(Promise(FULL, f"{job.name}: a small disk", "skipped: mounting is not allowed", True))
        else:
            found.append(_tried(job, "disks too small", _disks_too_small(job, disk, steps)))
    found.append(_tried(job, "limits of a file's size", _files_too_small(job, place, steps)))
    return found


def _disks_too_small(job: Job, disk: Path, steps: int) -> Iterator[tuple[Path, Ended]]:
    pages = sum(-(-_length(content) // PAGE_BYTES) for content in job.expected.values())
    limits = [f"size={n * PAGE_BYTES}" for n in _spread(1, pages + 1, steps)]
    limits += [f"nr_inodes={n}" for n in _spread(2, 2 * len(job.expected) + 4, steps)]
    for limit in limits:
        changed(disk, limit)
        end = ended(job.call(disk / "out"))
        changed(disk, f"size={ROOM_BYTES},nr_inodes=10000")
        yield disk / "out", end


def _files_too_small(job: Job, place: Path, steps: int) -> Iterator[tuple[Path, Ended]]:
    for size in _spread(1, max(map(_length, job.expected.values())) - 1, steps):
        yield place / "out", ended(job.call(place / "out"), most_file_bytes=size)


def _length(content: Any) -> int:
    return sum(map(len, content)) + len(content) if isinstance(content, set) else len(content)


def _spread(first: int, last: int, steps: int) -> Iterable[int]:
    return sorted({round(first + (last - first) * k / max(steps - 1, 1)) for k in range(steps)})


def _tried(job: Job, what: str, tries: Iterator[tuple[Path, Ended]]) -> Promise:
    """Of tries without room, each then gone on with where there is room again."""
    wrong: list[str] = []
    sentences = enough = 0
    for out, end in tries:
        if end.status in (0, 1):
            enough += 1
            wrong += unlike(out, job, end)
        else:
            sentences += 1
            wrong += wrong_in(out, job.expected, job.at_once)
            if not end.in_one_sentence:
                wrong.append(f"ended with {end.status}: {end.said[-300:]}")
            wrong += unlike(out, job, ended(job.call(out)))
        cleared(out)
    tried = f"{job.name}: {sentences} {what}" + (f", {enough} large enough" if enough else "")
    return promised(FULL, tried, f"{sentences} sentences, {sentences} runs went on", wrong)


def read_only(jobs: Iterable[Job], place: Path) -> Promise:
    """Each on a disk that may not be written, new and after a run that was killed half way."""
    wrong: list[str] = []
    n = 0
    with small_disk(place / "disk", ROOM_BYTES) as disk:
        if disk is None:
            return Promise(READ_ONLY, "a read-only disk", "skipped: mounting is not allowed", True)
        for job in jobs:
            for before in (False, True):
                out = disk / "out"
                if before:
                    ended(job.call(out), kill_after_s=0.6 * job.seconds)
                left = left_in(out) if out.exists() else None
                changed(disk, "ro")
                end = ended(job.call(out))
                changed(disk, "rw")
                n += 1
                if left == job.expected:  # it was faster than usual, and has nothing to write
                    cleared(out)
                    continue
                if not end.in_one_sentence:
                    wrong.append(f"{job.name} ended with {end.status}: {end.said[-300:]}")
                wrong += unlike(out, job, ended(job.call(out)))
                cleared(out)
    return promised(READ_ONLY, f"{n} runs", f"{n} sentences; each went on when it could write", wrong)


def unlike(out: Path, job: Job, end: Ended) -> list[str]:
    """What differs from an undisturbed run after one that should have ended well."""
    if end.status not in (0, 1) or "Traceback" in end.said:
        return [f"did not go on: {end.status}: {end.said[-300:]}"]
    found = left_in(out)
    names = [name for name in {*found, *job.expected} if found.get(name) != job.expected.get(name)]
    return [f"{name} differs" for name in names] + [f"{name} is left over" for name in litter(out)]


def promised(promise: str, tried: str, found: str, wrong: list[str]) -> Promise:
    said = f"{len(wrong)} wrong, such as {wrong[0]}" if wrong else found
    return Promise(promise, tried, " ".join(said.split()), not wrong)
