"""How often the audit is right on the phantom, and how long it takes: the plan is in docs/how-to/audit.md.

    python benchmarks/score_audit.py [--seeds 40] [--images 50000] [--write]

Some 25 minutes of one core for the scores, and ten each for 50,000 images in memory and in files; none of it
draws on data that the audit was made with.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from timing import write
from tqdm import tqdm

import sectoraug as sa

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 0.95)
FIRST_SEED = 100
COMMAND = [sys.executable, "-m", "sectoraug.workbench.cli", "audit"]
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


def of_files(n: int) -> dict[str, float]:
    """The same of `sectoraug audit` on n PNGs and their sectors' PNGs: all of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, "--out", f"{folder}/report", *write_files(Path(folder), n)]
        start = time.perf_counter()
        subprocess.run(command, check=True)
        taken = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "images": n,
        "wall_s": round(taken),
        "processor_s": round(used.ru_utime + used.ru_stime),
        "gib": round(used.ru_maxrss / 2**20, 2),
    }


def write_files(folder: Path, n: int) -> list[str]:
    """Some thousand phantom images a folder, as the archive of a hospital; the command's words for them."""
    data = sa.phantom.make_dataset(n, 0.5, seed=FIRST_SEED)
    with open(folder / "labels.csv", "w") as table:
        table.write("image,label,patient\n")
        for i in tqdm(range(n), desc="write"):
            name = f"{i // 1000}/{i}.png"
            for kind, plane in (("images", data.images[i]), ("sectors", 255 * data.sectors[i].astype("u1"))):
                (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / kind / name), plane)
            table.write(f"{name},{data.labels[i]},{data.patients[i]}\n")
    words = {"images": "images", "sectors": "sectors", "labels": "labels.csv"}
    given = [word for key, name in words.items() for word in (f"--{key}", str(folder / name))]
    return [*given, "--groups", "patient"]


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    sizes = {"in_files": of_files(options.images), "in_memory": of_size(options.images)}
    result = {**sizes, "phantom": on_phantom(options.seeds)}
    print(json.dumps(result, indent=1))
    if options.write:
        print(write("audit", result))


if __name__ == "__main__":
    main()
