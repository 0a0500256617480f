"""What an install of sectoraug weighs, and what its import takes beside NumPy's and torch's.

    python benchmarks/bench_install.py [--rounds 9] [--quick] [--write]

Run it in an environment that holds nothing but `pip install sectoraug`: all installed packages are weighed.
Each round starts one Python a contestant; the time of a Python that imports nothing is taken off.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

from timing import guard, interleaved, show, spread, write

CODES = {
    "nothing": "pass",
    "numpy": "import numpy",
    "torch": "import torch",
    "sectoraug": "import sectoraug",
    "sectoraug.BackMix": "from sectoraug import BackMix",
}


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true")
    parser.add_argument(
        "--quick", action="store_true", help="stop where an import is twice as slow as published"
    )
    arguments = parser.parse_args()

    def starting(code: str) -> None:
        subprocess.run([sys.executable, "-c", code], check=True)

    contestants = {name: lambda code=code: starting(code) for name, code in CODES.items()}
    times = interleaved(contestants, arguments.rounds, seconds=0)
    alone = {name: values - times["nothing"] for name, values in times.items()}
    ratios = {
        f"import of {ours} / of {peer}": spread(alone[ours] / alone[peer])
        for ours in ("sectoraug", "sectoraug.BackMix")
        for peer in ("numpy", "torch")
    }
    package = Path(importlib.util.find_spec("sectoraug").origin).parent
    weights = {
        "sectoraug": round(megabytes(package), 1),
        "with all it needs": round(megabytes(package.parent)),
    }
    show("imports", ratios)
    print("MB:", weights)
    if arguments.write:
        importlib.import_module("sectoraug").BackMix  # noqa: B018 - so that the result names what an import loads
        print(write("install", {"megabytes": weights, "results": {"imports": ratios}}))
    if arguments.quick:
        guard("install", {"imports": ratios}, ("import of sectoraug.BackMix",))


if __name__ == "__main__":
    main()
