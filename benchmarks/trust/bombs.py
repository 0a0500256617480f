"""Small files that unpack to gigabytes, links, loops, FIFOs and devices: each ends soon, in a sentence.

    python benchmarks/trust/bombs.py [--full] [--write] [--only BOMB]

Every bomb is read frame by frame, whole, into a pool if it is a still, and by `sectoraug masks` over a folder
with a good clip beside it; without `--full` in the first way, and one of each format in the last.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # forks of a process with threads could hang

import numpy as np
from fuzzing import bomb_files as make
from fuzzing.bomb_masks import DRAWN, KEPT
from fuzzing.bomb_places import PLACES
from fuzzing.confined import MOST_BYTES, SECONDS, Case, End, run_confined
from fuzzing.in_process import masks
from promises import Promise, main

SIDE = 60_000
_PATIENCE_SECONDS = 2.0

Make = Callable[[Path], object]
CLIPS: dict[str, tuple[str, Make]] = {
    "PNG of 60,000 x 60,000": ("a.png", partial(make.png, side=SIDE)),
    "PNG of 32,000 x 32,000": ("a.png", partial(make.png, side=32_000)),
    "animated PNG of 60,000 x 60,000": ("a.png", partial(make.png, side=SIDE, n_frames=9)),
    "animated PNG of 16,000 x 16,000": ("a.png", partial(make.png, side=16_000, n_frames=9)),
    "animated PNG of 2 thousand million frames": (
        "a.png",
        partial(make.png, side=64, rows=64, n_frames=2_000_000_000),
    ),
    "BMP of 60,000 x 60,000": ("a.bmp", partial(make.bmp, side=SIDE)),
    "BMP of 30,000 x 30,000": ("a.bmp", partial(make.bmp, side=30_000)),
    "JPEG of 60,000 x 60,000": ("a.jpg", partial(make.jpeg, side=SIDE)),
    "JPEG of 30,000 x 30,000": ("a.jpg", partial(make.jpeg, side=30_000)),
    "TIFF of 2,000,000 x 2,000,000": ("a.tif", partial(make.tiff, side=2_000_000)),
    "TIFF of 32,000 x 32,000": ("a.tif", partial(make.tiff, side=32_000)),
    "BigTIFF of 32,000 x 32,000": ("a.tif", partial(make.tiff, side=32_000, big=True)),
    "TIFF of 32,000 x 32,000, twice": ("a.tif", partial(make.tiff, side=32_000, pages=2)),
    "TIFF of 4,000 pages": ("a.tif", partial(make.tiff, side=4, pages=4_000)),  # .6 ms each in OpenCV
    "WEBP of 16,383 x 16,383": ("a.webp", partial(make.webp, side=16_383)),
    "animated WEBP of 16 million x 16 million": ("a.webp", partial(make.webp, side=1 << 24, moves=True)),
    "GIF of 65,535 x 65,535": ("a.gif", partial(make.gif, side=65_535)),
    "GIF of 16,000 x 16,000": ("a.gif", partial(make.gif, side=16_000)),
    "GIF of 20,000 frames": ("a.gif", partial(make.gif, side=64, n_frames=20_000)),
    "video of 16,000 x 16,000": ("a.avi", make.video_of_another_size),
    "video of endless frames": ("a.mkv", make.long_video),
    "NPY of 100 GB": ("a.npy", lambda path: path.write_bytes(make.npy_header((100, 31_623, 31_623)))),
    "NPY of 10^18 frames": ("a.npy", lambda path: path.write_bytes(make.npy_header((10**18, 64, 64)))),
    "NPY of one frame in a sparse file": ("a.npy", partial(make.sparse_npy, shape=(1, SIDE, SIDE))),
    "NPZ of one frame of 48,000 x 48,000": (
        "a.npz",
        partial(make.npz, shape=(1, 48_000, 48_000), n_bytes=2300 * make.MIB),
    ),
    "NPZ of a million frames": ("a.npz", partial(make.npz, shape=(10**6, 64, 64), n_bytes=1024 * make.MIB)),
    "NPZ of 100 GB": ("a.npz", partial(make.npz, shape=(10**8, 32, 32), n_bytes=make.MIB)),
    "NPZ of pixels of 1 GB each": (
        "a.npz",
        partial(make.npz, shape=(9, 8, 8), n_bytes=1100 * make.MIB, descr="|V1000000000"),
    ),
    "NPZ whose array lies outside": (
        "a.npz",
        partial(make.npz, shape=(4, 8, 8), n_bytes=make.MIB, name="../../../tmp/frames.npy"),
    ),
    "NIfTI of a frame of 32,767 x 32,767 x 8 bytes": ("a.nii.gz", make.wide_nifti),
    "NIfTI of 32,767 frames": (
        "a.nii.gz",
        partial(make.nifti, shape=(256, 256, 32_767), n_bytes=2047 * make.MIB),
    ),
    "NIfTI whose pixels begin after 4 GB": (
        "a.nii.gz",
        partial(make.nifti, shape=(64, 64, 4), n_bytes=4096 * make.MIB, data_at=4 << 30),
    ),
    "NIfTI of an extension of 2 GB": (
        "a.nii.gz",
        partial(
            make.nifti,
            shape=(64, 64, 4),
            n_bytes=3000 * make.MIB,
            data_at=2_100_000_000,
            extension=2_000_000_000,
        ),
    ),
    "DICOM of 100 GB": ("a.dcm", partial(make.dicom, Rows=5_000, Columns=5_000, NumberOfFrames=4_000)),
    "DICOM of 65,535 x 65,535": ("a.dcm", partial(make.dicom, Rows=65_535, Columns=65_535)),
    "DICOM of 10^12 frames": ("a.dcm", partial(make.dicom, NumberOfFrames=999_999_999_999)),
    "DICOM of 200,000 frames of one pixel": ("a.dcm", make.dicom_of_pixels),
    "DICOM in RLE of 65,535 x 65,535": ("a.dcm", make.dicom_rle),
    "DICOM deflated from 3 GB": ("a.dcm", partial(make.dicom_deflated, n_bytes=3000 * make.MIB)),
}


def _iterated(path: Path, patience_s: float) -> str:
    import sectoraug as sa

    until = time.monotonic() + patience_s
    for _ in sa.iter_clip(path):
        if time.monotonic() > until:  # a clip without end: what is promised is that memory does not grow
            return "done"
    return "done"


def _read(path: Path) -> str:
    import sectoraug as sa

    sa.read_clip(path, limit_bytes=1 << 30)
    return "done"


def _pooled(path: Path) -> str:
    import sectoraug as sa

    sa.BackgroundPool.from_files([path], [path], size=(64, 64), progress=False)
    return "done"


def _masked(path: Path) -> str:
    """`masks` over the bomb and a good clip: that one is done all the same."""
    np.save(path.with_name("good.npy"), _good_frames())
    return masks([path.parent], path.parent / "out", good="good.npy", words=("--timeout", _PATIENCE_SECONDS))


def _good_frames() -> np.ndarray:
    import sectoraug as sa

    return sa.phantom.make_clip(frames=4, size=(64, 64), seed=0).frames


def _case(made: Path, use: Callable[[Path], str], folder: Path) -> str:
    path = folder / made.name
    os.link(made, path)
    return use(path)


def cases(folder: Path, only: str, full: bool) -> Iterator[tuple[str, Case]]:
    """Every bomb by what it is and how it is used, if that begins with `only`; made in `folder`."""
    masked = set[str]()
    iterated = partial(_iterated, patience_s=_PATIENCE_SECONDS if full else 0.3)
    for k, (what, (name, make_it)) in enumerate(CLIPS.items()):
        if not what.startswith(only):
            continue
        made = folder / str(k) / name
        made.parent.mkdir()
        make_it(made)
        yield f"{what}, frame by frame", partial(_case, made, iterated)
        if full:
            yield f"{what}, whole", partial(_case, made, _read)
        if full or name not in masked:
            masked.add(name)
            yield f"{what}, masks", partial(_case, made, _masked)
        if full and name.endswith((".png", ".jpg", ".tif", ".webp", ".bmp", ".npy")):
            yield f"{what}, into a pool", partial(_case, made, _pooled)
        made.unlink()
    yield from ((name, case) for name, case in (DRAWN | KEPT | PLACES).items() if name.startswith(only))


def check(full: bool, only: str = "") -> list[Promise]:
    """Run them all, one child each, so that each one's memory is its own."""
    for name in ("av", "nibabel", "pydicom"):  # what readers load is loaded once, before the children
        import_module(name)
    ends: dict[str, tuple[End, float]] = {}
    with tempfile.TemporaryDirectory(prefix="bombs-") as folder:
        np.save(Path(folder, "good.npy"), _good_frames())
        masks([Path(folder, "good.npy")], Path(folder, "good"))  # and so is what the command loads
        for name, case in cases(Path(folder), only, full):
            (end,), counts = run_confined([case], keep_all=True)
            ends[name] = end, counts["peak_bytes"]
            if not end.is_well or os.environ.get("EACH_BOMB"):
                spent = f"{end.seconds:6.1f} s {counts['peak_bytes'] / 2**30:5.2f} GiB"
                print(f"{end.how:<8}{spent}  {name}: {end.said} {end.where}", flush=True)
    well = [end for end, _ in ends.values() if end.is_well]
    slowest = max(end.seconds for end, _ in ends.values())
    peak = max(peak for _, peak in ends.values())
    return [
        Promise(
            f"No small file, link, FIFO or device takes over {SECONDS:.0f} s or {MOST_BYTES >> 30} GiB, and "
            "what is wrong with it is said in a sentence",
            f"{len(ends)} cases, such as {next(iter(ends))}",
            f"{len(well)} ended well, in at most {slowest:.1f} s and {peak / 2**30:.2f} GiB",
            len(well) == len(ends),
        )
    ]


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", metavar="BOMB", default="", help="bombs whose name begins so")


if __name__ == "__main__":
    main(__doc__, check, _options)
