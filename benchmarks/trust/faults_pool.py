"""A damaged pool is noticed; one that is built anew while it is read is read old or new, never mixed."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from faulty_disks import PAGE_BYTES
from promises import Promise

import sectoraug as sa

FILES = ("backgrounds.bin", "sectors.bin", "checksums.bin")
WHAT = ("a bit of a block", "cut at a block", "a bit of pool.json")


def damaged(place: Path, n_donors: int) -> list[Promise]:
    """Of pools of 64x64: a bit in every 4 KiB of each file, each file cut there; every bit of pool.json."""
    found: dict[str, Counter[str]] = {what: Counter() for what in WHAT}
    for dtype in (np.uint8, np.float32):
        rng = np.random.default_rng(0)
        images = rng.integers(1, 256, (n_donors, 64, 64)).astype(dtype)
        sectors = np.zeros((n_donors, 64, 64), bool)
        sectors[:, 10:50, 20:40] = True
        folder = place / f"pool-{np.dtype(dtype)}"
        sa.BackgroundPool.from_arrays(images, sectors).save(folder, progress=False)
        for what, path, content in _damages(folder, rng):
            whole = path.read_bytes()
            _overwrite(path, content)
            found[what][_noticed(folder, images, sectors)] += 1
            _overwrite(path, whole)
        shutil.rmtree(folder)
    return [
        Promise(
            "A pool file that was altered or cut in any 4 KiB block is noticed, and none is read wrongly",
            f"{count.total()} times {what}",
            ", ".join(f"{n} {how}" for how, n in count.most_common()),
            not {"wrong", "traceback"} & count.keys()
            and (what.endswith("json") or set(count) == {"noticed"}),
        )
        for what, count in found.items()
    ]


def _damages(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, Path, bytes]]:
    for name in FILES:
        whole = (folder / name).read_bytes()
        for start in range(0, len(whole), PAGE_BYTES):
            within = int(rng.integers(min(PAGE_BYTES, len(whole) - start)))
            yield WHAT[0], folder / name, _flipped(whole, 8 * (start + within) + int(rng.integers(8)))
            yield WHAT[1], folder / name, whole[:start]
    manifest = (folder / "pool.json").read_bytes()
    for bit in range(8 * len(manifest)):
        yield WHAT[2], folder / "pool.json", _flipped(manifest, bit)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _overwrite(path: Path, content: bytes) -> None:
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate()


def _noticed(folder: Path, images: np.ndarray, sectors: np.ndarray) -> str:
    try:
        pool = sa.BackgroundPool.open(folder)
        pool.verify(progress=False)
    except (ValueError, OSError) as error:
        return "noticed" if len(str(error).splitlines()) == 1 else "traceback"
    except Exception:
        return "traceback"
    same = len(pool) == len(images) and all(
        np.array_equal(pool.background(i), np.where(sectors[i], 0, images[i]))
        and np.array_equal(pool.sector(i), sectors[i])
        for i in range(len(pool))
    )
    return "read rightly all the same" if same else "wrong"


def built_anew(place: Path, seconds: float, n_readers: int = 3) -> Promise:
    """Readers open a pool and read all of it, over and over, while it is replaced by another."""
    folder = place / "anew"
    _build(folder, 0)
    stop = time.monotonic() + seconds
    readers = [_forked(lambda: _read(folder, stop)) for _ in range(n_readers)]
    version = 0
    while time.monotonic() < stop:
        version += 1
        for ready in _replaced(folder, version):
            time.sleep(random.Random(ready).uniform(0, 0.01))
    counts = Counter[str]()
    for _, pipe in readers:
        with open(pipe) as stream:
            counts.update(json.loads(stream.read() or '{"died": 1}'))
    for child, _ in readers:
        os.waitpid(child, 0)
    shutil.rmtree(folder, ignore_errors=True)
    return Promise(
        "A pool built anew while it is read is read old or new, or refused in a sentence; never mixed",
        f"{n_readers} readers, {version} pools in {seconds:.0f} s",
        ", ".join(f"{n} {how}" for how, n in counts.most_common()),
        not {"mixed", "traceback", "died"} & counts.keys() and counts["whole"] > 0,
    )


def _build(folder: Path, version: int) -> None:
    """Pixels and the number of donors tell the version; every other one has as many donors as that before."""
    n = 20 + version // 2 % 5
    images = np.full((n, 16, 16), 1 + version % 250, np.uint8)
    sectors = np.zeros((n, 16, 16), bool)
    sectors[:, : 1 + version % 15] = True
    sa.BackgroundPool.from_arrays(images, sectors).save(folder, progress=False)


def _replaced(folder: Path, version: int) -> Iterator[int]:
    """As people do it: removed and built again, or built beside it and renamed."""
    if version % 2:
        shutil.rmtree(folder)
        yield version
        _build(folder, version)
    else:
        new, old = folder.with_name("new"), folder.with_name("old")
        _build(new, version)
        folder.rename(old)
        new.rename(folder)
        yield version
        shutil.rmtree(old)
    yield version


def _read(folder: Path, stop: float) -> Counter[str]:
    counts = Counter[str]()
    while time.monotonic() < stop:
        try:
            pool = sa.BackgroundPool.open(folder)
            shown = {(int(pool.background(i).max()), int(pool.sector(i).sum())) for i in range(len(pool))}
        except (ValueError, OSError) as error:
            counts["refused" if len(str(error).splitlines()) == 1 else "traceback"] += 1
            time.sleep(0.002)
        except Exception:
            counts["traceback"] += 1
        else:
            counts["whole" if len(shown) == 1 else "mixed"] += 1
    return counts


def _forked(call: Callable[[], Counter[str]]) -> tuple[int, int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, json.dumps(call()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    return child, reader
