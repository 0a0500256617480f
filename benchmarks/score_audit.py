"""How often the audit is right on the phantom, and how long it takes: the plan is in docs/how-to/audit.md.

    python benchmarks/score_audit.py [--seeds 40] [--images 50000] [--write]

Some 25 minutes of one core for the scores; none of it draws on data that the audit was made with.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import Any

import numpy as np
from timing import write
from tqdm import tqdm

import sectoraug as sa

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 0.95)
FIRST_SEED = 100
CASES = [("background", s) for s in STRENGTHS] + [("outline", s) for s in STRENGTHS[1:]]
"""What gives the label away, and how strongly; strength 0 is the same for both."""


def audited(part: str, strength: float, seed: int) -> sa.AuditReport:
    shortcut, outline = (strength, 0.0) if part == "background" else (0.0, strength)
    data = sa.phantom.make_dataset(320, shortcut, outline, seed, (64, 64))
    return sa.audit(data.images, data.sectors, data.labels, data.patients, progress=False)


def on_phantom(n_seeds: int) -> list[dict[str, Any]]:
    """Mean scores of each case, in percent, and in how many seeds each part was said to tell the label."""
    rows = []
    for part, strength in tqdm(CASES, desc="cases"):
        reports = [
            audited(part, strength, FIRST_SEED + k) for k in tqdm(range(n_seeds), desc="seeds", leave=False)
        ]
        scores = {
            key: [100 * report.scores[key].accuracy for report in reports]
            for key in ("background", "outline", "facts", "sector")
        }
        rows.append(
            {
                "planted": part,
                "strength": strength,
                "n": n_seeds,
                "mean": {key: round(float(np.mean(each)), 1) for key, each in scores.items()},
                "sd": {key: round(float(np.std(each, ddof=1)), 1) for key, each in scores.items()},
                "said": {key: sum(report.tells[key] for report in reports) for key in reports[0].tells},
                "styles_p_below_5_percent": sum(report.styles.p_value < 0.05 for report in reports),
            }
        )
        print(json.dumps(rows[-1]))
    return rows


def of_size(n: int) -> dict[str, float]:
    """Seconds, processor seconds and GiB that an audit of n images of 112x112 takes beside the images."""
    data = sa.phantom.make_dataset(n, 0.5, seed=FIRST_SEED)
    before, start, used = peak_gib(), time.perf_counter(), time.process_time()
    sa.audit(data.images, data.sectors, data.labels, data.patients)
    return {
        "images": n,
        "wall_s": round(time.perf_counter() - start),
        "processor_s": round(time.process_time() - used),
        "gib_more": round(peak_gib() - before, 2),
    }


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    result = {"size": of_size(options.images), "phantom": on_phantom(options.seeds)}
    print(json.dumps(result, indent=1))
    if options.write:
        print(write("audit", result))


if __name__ == "__main__":
    main()
