"""Every check of trust, one after another: docs/trust.md shows what came.

    python benchmarks/trust/run.py            # the small versions, as CI runs them
    python benchmarks/trust/run.py --full     # the sizes that the page quotes; fills the page
    python benchmarks/trust/run.py --page     # fills the page from the results that are there

Ends with 1 if a promise did not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from promises import fill

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "trust.md"
BEGIN, END = "<!-- promises, by benchmarks/trust/run.py -->\n", "<!-- end of promises -->\n"
CHECKS = {
    "fuzz": "Arguments and files of any kind",
    "bombs": "Bombs, links, FIFOs",
    "hidden_pixels": "Pixels hidden in DICOM files",
    "privacy": "Privacy and the review page",
    "faults": "Kills, full disks, damage",
    "load": "Load",
    "draws": "Draws",
    "determinism": "What repeats",
}


def section() -> str:
    """What stands between BEGIN and END in docs/trust.md."""
    parts = []
    for name, heading in CHECKS.items():
        path = HERE / "results" / f"{name}.json"
        if not path.exists():
            continue
        made = json.loads(path.read_text())
        rows = [
            f"| {one['promise']} | {one['tried']} | {one['found']} |{'' if one['held'] else ' **broken**'}"
            for one in made["promises"]
        ]
        parts.append(
            f"### {heading}\n\n`benchmarks/trust/{name}.py{' --full' if made['full'] else ''}`: "
            f"{made['processor_s'] / 60:.1f} minutes of processor time, commit {made['commit']}.\n\n"
            "| promise | tried | found |\n|---|---|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n" + "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--full", action="store_true", help="the sizes that docs/trust.md quotes")
    parser.add_argument("--page", action="store_true", help="fill the page, and run nothing")
    options = parser.parse_args()
    broken = []
    for name in () if options.page else CHECKS:
        print(f"\n=== {name}", flush=True)
        how = ["--full", "--write"] if options.full else []
        if subprocess.run([sys.executable, str(HERE / f"{name}.py"), *how]).returncode:
            broken.append(name)
    if options.full or options.page:
        fill(PAGE, BEGIN, section(), END)
    if broken:
        sys.exit(f"not all promises of {', '.join(broken)} held.")


if __name__ == "__main__":
    main()
