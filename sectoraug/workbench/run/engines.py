"""Running a job on many clips: processes of this machine, or a Dask cluster.

Each engine yields (source, entries) as clips finish, and (source, None) where the process that had the clip
died; such a clip may be innocent, so the caller gives it a second run alone.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import Protocol

from sectoraug.pool.disk import DiskError
from sectoraug.workbench.run.manifest import Entry, SectorRefused
from sectoraug.workbench.run.sources import Source, sha256_of


class Job(Protocol):
    """What is done for each clip of an archive."""

    def __call__(self, source: Source, sha256: str) -> list[Entry]:
        """Do it, given the SHA-256 of the clip's bytes; an entry, or one for each part of the clip."""

    def is_outdated(self, source: Source, ends: list[Entry]) -> bool:
        """Whether what was done, with these last entries, is to be done again."""


Engine = Callable[[Job, Iterable[Source]], Iterator[tuple[Source, list[Entry] | None]]]

TIMEOUT_S = 3600.0
_DASK_WINDOW = 1000  # clips known to the scheduler at a time


def with_processes(workers: int, timeout_s: float = TIMEOUT_S) -> Engine:
    """An engine of `workers` spawned processes, each ended where a clip takes longer than `timeout_s`.

    Stopped early, it ends them at once: what a clip under way has written is cleared.
    """
    spawn = multiprocessing.get_context("spawn")
    _must_have_locks()

    def run(job: Job, sources: Iterable[Source]) -> Iterator[tuple[Source, list[Entry] | None]]:
        waiting = deque(sources)
        while waiting:
            reader, writer = spawn.Pipe(duplex=False)
            with reader, writer:
                pool = ProcessPoolExecutor(min(workers, len(waiting)), spawn, _start_worker, (reader,))
                try:
                    yield from _until_broken(
                        pool, partial(attempt, timeout_s=timeout_s), job, waiting, 2 * workers
                    )
                except BaseException:
                    writer.close()
                    raise
                finally:
                    pool.shutdown(cancel_futures=True)

    return run


def _until_broken(
    pool: ProcessPoolExecutor,
    attempt: Callable[[Job, Source], list[Entry]],
    job: Job,
    waiting: deque[Source],
    window: int,
) -> Iterator[tuple[Source, list[Entry] | None]]:
    running: dict[Future[list[Entry]], Source] = {}
    broken = False
    while running or (waiting and not broken):
        while waiting and len(running) < window and not broken:
            try:
                running[pool.submit(attempt, job, waiting[0])] = waiting[0]
                waiting.popleft()
            except BrokenProcessPool:
                broken = True
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            source = running.pop(future)
            try:
                yield source, future.result()
            except BrokenProcessPool:
                broken = True
                yield source, None


def _start_worker(run: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the run, which ends its workers
    threading.Thread(target=_end_with, args=(run,), daemon=True).start()


def _end_with(run: Connection) -> None:
    # The run closes its end when it stops, the system when it is killed; else workers would wait for ever.
    wait_for_end([run])
    os._exit(1)


def with_dask(workers: int, scheduler: str | None = None, timeout_s: float = TIMEOUT_S) -> Engine:
    """An engine on the Dask cluster at `scheduler`, or on a new one of `workers` processes here.

    `timeout_s` is as for processes; the workers of a cluster should have one thread each.
    """
    try:
        import dask
        from distributed import Client, KilledWorker, LocalCluster, as_completed
        from distributed.comm.core import CommClosedError
    except ImportError as error:
        raise ImportError('the Dask engine needs distributed: pip install "sectoraug[dask]".') from error
    if scheduler is None:
        _must_have_locks()

    def run(job: Job, sources: Iterable[Source]) -> Iterator[tuple[Source, list[Entry] | None]]:
        with ExitStack() as stack:
            cluster = scheduler
            if scheduler is None:
                # The caller retries, so that a clip is tried twice here as with processes.
                stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address=None,
                        silence_logs="CRITICAL",
                    )
                )
            for log in ("distributed", "distributed.client"):
                logging.getLogger(log).setLevel(logging.CRITICAL)  # else a lost scheduler's tracebacks
            client = stack.enter_context(Client(cluster))
            waiting = deque(sources)
            running: dict[str, Source] = {}
            finished = as_completed()
            while waiting or running:
                while waiting and len(running) < _DASK_WINDOW:
                    future = client.submit(attempt, job, waiting[0], timeout_s, pure=False)
                    running[future.key] = waiting.popleft()
                    finished.add(future)
                future = next(finished)
                source = running.pop(future.key)
                try:
                    yield source, future.result()
                except KilledWorker:
                    yield source, None
                except (CancelledError, asyncio.CancelledError, CommClosedError):
                    raise ConnectionError(
                        f"the Dask scheduler{f' at {scheduler}' if scheduler else ''} is gone; expected it "
                        "to stay until the run ends: start one, and run the same again."
                    ) from None

    return run


def _must_have_locks() -> None:
    """Raise OSError where processes cannot have a lock in common: on Linux it is a file in /dev/shm."""
    try:
        multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        why = getattr(error, "strerror", None) or error
        raise OSError(
            f"workers cannot share a lock here ({why}); expected, on Linux, a /dev/shm that this user can "
            "write to: mount one, such as by docker run --tmpfs /dev/shm."
        ) from error


def attempt(job: Job, source: Source, timeout_s: float = TIMEOUT_S) -> list[Entry]:
    """Run a job in a worker; what it raises becomes the entry's error.

    A job that takes longer than `timeout_s` ends the process, even where a decoder hangs.
    """
    import warnings

    _keep_to_one_core()
    digest = None
    try:
        with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries' warnings quote headers
            faulthandler.dump_traceback_later(timeout_s, exit=True, file=nowhere)
            try:
                digest = sha256_of(Path(source.path))
                return job(source, digest)
            finally:
                faulthandler.cancel_dump_traceback_later()
    except DiskError:
        raise  # the run's affair: a clip is not to blame, and is done when the run goes on
    except Exception as error:
        sentence = _sentence(error, source)
        refused = isinstance(error, SectorRefused)
        return [Entry(source.name, source.visit, digest, error=sentence, refused=refused)]


def _keep_to_one_core() -> None:
    import cv2

    cv2.setNumThreads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for a job that imports torch
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _sentence(error: Exception, source: Source) -> str:
    if not isinstance(error, (OSError, ValueError, TypeError, ImportError)):
        return f"{source.name} ended with an unexpected {type(error).__name__}."
    sentence = str(error).replace(source.path, source.name)
    if source.drawn is not None:
        sentence = sentence.replace(source.drawn, "the drawn mask")
    return " ".join(sentence.split())
