"""How long a person takes to sort masks on the review page: a scripted one, in Chromium, at a person's pace.

    python benchmarks/bench_review.py [--clips 1700] [--look 0.4] [--click 0.6] [--folder KEPT]

It looks at every tile (0.4 s), and clicks each whose mask is wrong (0.6 s more): one whose IoU with the true
sector is below 0.9. What the page adds to that is what is measured. Needs playwright and Chromium. With
--folder clips and masks stay there, and what was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Page, Response, sync_playwright
from tqdm import tqdm

import sectoraug as sa

COMMAND = [sys.executable, "-m", "sectoraug.workbench.cli"]
GOOD = 0.9
PER_PAGE = 48


def make_clips(folder: Path, n: int) -> None:
    """Clips of all vendors and views, many of them dim, noisy or shadowed, and their true sectors."""
    rng = np.random.default_rng(0)
    (folder.parent / "true").mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    for i in tqdm(range(n), desc="clips"):
        clip = sa.phantom.make_clip(
            view=str(rng.choice(sa.phantom.VIEWS)),
            vendor=str(rng.choice(sa.phantom.VENDORS)),
            frames=8,
            size=(160, 200),
            seed=i,
            gain=rng.uniform(0.25, 1.5),
            noise=rng.uniform(0.1, 1),
            shadow=rng.uniform(0, 1),
        )
        np.savez(folder / f"clip{i:05}.npz", frames=clip.frames)
        cv2.imwrite(str(folder.parent / "true" / f"clip{i:05}.png"), clip.sector * np.uint8(255))


def is_wrong(found_path: Path, true_path: Path) -> bool:
    """Whether a person would sort the mask out."""
    found, true = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0 for path in (found_path, true_path))
    return bool((found & true).sum() < GOOD * (found | true).sum())


class Person:
    """Looks at a sheet and clicks what is wrong."""

    def __init__(self, tab: Page, wrong: set[str], look: float, click: float) -> None:
        self.tab, self.wrong, self.look, self.click = tab, wrong, look, click
        self.names: dict[int, list[str]] = {}
        self.clicks = 0
        tab.on("response", self._hear)

    def _hear(self, answer: Response) -> None:
        if found := re.search(r"/tiles/(\d+)$", answer.url):
            self.names[int(found[1])] = [tile["name"] for tile in answer.json()]

    def sort_page(self, number: int) -> None:
        self.tab.locator("#sheet[aria-busy=false]").wait_for()
        for place, name in enumerate(self.names[number]):
            self.tab.wait_for_timeout(1000 * self.look)
            if name in self.wrong:
                self.tab.locator(".tile").nth(place).click()
                self.tab.wait_for_timeout(1000 * self.click)
                self.clicks += 1
        self.tab.keyboard.press("PageDown")


def sort_all(masks: Path, wrong: set[str], n: int, look: float, click: float) -> dict[str, Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    server = subprocess.Popen(
        [*COMMAND, "review", str(masks), "--default", "in"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", server.stdout.readline())
    assert found, "the review gave no address"
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1600, "height": 1000})
            person = Person(tab, wrong, look, click)
            start = time.perf_counter()
            tab.goto(found[0])
            for number in tqdm(range(-(-n // PER_PAGE)), desc="pages"):
                person.sort_page(number)
            taken = time.perf_counter() - start
            browser.close()
    finally:
        server.terminate()
        server.wait()
    own = n * look + person.clicks * click
    return {"masks": n, "clicks": person.clicks, "minutes": taken / 60, "person's own minutes": own / 60}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=int, default=1700)
    parser.add_argument("--look", type=float, default=0.4, help="seconds a tile")
    parser.add_argument("--click", type=float, default=0.6, help="seconds a click")
    parser.add_argument("--folder", type=Path, help="keep clips and masks here; it must exist")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        clips, masks, true = folder / "clips", folder / "masks", folder / "true"
        if not masks.exists():
            make_clips(clips, options.clips)
        # It ends with 1 where a clip was refused, which is no mask to sort.
        if subprocess.run([*COMMAND, "masks", str(clips), "--out", str(masks)]).returncode > 1:
            raise SystemExit("no masks were made; the lines above say why.")
        entries = [json.loads(line) for line in (masks / "manifest.jsonl").read_text().splitlines()]
        files = {entry["source"]: masks / entry["file"] for entry in entries if entry.get("file")}
        wrong = {name for name, file in files.items() if is_wrong(file, true / f"{Path(name).stem}.png")}
        (masks / "review.jsonl").unlink(missing_ok=True)
        print(json.dumps(sort_all(masks, wrong, len(files), options.look, options.click), indent=1))


if __name__ == "__main__":
    main()
