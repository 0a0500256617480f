"""Artifacts and donors repeat bit for bit under exactly the changes that repeats.py names.

    python benchmarks/trust/determinism.py [--full] [--write]

SECTORAUG_LOWEST names the Python of an environment with the lowest versions (.ci/matrix makes one); without
it, as without a CUDA device, that change is not tried. Without --full all harmless changes are made at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from promises import Promise, main
from repeats import CHANGES, EXPECTED, EXPECTED_OF_LOADERS, LOADER_CHANGES, rows

HERE = Path(__file__).resolve().parent
Digests = dict[str, str]
HARMLESS = ("hash", "threads", "avx2")
SLOW = ("masks by the command", "their manifest, outlines as numbers")


def environment(change: str) -> dict[str, str]:
    """The variables that make a change; "harmless" is all of HARMLESS at once."""
    if change == "harmless":
        return {name: value for each in HARMLESS for name, value in environment(each).items()}
    return {
        "hash": {"PYTHONHASHSEED": "1"},
        "threads": {"SECTORAUG_THREADS": "2", "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
        "avx2": avx2() if change == "avx2" else {},
        "rank": {"RANK": "1"},
        "seed": {"SECTORAUG_SEED": "1"},
        "workers": {"SECTORAUG_WORKERS": "2"},
    }.get(change, {})


def avx2() -> dict[str, str]:
    """What keeps each library from AVX-512."""
    from numpy._core import _multiarray_umath as numpy_core

    features = [
        name
        for name in numpy_core.__cpu_dispatch__
        if name.startswith(("AVX512", "X86_V4")) and numpy_core.__cpu_features__.get(name)
    ]
    return {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
        "OPENCV_CPU_DISABLE": "AVX512-SKX,AVX512-ICL",
    }


def child(script: str, *words: str, change: str = "again", python: str = sys.executable) -> dict:
    """What a script beside this one prints, run in a process of its own under a change."""
    plain = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    env = {**os.environ, **plain, **environment(change)}
    done = subprocess.run(
        [python, str(HERE / script), *words], env=env, capture_output=True, text=True, cwd=HERE, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def otherwise(change: str, before: Digests, after: Digests) -> list[str]:
    """The artifacts that a change leaves the same though the table says differs, or the other way about."""
    wrong = []
    for name, letters in rows(EXPECTED, list(CHANGES)):
        found = "s" if before.get(name) == after.get(name) else "d"
        if name in after and letters[change] in "sd" and letters[change] != found:
            wrong.append(f"{name}: {'same' if found == 's' else 'differs'}")
    return wrong


def promise(change: str, words: str, before: Digests, after: Digests) -> Promise:
    wrong = otherwise(change, before, after)
    tried = f"{sum(name in EXPECTED for name in after)} artifacts in a process of its own"
    return Promise(f"What repeats under '{words}' is what the table says", tried, _said(wrong), not wrong)


def _said(wrong: list[str]) -> str:
    return "; ".join(wrong) if wrong else "as it says"


def untried(words: str, why: str) -> Promise:
    return Promise(f"What repeats under '{words}' is what the table says", why, "untried", True)


def loaders(found: dict, again: dict) -> Promise:
    """Donors of DataLoaders' workers against the second table: of all kinds, and drawn again."""
    wrong = []
    for plug, letters in rows(EXPECTED_OF_LOADERS, list(LOADER_CHANGES)):
        for change, letter in letters.items():
            one, other, epoch = LOADER_CHANGES[change]
            if other not in found:
                continue
            second = again if change == "again" else found
            same = found[one][plug][epoch] == second[other][plug][epoch]
            if same != (letter == "s"):
                wrong.append(f"{plug}, {change}: {'same' if same else 'differs'}")
    tried = f"{len(EXPECTED_OF_LOADERS)} plugs in DataLoaders: {', '.join(found)}"
    return Promise("Donors in loaders repeat where the table says", tried, _said(wrong), not wrong)


def check_quickly() -> list[Promise]:
    """With loaders' donors in the same two processes, since what these import takes the most time."""
    names = [name for name in EXPECTED if name not in SLOW]
    kinds = ["2 workers", "0 workers", "1 worker", "persistent"]
    before = child("artifacts.py", *names, "--loaders", *kinds)
    steady = [name for name, each in rows(EXPECTED, list(CHANGES)) if all(each[c] == "s" for c in HARMLESS)]
    names = [name for name in names if name in steady]
    after = child("artifacts.py", *names, "--loaders", "2 workers", change="harmless")
    words = ", ".join(CHANGES[c] for c in HARMLESS)
    return [promise("avx2", words, before, after), loaders(before["loaders"], after["loaders"])]


def check(full: bool) -> list[Promise]:
    if not full:
        return check_quickly()
    before = child("artifacts.py")
    promises = []
    for change in ("again", "hash", "threads", "avx2", "rank", "seed"):
        after = child("artifacts.py", change=change)
        if change == "avx2" and after["processor"] == before["processor"]:
            promises.append(untried(CHANGES[change], f"torch runs on {before['processor']} either way"))
            continue
        promises.append(promise(change, CHANGES[change], before, after))
    lowest = os.environ.get("SECTORAUG_LOWEST")
    if lowest is None:
        promises.append(untried(CHANGES["lowest"], "SECTORAUG_LOWEST names no Python"))
    else:
        promises.append(promise("lowest", CHANGES["lowest"], before, child("artifacts.py", python=lowest)))
    two = child("artifacts.py", *SLOW, change="workers")
    same = all(two[name] == before[name] for name in SLOW)
    promises.append(
        Promise(
            "Masks and manifest do not depend on the number of processes",
            "six clips, 1 and 2",
            "same" if same else "differs",
            same,
        )
    )
    kinds = ["2 workers", *(k for _, k, _ in LOADER_CHANGES.values() if k != "2 workers")]
    promises.append(loaders(child("loaders.py", *kinds), child("loaders.py", "2 workers")))
    promises.append(untried(CHANGES["cuda"], "no CUDA device") if not has_cuda() else on_cuda(before))
    return promises


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def on_cuda(before: Digests) -> Promise:
    """On CUDA the swap's bits are a CPU's; all else that runs there repeats there."""
    names = [name for name, letters in rows(EXPECTED, list(CHANGES)) if letters["cuda"] != "-"]
    first, second = (child("artifacts.py", "--device", "cuda", *names) for _ in range(2))
    wrong = [f"{name}: differs when run again" for name in names if first[name] != second[name]]
    wrong += [
        f"{n}: differs from a CPU's"
        for n in ("swap, tensors", "gradient of the swap")
        if first[n] != before[n]
    ]
    return Promise(
        "CUDA repeats, and swaps to the CPU's bits", f"{len(names)} artifacts", _said(wrong), not wrong
    )


if __name__ == "__main__":
    main(__doc__, check)
