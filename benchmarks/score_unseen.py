"""How well sectors are found on stills of a source that nothing was made with or looked at beside: MMOTU.

    python benchmarks/score_unseen.py [--sheet PNG] [--write]

The folder `mmotu` beside the one named in SECTORAUG_REAL_DATA: 1,469 stills, 40 with hand-drawn sectors.
Asked: the mean IoU on the 40 (a refusal counts 0), how many estimates of a quality above .5 have an IoU
below .9, and how many of all 1,469, each of which shows one sector, are refused. Eight of the 40 were drawn
because the finder of November 2026 refused them; so the share of refusals comes from all. --sheet draws the
outlines on 100 stills chosen by a fixed seed, for eyes.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from score_sectors import GOOD, ours_of_stills, real_cases, score
from timing import write
from tqdm import tqdm

import sectoraug as sa

BAD, SURE = 0.9, 0.5
SHEET_SEED, TILE_PX = 0, 320


def found_in(frame: np.ndarray) -> sa.SectorEstimate | str:
    """The estimate, or why there is none."""
    try:
        return sa.sector_from_image(frame)
    except sa.SectorNotFound as refusal:
        return str(refusal)


def on_drawn(folder: Path) -> dict[str, Any]:
    """The stills with a drawn sector."""
    find = ours_of_stills("net")
    rows = [score(find, case) for case in real_cases(folder, clips=False)]
    iou, quality = np.array([row.iou for row in rows]), np.array([row.quality for row in rows])
    sure = quality > SURE
    return {
        "stills": len(iou),
        "refused": int(np.isnan(iou).sum()),
        "mean_iou": round(float(np.nan_to_num(iou).mean()), 4),
        "mean_iou_where_answered": round(float(np.nanmean(iou)), 4),
        "least_iou_where_answered": round(float(np.nanmin(iou)), 3),
        "iou_over_95_percent": round(100 * float((iou >= GOOD).mean()), 1),
        "quality_over_half": int(sure.sum()),
        "of_these_below_iou_90": int((iou[sure] < BAD).sum()),
    }


def on_all(folder: Path, sheet: Path | None) -> dict[str, Any]:
    """Every still, and a contact sheet of 100."""
    files = sorted((folder / "images").glob("*/*.jpg"))
    shown = set(np.random.default_rng(SHEET_SEED).choice(len(files), 100, replace=False).tolist())
    refused: dict[str, int] = {}
    tiles, without_outline, sure, clean = [], 0, 0, 0
    for k, file in enumerate(tqdm(files)):
        frame = sa.read_clip(file)[0]
        found = found_in(frame)
        if isinstance(found, str):
            why = found.split(";")[0].split(" with a quality")[0].split(" in ")[0]
            refused[why] = refused.get(why, 0) + 1
        else:
            without_outline += found.geometry is None
            sure += found.quality > SURE
            clean += found.clean
        if k in shown:
            tiles.append(tile(frame, found))
    if sheet is not None:
        cv2.imwrite(str(sheet), np.vstack([np.hstack(tiles[k : k + 10]) for k in range(0, 100, 10)]))
    return {
        "stills": len(files),
        "refused": sum(refused.values()),
        "reasons": refused,
        "without_an_outline": int(without_outline),
        "quality_over_half": int(sure),
        "without_overlay_inside": int(clean),
    }


def tile(frame: np.ndarray, found: sa.SectorEstimate | str) -> np.ndarray:
    """A still with its outline in green; red all around where it was refused."""
    picture = (
        cv2.cvtColor(frame, cv2.COLOR_RGB2BGR) if frame.ndim == 3 else cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    )
    if isinstance(found, str):
        picture = cv2.rectangle(picture, (2, 2), (picture.shape[1] - 3, picture.shape[0] - 3), (0, 0, 255), 6)
    else:
        outlines, _ = cv2.findContours(found.sector.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        picture = cv2.drawContours(picture, outlines, -1, (0, 255, 0), 2)
    share = TILE_PX / max(picture.shape[:2])
    picture = cv2.resize(picture, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    return cv2.copyMakeBorder(picture, 0, TILE_PX - height, 0, TILE_PX - width, cv2.BORDER_CONSTANT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = Path(os.environ["SECTORAUG_REAL_DATA"]).parent / "mmotu"
    result = {"drawn": on_drawn(folder), "all": on_all(folder, options.sheet)}
    print(json.dumps(result, indent=1))
    if options.write:
        print(write("unseen", result))


if __name__ == "__main__":
    main()
