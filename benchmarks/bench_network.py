"""The sector of one still in a fresh process, its network computed by torch and by onnxruntime.

    python benchmarks/bench_network.py [--rounds 9] [--write]

Each round starts one Python an engine; both import sectoraug and find the sector of one made-up screen:
seconds of the wall and of the processor (user and system). Once warm: milliseconds of the processor a still.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from timing import show, spread, write

import sectoraug as sa

ENGINES = ("torch", "onnx")
CODE = """
import sys, sectoraug as sa
frame = sa.phantom.make_clip(frames=1, size=(480, 640), seed=1).frames[0]
sa.sector_from_image(frame, engine=sys.argv[1])
"""


def fresh(engine: str) -> tuple[float, float]:
    """Seconds of the wall and of the processor."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", CODE, engine], check=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def warm(engine: str, frame: np.ndarray) -> float:
    """Milliseconds of the processor."""
    start = time.process_time()
    sa.sector_from_image(frame, engine=engine)
    return 1000 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    frame = sa.phantom.make_clip(frames=1, size=(480, 640), seed=1).frames[0]
    for engine in ENGINES:  # what is read once is read now
        fresh(engine)
        warm(engine, frame)
    times = np.array([[fresh(engine) for engine in ENGINES] for _ in range(arguments.rounds)])
    stills = np.array([[warm(engine, frame) for engine in ENGINES] for _ in range(3 * arguments.rounds)])
    rows = {}
    for k, engine in enumerate(ENGINES):
        rows[f"fresh process, {engine}: seconds"] = spread(times[:, k, 0])
        rows[f"fresh process, {engine}: processor seconds"] = spread(times[:, k, 1])
        rows[f"a still once warm, {engine}: processor ms"] = spread(stills[:, k], 1)
    show("the sector of a still", rows)
    if arguments.write:
        print(write("network", {"results": {"stills": rows}}))


if __name__ == "__main__":
    main()
