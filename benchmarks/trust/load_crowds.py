"""Many at once: threads on one pool and one network, forks behind threads, processes on few cores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import torch
from promises import Promise

import sectoraug as sa

FORK_S = 30
THREADS = 8


def same_in_threads(rounds: int) -> Promise:
    """Each task alone, and then all of them in eight threads, on shared pools, networks and transforms."""
    tasks = _tasks()
    alone = [task() for task in tasks]
    wrong = 0
    errors = []
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(rounds):
            for k, future in enumerate([threads.submit(task) for task in tasks]):
                try:
                    wrong += not np.array_equal(future.result(), alone[k], equal_nan=True)
                except Exception as error:
                    errors.append(f"{type(error).__name__}: {error}")
    said = f"; {len(errors)} errors, such as {errors[0]}" if errors else ""
    return Promise(
        "Threads at once give what one gives: pools, swaps, replayed BackMix, GradCAM, sectors of images",
        f"{rounds * len(tasks):,} tasks in {THREADS} threads",
        f"{wrong} differ{said}",
        not wrong and not errors,
    )


def _tasks() -> list[Callable[[], Any]]:
    import albumentations as A

    torch.manual_seed(0)
    data = sa.phantom.make_dataset(12, size=(48, 48))
    pool = sa.BackgroundPool.from_arrays(data.images, data.sectors)
    replay = A.ReplayCompose([sa.BackMix(pool)])
    drawn = [replay(image=i, mask=s)["replay"] for i, s in zip(data.images, data.sectors, strict=True)]
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
    ).eval()
    shared = sa.GradCAM(model, "0").__enter__()
    still = sa.phantom.make_clip(frames=1, size=(120, 120), seed=1).frames[0]

    def swapped(i: int) -> Any:
        background, _ = pool[(i + 1) % len(pool)]
        return sa.swap_background(data.images[i], data.sectors[i].astype(np.uint8), background)

    def replayed(i: int) -> Any:
        return A.ReplayCompose.replay(drawn[i], image=data.images[i], mask=data.sectors[i])["image"]

    def looked(i: int) -> Any:
        images = torch.from_numpy(data.images[i : i + 1, None]).float() / 255
        return shared(images, i % 5).numpy()

    def looked_apart(i: int) -> Any:
        images = torch.from_numpy(data.images[i : i + 1, None]).float() / 255
        with sa.GradCAM(model, "0") as own:
            return own(images, i % 5).numpy()

    kinds = (swapped, replayed, looked, looked_apart)
    tasks = [partial(kind, i) for i in range(len(pool)) for kind in kinds]
    return [*tasks, *[lambda: sa.sector_from_image(still).sector] * 2]


def forked_after_threads(times: int) -> Promise:
    """Children of a process in which OpenCV and torch have worked with threads: swaps and sectors."""
    cv2.setNumThreads(4)
    torch.set_num_threads(4)
    cv2.GaussianBlur(np.ones((2000, 2000), np.float32), (31, 31), 5)
    torch.rand(2000, 2000) @ torch.rand(2000, 2000)
    clip = sa.phantom.make_clip(frames=8, size=(64, 64))
    still = sa.phantom.make_clip(frames=1, size=(120, 120), seed=1).frames[0]
    sa.sector_from_clip(clip.frames)
    sa.sector_from_image(still)
    image, background = clip.frames[0], np.where(clip.sector, 0, 9).astype(np.uint8)
    tasks: dict[str, Callable[[], Any]] = {
        "swap_background": lambda: sa.swap_background(image, clip.sector, background),
        "sector_from_clip": lambda: sa.sector_from_clip(clip.frames),
        "sector_from_image": lambda: sa.sector_from_image(still),
    }
    hung = {name: sum(not _ends_in_fork(task) for _ in range(times)) for name, task in tasks.items()}
    return Promise(
        f"A fork of a process with threads does its work within {FORK_S} s",
        f"{times} forks each of {', '.join(tasks)}",
        ", ".join(f"{name}: {n} hung or failed" for name, n in hung.items() if n) or "none hung or failed",
        not any(hung.values()),
    )


def _ends_in_fork(task: Callable[[], Any]) -> bool:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            task()
            status = 0
        finally:
            os._exit(status)
    stop = time.monotonic() + FORK_S
    while time.monotonic() < stop:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def threads_of_workers(folder: Path, workers: int, n_clips: int) -> Promise:
    """`masks` on stills, for which networks run, with OMP_NUM_THREADS unset: threads that have worked."""
    stills = folder / "stills"
    stills.mkdir()
    for i in range(n_clips):
        frame = sa.phantom.make_clip(frames=1, size=(240, 240), seed=i).frames[0]
        cv2.imwrite(str(stills / f"{i}.png"), frame)
    words = ("masks", stills, "--out", folder / "masks", "--workers", workers, "--no-progress")
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    run = subprocess.Popen(
        [sys.executable, "-m", "sectoraug.workbench.cli", *map(str, words)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    busy: dict[int, int] = {}
    threads: dict[int, int] = {}
    while run.poll() is None:
        for pid, (n, working) in _threads_of(run.pid).items():
            threads[pid], busy[pid] = max(threads.get(pid, 0), n), max(busy.get(pid, 0), working)
        time.sleep(0.05)
    most = max(busy.values(), default=0)
    return Promise(
        "A worker keeps to one core: one of its threads works",
        f"{len(busy)} workers on {n_clips} stills, {os.cpu_count()} cores",
        f"at most {max(threads.values(), default=0)} threads a worker, {most} of which worked over .2 s",
        0 < most <= 1,
    )


def _threads_of(pid: int) -> dict[int, tuple[int, int]]:
    """By worker, its threads and those that took more than .2 s of processor time."""
    found = {}
    try:
        for child in psutil.Process(pid).children(recursive=True):
            if any("spawn_main" in word for word in child.cmdline()):
                times = [one.user_time + one.system_time for one in child.threads()]
                found[child.pid] = (len(times), sum(each > 0.2 for each in times))
    except psutil.Error:
        pass
    return found
