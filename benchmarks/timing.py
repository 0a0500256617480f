"""How the benchmarks measure; the contract is in README.md."""

from __future__ import annotations

import ast
import gc
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import time
import tokenize
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
# Variables that keep newer instructions of a processor from its libraries, to see what an older one would do.
INSTRUCTIONS = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENCV_CPU_DISABLE",
    "OPENCV_IPP",
)
LIBRARIES = (
    "sectoraug",
    "numpy",
    "opencv-python-headless",
    "torch",
    "torchvision",
    "triton",
    "kornia",
    "captum",
    "ultraml",
    "scipy",
    "albumentations",
    "albumentationsx",
)


def interleaved(
    contestants: dict[str, Callable[[], Any]],
    rounds: int,
    seconds: float,
    synchronize: Callable[[], Any] = lambda: None,
) -> dict[str, np.ndarray]:
    """Seconds per call of each contestant, one value a round; within a round all run after another.

    `synchronize` waits for what the calls started, such as torch.cuda.synchronize.
    """
    calls = {}
    for name, call in contestants.items():
        call()
        synchronize()
        n = 1
        while (took := _timed(call, n, synchronize)) < seconds:
            n = max(n + 1, int(1.2 * n * seconds / max(took, 1e-9)))
        calls[name] = n
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            times[name].append(_timed(call, calls[name], synchronize) / calls[name])
    return {name: np.array(values) for name, values in times.items()}


def _timed(call: Callable[[], Any], n: int, synchronize: Callable[[], Any]) -> float:
    enabled = gc.isenabled()
    gc.disable()
    try:
        start = time.perf_counter()
        for _ in range(n):
            call()
        synchronize()
        return time.perf_counter() - start
    finally:
        if enabled:
            gc.enable()


def spread(values: np.ndarray, digits: int = 2) -> dict[str, float]:
    """Median, quartiles and the lowest."""
    lowest, low, middle, high = (
        round(float(value), digits) for value in np.percentile(values, (0, 25, 50, 75))
    )
    return {"median": middle, "q1": low, "q3": high, "lowest": lowest}


def machine(device: str = "cpu") -> dict[str, Any]:
    """What a result depends on."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        **({} if device == "cpu" else {"gpu": _gpu()}),
        "cores": os.cpu_count(),
        "instructions": ", ".join(f"{key}={os.environ[key]}" for key in INSTRUCTIONS if key in os.environ)
        or "all",
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


def _gpu() -> str:
    import torch

    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    """Print medians with their quartiles."""
    print(f"\n{title}")
    for row, value in rows.items():
        print(f"  {row:52} {value['median']:10.2f}  [{value['q1']:.2f}, {value['q3']:.2f}]")


def write(name: str, result: dict[str, Any], device: str = "cpu") -> Path:
    """Keep a result as results/NAME.json, with its machine, its commit, and the files that it depends on.

    Those are the script and what it imported of the package; where networks were used, their weights.

    Raises:
        SystemExit: one of these files is not as committed.
    """
    imported = [key for key in sys.modules if key.startswith("sectoraug.")]
    package = [ROOT / key.replace(".", "/") for key in imported]
    modules = [path / "__init__.py" if path.is_dir() else path.with_suffix(".py") for path in package]
    weights = [
        file for path in modules if path.stem == "net_torch" for file in path.parent.glob("*.safetensors")
    ]
    names = sorted(str(path.relative_to(ROOT)) for path in [*modules, *weights, Path(sys.argv[0]).resolve()])
    changed = _git("status", "--porcelain", "--", *names)
    if changed:
        raise SystemExit(
            f"not as committed:\n{changed}\nexpected what a commit holds: commit, then run again."
        )
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    made = {
        "commit": _git("rev-parse", "--short", "HEAD"),
        "files": {n: fingerprint(ROOT / n) for n in names},
    }
    path.write_text(json.dumps({"machine": machine(device), **made, **result}, indent=1) + "\n")
    return path


def fingerprint(path: Path) -> str:
    """A hash of a file; of a Python file without comments, docstrings, spaces and line breaks."""
    content = _code_alone(path.read_text()).encode() if path.suffix == ".py" else path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:12]


def _code_alone(source: str) -> str:
    lines = [list(line) for line in source.splitlines()]
    texts = [
        (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    comments = [
        (*token.start, *token.end)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for first, start, last, end in texts + comments:
        for row in range(first, last + 1):
            line = lines[row - 1]
            here = slice(start if row == first else 0, end if row == last else len(line))
            line[here] = " " * len(line[here])
    return "".join("".join(line) for line in lines).replace(" ", "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()


def stale(path: Path) -> list[str]:
    """The files whose code changed since a result was made."""
    files = json.loads(path.read_text()).get("files", {"no files are named": ""})
    return [
        name for name, was in files.items() if not (ROOT / name).exists() or fingerprint(ROOT / name) != was
    ]


def guard(name: str, results: dict[str, dict[str, Any]], ours: tuple[str, ...]) -> None:
    """Stop where a ratio of ours, in its best round, is more than twice the highest that was published.

    Where this machine stretches the peers' ratios to the same yardstick (a copy that stays in a large cache
    stretches all of them), ours may be as much higher as their median is.

    Args:
        name: of the published results, NAME*.json.
        ours: how the rows begin that count.
    """
    published = _published(name)
    slow = []
    for setting, rows in results.items():
        times_published = {
            row: value["lowest" if row.startswith(ours) else "median"] / published[setting, row]
            for row, value in rows.items()
            if (setting, row) in published
        }
        for row in [row for row in times_published if row.startswith(ours)]:
            yardstick = " / " + row.rpartition(" / ")[2]
            peers = [
                times
                for other, times in times_published.items()
                if other.endswith(yardstick) and not other.startswith(ours)
            ]
            stretched = max(1.0, float(np.median(peers or [1.0])))
            if times_published[row] > 2 * stretched:
                slow.append(
                    f"{setting}: {row} is {rows[row]['lowest']:.2f}, published "
                    f"{published[setting, row]:.2f}, its peers {stretched:.2f} times theirs"
                )
    if slow:
        raise SystemExit("more than twice as slow as published:\n" + "\n".join(slow))


def _published(name: str) -> dict[tuple[str, str], float]:
    """The highest median of each setting's row."""
    highest: dict[tuple[str, str], float] = {}
    for path in RESULTS.glob(f"{name}*.json"):
        for setting, rows in json.loads(path.read_text())["results"].items():
            for row, value in rows.items():
                highest[setting, row] = max(value["median"], highest.get((setting, row), 0))
    return highest
