"""How well sectors are found, beside the paper's recipes and others: real clips and stills, and phantoms.

    python benchmarks/score_sectors.py [--phantoms 500] [--write]

Real data: the folder named in SECTORAUG_REAL_DATA, with `sectors.json` (hand-drawn sectors) in it;
without it only phantoms are scored. The shipped network learned from the real ones: its row there is no
score of it (that is in docs/sector-net.md), those of the phantoms are.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from timing import interleaved, spread, write

import sectoraug as sa

SIZES = ((112, 112), (160, 200), (240, 320), (300, 400), (434, 636), (480, 640))
GEOMETRIES = ("fan", "curved", "linear")
CODECS = (  # name, pixel format, options: two qualities of each
    ("mjpeg", "yuvj420p", {"qmin": "5", "qmax": "5"}),
    ("mjpeg", "yuvj420p", {"qmin": "12", "qmax": "12"}),
    ("mpeg4", "yuv420p", {"qmin": "5", "qmax": "5"}),
    ("mpeg4", "yuv420p", {"qmin": "12", "qmax": "12"}),
    ("libx264", "yuv420p", {"crf": "28"}),
    ("libx264", "yuv420p", {"crf": "38"}),
)
GOOD = 0.95

Finder = Callable[[np.ndarray], tuple[np.ndarray, float]]


class Case(NamedTuple):
    """Frames (T, H, W[, 3]), the true sector, pixels to leave out, and burned-in ones (phantoms only)."""

    frames: np.ndarray
    sector: np.ndarray
    ignore: np.ndarray | None
    overlay: np.ndarray | None


class Score(NamedTuple):
    """Of one method on one case; NaN where it was refused."""

    accuracy: float
    iou: float
    leaked: float
    quality: float
    ms_a_frame: float


def ours(method: str) -> Finder:
    """One of the package's methods."""

    def find(frames: np.ndarray) -> tuple[np.ndarray, float]:
        found = sa.sector_from_clip(frames, method)
        return found.sector, found.quality

    return find


def ours_of_stills(method: str) -> Finder:
    """The same, of a clip's first frame."""

    def find(frames: np.ndarray) -> tuple[np.ndarray, float]:
        found = sa.sector_from_image(frames[0], method)
        return found.sector, found.quality

    return find


def finders_of_stills() -> dict[str, Finder]:
    """All methods for stills by name."""
    found: dict[str, Finder] = {name: ours_of_stills(name) for name in ("net", "intensity")}
    return found | {"hull of > 6 grey levels": lambda frames: ever_bright(frames[:1])}


def ever_bright(frames: np.ndarray) -> tuple[np.ndarray, float]:
    """The hull of everything ever brighter than 6 grey levels."""
    bright = frames.max(0) if frames.ndim == 3 else frames.max(axis=(0, 3))
    rows, columns = np.nonzero(bright > 6)
    if not len(rows):
        raise sa.SectorNotFound("nothing is bright.")
    hull = np.zeros(bright.shape, np.uint8)
    corners = cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32))
    return cv2.fillConvexPoly(hull, corners, 1) > 0, np.nan


def finders() -> dict[str, Finder]:
    """All methods by name; ultraml's if it is installed."""
    found: dict[str, Finder] = {name: ours(name) for name in ("threshold", "filled", "hull", "fan")}
    found["hull of > 6 grey levels"] = ever_bright
    try:
        from ultraml.core.extract import EmptyMaskError, compute_ultrasound_video_mask
    except ImportError:
        print("ultraml is not installed: its row is left out")
        return found

    def ultraml(frames: np.ndarray) -> tuple[np.ndarray, float]:
        try:
            return np.asarray(compute_ultrasound_video_mask(frames)[0]) > 0, np.nan
        except EmptyMaskError as error:
            raise sa.SectorNotFound(str(error)) from error

    found["ultraml"] = ultraml
    return found


def real_cases(folder: Path, *, clips: bool) -> Iterator[Case]:
    """The hand-drawn files with more than one frame, or those with one."""
    for entry in json.loads((folder / "sectors.json").read_text()):
        frames = decoded(folder, entry["file"])
        if (len(frames) > 1) != clips:
            continue
        sector = cv2.imread(str(folder / entry["sector"]), cv2.IMREAD_GRAYSCALE) > 0
        ignore = None
        if entry.get("ignore"):
            ignore = cv2.imread(str(folder / entry["ignore"]), cv2.IMREAD_GRAYSCALE) > 0
        yield Case(frames, sector, ignore, None)


