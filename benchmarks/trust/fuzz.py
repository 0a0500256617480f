"""Arguments and files that are wrong in all kinds of ways: no crash, no hang, no silent wrong output.

    python benchmarks/trust/fuzz.py [--full] [--write] [--cases N] [--seed S] [--only TARGET] [--case K]

Each case is a public function, a plug, a reader or a command, called with valid arguments of which some are
then broken, or with a valid file in which some bytes are changed. It may do what it promises, or raise a
sentence; anything else is a finding. A case is found again by its seed, its target and its number.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from zlib import crc32

import numpy as np
from fuzzing.confined import MOST_BYTES, SECONDS, Case, End, run_confined
from promises import Promise, main

_FULL, _SMALL = 205_000, 900
_SHOWN = 12  # findings of one target
Target = Callable[[np.random.Generator, Path], str]


_WITH_ARRAYS = {
    "swaps.swap": 45_000,
    "swaps.fills": 20_000,
    "swaps.albumentations": 25_000,
    "swaps.batch": 15_000,
    "swaps.kornia_pool": 5_000,
    "swaps.torchvision": 8_000,
    "swaps.monai": 5_000,
    "functions.reshape": 300,
    "functions.losses": 12_000,
    "functions.evidence": 10_000,
    "functions.gradcam": 1_500,
    "functions.statistics": 4_000,
    "functions.geometry": 25_000,
    "functions.phantoms": 600,
    "functions.shortcuts": 1_500,
    "functions.audit": 25,
    "functions.sectors_found": 300,
}
_WITH_FILES = {
    "functions.pools": 7_000,
    "readers.into_pool": 3_000,
    "commands.make_masks": 400,
    "commands.use_masks": 400,
    "commands.decide": 600,
    "commands.audited": 60,
}
_OF_A_READER = 650


def targets(only: str) -> dict[str, tuple[int, Target]]:
    """What is tried, with its share of the cases, the cheap ones most; those whose name begins so."""
    found: dict[str, tuple[int, Target]] = {}
    for name, share in (_WITH_ARRAYS | _WITH_FILES).items():
        if name.startswith(only):
            room, function = name.split(".")
            target = getattr(import_module(f"fuzzing.{room}"), function)
            found[name] = share, target if name in _WITH_FILES else partial(_without_folder, target)
    if "read ".startswith(only[:5]):
        readers = import_module("fuzzing.readers").targets()
        found |= {name: (_OF_A_READER, each) for name, each in readers.items() if name.startswith(only)}
    if any(name.startswith("commands") for name in found):
        import_module("fuzzing.commands").archive()  # made once, before any child
    return found


def _without_folder(
    target: Callable[[np.random.Generator], str], rng: np.random.Generator, folder: Path
) -> str:
    return target(rng)


def _case(target: Target, key: tuple[int, int, int], folder: Path) -> str:
    return target(np.random.default_rng(key), folder)


def check(
    full: bool, cases: int | None = None, seed: int = 0, only: str = "", case: int | None = None
) -> list[Promise]:
    """Run each target's share of the cases in children of this process."""
    found = targets(only)
    total = sum(share for share, _ in found.values())
    wanted = cases or (_FULL if full else _SMALL)
    ran, peak, bad = Counter[str](), 0.0, Counter[str]()
    for name, (share, target) in found.items():
        numbers = range(max(2, -(-share * wanted // total))) if case is None else [case]
        made: list[Case] = [partial(_case, target, (seed, crc32(name.encode()), n)) for n in numbers]
        ends, counts = run_confined(made)
        ran[name], peak = len(made), max(peak, counts["peak_bytes"])
        bad[name] = len(ends)
        refused, seconds = int(counts["refused"]), counts["seconds"]
        print(
            f"{name:<24}{len(made):7} cases {refused:7} refused {len(ends):5} findings {seconds:7.1f} s",
            flush=True,
        )
        _show(name, ends, numbers)
    n, n_bad = ran.total(), bad.total()
    return [
        Promise(
            f"Whatever comes, nothing crashes, takes over {SECONDS:.0f} s or {MOST_BYTES >> 30} GiB, is "
            "silently wrong, or is refused without a sentence",
            f"{n:,} cases over {len(ran)} targets, seed {seed}",
            f"{n_bad:,} findings; at most {peak / 2**30:.2f} GiB",
            n_bad == 0,
        )
    ]


def _show(name: str, ends: list[End], numbers: range | list[int]) -> None:
    """Each kind of finding once, with its first case and how often it came."""
    kinds: dict[tuple[str, str, str], list[End]] = {}
    for end in ends:
        kinds.setdefault(
            (end.how, end.where, end.said.split(":")[0] if end.where else end.said[:40]), []
        ).append(end)
    for same in sorted(kinds.values(), key=len, reverse=True)[:_SHOWN]:
        first = same[0]
        again = f"--only '{name}' --case {numbers[first.case]}"
        print(f"    {len(same):5} x {first.how} {first.where} [{again}] {first.said}", flush=True)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TARGET", default="", help="targets whose name begins so")
    parser.add_argument("--case", type=int, metavar="K", help="this case of it alone")


if __name__ == "__main__":
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # children are forked, and threads are not
    main(__doc__, check, _options)
