"""What the checks of trust share: a row a promise, kept as JSON, and an exit code that says whether all held.

Each script beside this one has a function `check(full)` that gives its promises, and ends with
`main(__doc__, check)`:

    python benchmarks/trust/NAME.py [--full] [--write]

Without `--full` it is a small version for CI, of at most a minute or so.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True)
class Promise:
    """One promise of docs/trust.md, and what was found when it was tried."""

    promise: str
    """A sentence: "A pool file that was altered in any 4 KiB block is noticed"."""
    tried: str
    """How, and how often: "1,204 blocks, a bit each"."""
    found: str
    """What came: "noticed 1,204 of 1,204"."""
    held: bool


def main(
    about: str | None,
    check: Callable[..., list[Promise]],
    add_options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> None:
    """Run a script's check, print and maybe keep its rows, and end with 1 if one did not hold.

    Options of its own, that `add_options` adds, go to the check by name.
    """
    parser = argparse.ArgumentParser(description=(about or "").split("\n")[0])
    parser.add_argument("--full", action="store_true", help="the size that docs/trust.md quotes")
    parser.add_argument("--write", action="store_true", help="keep the rows in results/NAME.json")
    if add_options is not None:
        add_options(parser)
    options = parser.parse_args()
    own = {name: value for name, value in vars(options).items() if name not in ("full", "write")}
    wall, processor = time.perf_counter(), _processor_seconds()
    promises = check(options.full, **own)
    spent = {"wall_s": time.perf_counter() - wall, "processor_s": _processor_seconds() - processor}
    for one in promises:
        print(f"{'held  ' if one.held else 'BROKEN'}  {one.promise}: {one.tried}: {one.found}")
    print(", ".join(f"{name} {value:.0f}" for name, value in spent.items()))
    if options.write:
        name = Path(sys.argv[0]).stem
        RESULTS.mkdir(exist_ok=True)
        kept = {
            "commit": _commit(),
            "python": platform.python_version(),
            "machine": platform.processor() or platform.machine(),
            "full": options.full,
            **{key: round(value, 1) for key, value in spent.items()},
            "promises": [asdict(one) for one in promises],
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    sys.exit(not all(one.held for one in promises))


def fill(page: Path, begin: str, section: str, end: str) -> None:
    """Write a section into a page, between its marks."""
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + section + end + rest.split(end)[1])


def _processor_seconds() -> float:
    """User and system time of this process and of those that it waited for."""
    import resource

    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _commit() -> str:
    here = Path(__file__).resolve().parent
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=here)
    return asked.stdout.strip() or "unknown"