def decoded(folder: Path, name: str) -> np.ndarray:
    """All frames of a file of the folder, or of one of pydicom's examples."""
    if name.startswith("pydicom:"):
        from pydicom import examples

        return sa.read_clip(examples.get_path(name.removeprefix("pydicom:")))
    return sa.read_clip(folder / name)


def phantom_cases(n: int, seed: int) -> Iterator[Case]:
    """Clips of every geometry and vendor in turn, sizes and scanner settings drawn."""
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        clip = sa.phantom.make_clip(
            str(rng.choice(sa.phantom.VIEWS)),
            int(rng.integers(8, 33)),
            SIZES[rng.integers(len(SIZES))],
            int(rng.integers(1e9)),
            vendor=sa.phantom.VENDORS[k // len(GEOMETRIES) % len(sa.phantom.VENDORS)],
            geometry=GEOMETRIES[k % len(GEOMETRIES)],
            half_opening_deg=rng.uniform(22, 47),
            depth_share=rng.uniform(0.65, 0.92),
            gain=rng.uniform(0.6, 1.4),
            reject=rng.uniform(0.05, 0.2),
            noise=rng.uniform(0.2, 1),
            haze=rng.uniform(0.1, 0.9),
            shadow=rng.uniform(0.2, 0.9),
            blur=rng.uniform(0.2, 0.9),
        )
        yield Case(clip.frames, clip.sector, None, clip.overlay.any(0))


def coded_cases(n: int, seed: int) -> Iterator[Case]:
    """Clips of 112x112 without overlay that went through a lossy codec, as EchoNet-Dynamic's."""
    for k in range(n):
        clip = sa.phantom.make_clip(
            frames=24, seed=10_000 * (seed + 2) + k, vendor=None, geometry=GEOMETRIES[k // len(CODECS) % 2]
        )
        yield Case(coded(clip.frames, *CODECS[k % len(CODECS)]), clip.sector, None, None)


def coded(frames: np.ndarray, codec: str, pixels: str, options: dict[str, str]) -> np.ndarray:
    """Grey frames (T, H, W), encoded and decoded."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.avi")
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=30, options=options)
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
            container.mux(stream.encode(None))
        return sa.read_clip(path, grey=True)


def score(find: Finder, case: Case) -> Score:
    """One method on one case, timed without decoding."""
    start = time.perf_counter()
    try:
        found, quality = find(case.frames)
    except sa.SectorNotFound:
        return Score(np.nan, np.nan, np.nan, np.nan, np.nan)
    took = time.perf_counter() - start
    kept = np.ones(case.sector.shape, bool) if case.ignore is None else ~case.ignore
    a, b = found[kept], case.sector[kept]
    leaked = np.nan if case.overlay is None else float((found & case.overlay).sum())
    return Score(
        float((a == b).mean()),
        float((a & b).sum() / max((a | b).sum(), 1)),
        leaked,
        quality,
        1e3 * took / len(case.frames),
    )


def summary(scores: list[Score]) -> dict[str, float | int]:
    """One row of the table. AUC: of quality, for an IoU of .95 or more; refusals count as quality 0, bad."""
    table = np.array(scores, np.float64)
    done = ~np.isnan(table[:, 1])
    row: dict[str, float | int] = {"cases": len(table), "refused": int((~done).sum())}
    if not done.any():
        return row
    accuracy, iou, leaked, quality, took = table[done].T
    row |= {
        "pixel_accuracy_percent": round(100 * float(accuracy.mean()), 2),
        "mean_iou": round(float(iou.mean()), 4),
        "min_iou": round(float(iou.min()), 3),
        "iou_over_95_percent": round(100 * float((iou >= GOOD).mean()), 1),
        "ms_a_frame_median": round(float(np.median(took)), 2),
    }
    if not np.isnan(leaked).any():
        row["overlay_pixels_leaked"] = round(float(leaked.mean()), 2)
        row["overlay_pixels_leaked_median"] = round(float(np.median(leaked)), 2)
        row["nothing_leaked_percent"] = round(100 * float((leaked == 0).mean()), 1)
    if not np.isnan(quality).any():
        row["worst_iou_at_quality_over_half"] = round(float(iou[quality > 0.5].min(initial=1)), 3)
        all_quality, good = np.nan_to_num(table[:, 3]), np.nan_to_num(table[:, 1]) >= GOOD
        if 0 < good.sum() < len(good):
            row["auc_of_quality"] = round(auc(all_quality, good), 3)
    return row


def auc(values: np.ndarray, good: np.ndarray) -> float:
    """The probability that a good case has the higher value; ties count half."""
    above = values[good][:, None] - values[~good][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def speed(rounds: int, seconds: float) -> dict[str, Any]:
    """Milliseconds a frame on a clip of 500 frames of 640x480, grey and RGB, one thread."""
    clip = sa.phantom.make_clip(frames=24, size=(480, 640), seed=3).frames
    clip = np.concatenate([clip] * 21)[:500]
    result = {}
    for name, frames in (("grey", clip), ("RGB", np.repeat(clip[..., None], 3, 3))):
        contestants: dict[str, Callable[[], Any]] = {"fan": lambda f=frames: sa.sector_from_clip(f)}
        other = finders().get("ultraml")
        if other is not None:
            contestants["ultraml"] = lambda f=frames, other=other: other(f)
        times = interleaved(contestants, rounds, seconds)
        result[name] = {k: spread(1e3 * v / len(frames), 3) for k, v in times.items()}
        if "ultraml" in times:
            result[name]["ultraml / fan"] = spread(times["ultraml"] / times["fan"])
    return result


def fits(clips: int = 15) -> dict[str, Any]:
    """Processor milliseconds of a fit at 640x480, one thread.

    Of a clip without its pass over the frames, which the recipe "threshold" makes as well; of a still.
    """
    times: dict[str, list[float]] = {"clip, without the pass over its frames": [], "still": []}
    for seed in range(clips + 1):
        frames = sa.phantom.make_clip(frames=8, size=(480, 640), seed=seed).frames
        passed = processor_ms(lambda f=frames: sa.sector_from_clip(f, "threshold"))
        fan = processor_ms(lambda f=frames: sa.sector_from_clip(f)) - passed
        still = processor_ms(lambda f=frames: sa.sector_from_image(f[0]))
        for taken, ms in zip(times.values(), (fan, still), strict=True):
            taken.append(ms)
    return {name: spread(np.array(taken[1:]), 1) for name, taken in times.items()}  # the first warms up


def processor_ms(job: Callable[[], Any]) -> float:
    """Of one call."""
    start = time.process_time()
    job()
    return 1e3 * (time.process_time() - start)


def show(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print a table: one line a method."""
    names = list(dict.fromkeys(key for row in rows.values() for key in row))
    print(f"\n{title}\n" + " | ".join(["method", *names]))
    for method, row in rows.items():
        print(" | ".join([method, *(str(row.get(name, "")) for name in names)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--phantoms", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    sets: dict[str, Iterator[Case]] = {}
    folder = os.environ.get("SECTORAUG_REAL_DATA")
    if folder:
        sets["real clips"] = real_cases(Path(folder), clips=True)
        sets["real stills"] = real_cases(Path(folder), clips=False)
    if options.phantoms:
        sets["phantom clips"] = phantom_cases(options.phantoms, options.seed)
        clips = phantom_cases(options.phantoms, options.seed)
        sets["coded phantom clips of 112x112"] = coded_cases(-(-options.phantoms // 4), options.seed)
        sets["phantom stills"] = (clip._replace(frames=clip.frames[:1]) for clip in clips)
    result: dict[str, Any] = {"good": f"IoU of {GOOD} or more"}
    for title, cases in sets.items():
        methods = finders_of_stills() if title.endswith("stills") else finders()
        scores: dict[str, list[Score]] = {name: [] for name in methods}
        for case in cases:
            for name, find in methods.items():
                scores[name].append(score(find, case))
        result[title] = {name: summary(rows) for name, rows in scores.items()}
        show(title, result[title])
    if options.rounds:
        result["speed, ms a frame, 500 frames of 640x480"] = speed(options.rounds, 0.03)
        result["speed, processor ms a fit of 640x480"] = fits()
        print(json.dumps({name: value for name, value in result.items() if "speed" in name}, indent=1))
    if options.write:
        print(write("sectors", result))


if __name__ == "__main__":
    main()
