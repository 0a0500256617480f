"""Processes in each other's way: two on one folder, workers and schedulers that die; a clock set back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
from faults_written import promised, unlike
from faulty_jobs import Job, cleared
from faulty_runs import Ended, ended
from promises import Promise

CLI = (sys.executable, "-m", "sectoraug.workbench.cli")
LONGEST_S = 240


def two_at_once(jobs: Iterable[Job], place: Path, times: int) -> Promise:
    """Each together with itself in one place, the second started a random share of the first's time later."""
    wrong: list[str] = []
    refused = n = 0
    for job in jobs:
        for k in range(times):
            out = place / "out"
            first = os.fork()
            if first == 0:
                os._exit(0 if fine(ended(job.call(out))) else 1)
            time.sleep(job.seconds * k / times)
            second = ended(job.call(out))
            if not fine(second):
                wrong.append(f"{job.name} ended with {second.status}: {second.said[-300:]}")
            if os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]):
                wrong.append(f"the first {job.name} ended otherwise")
            refused += second.status == 2
            n += 1
            wrong += unlike(out, job, Ended(0, "", 0))
            cleared(out)
    return promised(
        "Two processes on one folder: each ends well or in one sentence, and what is there is one run's",
        f"{n} pairs",
        f"{refused} of the second in one sentence, the others well",
        wrong,
    )


def fine(end: Ended) -> bool:
    return (end.status in (0, 1) and "Traceback" not in end.said) or end.in_one_sentence


def clock_set_back(jobs: Iterable[Job], place: Path) -> Promise:
    """Each, killed and gone on with, while every look at the clock gives an earlier time than before."""
    wrong: list[str] = []
    n = 0
    for job in jobs:
        out, n = place / "out", n + 1
        ended(_back(job.call(out)), kill_after_s=0.6 * job.seconds)
        if not job.at_once or not out.exists():
            wrong += unlike(out, job, ended(_back(job.call(out))))
        cleared(out)
    return promised(
        "Nothing depends on the order of times: with a clock that goes back, runs give the same",
        f"{n} runs, killed and gone on with",
        "all the same",
        wrong,
    )


def _back(call: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        now = [2e9]

        def earlier() -> float:
            now[0] -= 3600
            return now[0]

        time.time = earlier
        time.time_ns = lambda: int(1e9 * earlier())
        call()

    return run


def dead_worker(job: Job, place: Path, times: int) -> Promise:
    """SIGKILL to a worker of `masks`, as where memory runs out."""
    wrong: list[str] = []
    out = place / "out"
    for k in range(times):
        with run_of(*CLI, "masks", place.parent / "clips", "--out", out, "--workers", 2) as run:
            _until(lambda run=run: _workers_of(run.pid) or run.poll() is not None)
            time.sleep(k * 0.5)
            for worker in _workers_of(run.pid)[k % 2 :][:1]:  # none where the run has ended: it says why
                worker.kill()
            _, said = run.communicate(timeout=LONGEST_S)
        wrong += unlike(out, job, Ended(run.returncode, said, 0))
        cleared(out)
    return promised(
        "A worker that is killed costs no clip: the run does its clips again",
        f"{times} workers of masks",
        f"{times} runs ended with the same",
        wrong,
    )


def dead_loader_worker(pool: Any) -> Promise:
    """SIGKILL to a worker of a DataLoader that swaps backgrounds: torch says so, and nothing hangs."""
    import numpy as np
    from torch.utils.data import DataLoader, Dataset

    import sectoraug as sa

    class Swapped(Dataset[Any]):
        def __len__(self) -> int:
            return 10_000

        def __getitem__(self, i: int) -> Any:
            if i == 64:
                os.kill(os.getpid(), signal.SIGKILL)
            background, sector = pool[i % len(pool)]
            return sa.swap_background(np.full(sector.shape, 9, np.uint8), sector.view(np.uint8), background)

    def loop() -> None:
        try:
            for _ in DataLoader(Swapped(), 16, num_workers=2):
                pass
        except (RuntimeError, ConnectionError) as error:  # of torch, or of the tensor that was on its way
            signal.signal(
                signal.SIGCHLD, signal.SIG_DFL
            )  # torch's raises wherever the next worker's end finds us
            sys.exit(" ".join(str(error).split()))

    end = ended(loop)
    return Promise(
        "A DataLoader's worker that is killed ends the loop with torch's own error, and nothing hangs",
        "1 worker",
        end.said.strip() or "it went on",
        end.status == 2 and end.seconds < 60,
    )


def lost_scheduler(job: Job, clips: Path, place: Path, times: int) -> Promise:
    """Kill the Dask scheduler in the middle of `masks`; then start another, and the same command."""
    wrong: list[str] = []
    slowest, sentences = 0.0, 0
    out = place / "out"
    for _ in range(times):
        with cluster() as (scheduler, address):
            words = (
                "masks",
                clips,
                "--out",
                out,
                "--engine",
                "dask",
                "--scheduler",
                address,
            )
            with run_of(*CLI, *words, "--no-progress") as run:
                _until(lambda run=run: _lines(out) > 1 or run.poll() is not None)
                scheduler.kill()
                start = time.perf_counter()
                try:
                    _, said = run.communicate(timeout=LONGEST_S)
                    end = Ended(run.returncode, said, 0)
                except subprocess.TimeoutExpired:
                    end = Ended(-1, f"it hung for {LONGEST_S} s", 0)
                slowest = max(slowest, time.perf_counter() - start)
            sentences += end.in_one_sentence
            if not fine(end):
                wrong.append(f"ended with {end.status}: {end.said[-600:]}")
        with cluster() as (_, address), run_of(*CLI, *words[:-1], address, "--no-progress") as run:
            _, said = run.communicate(timeout=LONGEST_S)
            wrong += unlike(out, job, Ended(run.returncode, said, 0))
        cleared(out)
    return promised(
        "A Dask scheduler that dies ends the run in one sentence, and the same run goes on with another",
        f"{times} schedulers",
        f"{sentences} sentences within {slowest:.0f} s; each went on to the same",
        wrong,
    )


@contextmanager
def cluster() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A scheduler and a worker with one thread, as people start them by hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = (sys.executable, "-m")
    with ExitStack() as stack:
        words = (*dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port)
        scheduler = stack.enter_context(run_of(*words, "--no-dashboard", said=False))
        words = (*dask, "distributed.cli.dask_worker", address, "--nthreads", 1, "--no-dashboard")
        stack.enter_context(run_of(*words, "--no-nanny", said=False))
        yield scheduler, address


@contextmanager
def run_of(*words: object, said: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, whose all end with the block."""
    run = subprocess.Popen(
        [*map(str, words)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if said else subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def _workers_of(pid: int) -> list[psutil.Process]:
    try:
        return [
            p for p in psutil.Process(pid).children() if any("spawn_main" in word for word in p.cmdline())
        ]
    except psutil.Error:
        return []


def _until(true: Callable[[], Any]) -> Any:
    for _ in range(LONGEST_S * 50):
        found = true()
        if found:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"nothing after {LONGEST_S} s")


def _lines(out: Path) -> int:
    manifest = out / "manifest.jsonl"
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0
