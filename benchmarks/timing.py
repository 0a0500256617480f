"""How the benchmarks measure; the contract is in README.md."""

from __future__ import annotations

import gc
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
LIBRARIES = (
    "sectoraug",
    "numpy",
    "opencv-python-headless",
    "torch",
    "torchvision",
    "captum",
    "ultraml",
    "scipy",
    "albumentations",
    "albumentationsx",
)


def interleaved(
    contestants: dict[str, Callable[[], Any]], rounds: int, seconds: float
) -> dict[str, np.ndarray]:
    """Seconds per call of each contestant, one value a round; within a round all run after another."""
    calls = {}
    for name, call in contestants.items():
        call()
        n = 1
        while (took := _timed(call, n)) < seconds:
            n = max(n + 1, int(1.2 * n * seconds / max(took, 1e-9)))
        calls[name] = n
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            times[name].append(_timed(call, calls[name]) / calls[name])
    return {name: np.array(values) for name, values in times.items()}


def _timed(call: Callable[[], Any], n: int) -> float:
    enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(n):
            call()
        return time.perf_counter() - start
    finally:
        if enabled:
            gc.enable()


def spread(values: np.ndarray, digits: int = 2) -> dict[str, float]:
    """Median and quartiles."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return {"median": round(middle, digits), "q1": round(low, digits), "q3": round(high, digits)}


def machine() -> dict[str, Any]:
    """What a result depends on."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def write(name: str, result: dict[str, Any]) -> Path:
    """Keep a result with its machine as results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": machine(), **result}, indent=1) + "\n")
    return path
