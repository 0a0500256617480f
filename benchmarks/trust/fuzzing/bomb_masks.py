"""Masks, manifests and journals of absurd depth or size."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from fuzzing import bomb_files as make
from fuzzing.confined import Case
from fuzzing.in_process import command, masks

SLICER = {
    "mask_type": "fan",
    "angle1": 45.0,
    "angle2": 135.0,
    "center_rows_px": 2,
    "center_cols_px": 32,
    "radius1": 4,
    "radius2": 50,
    "image_size_rows": 64,
    "image_size_cols": 64,
}


def _json(path: Path, **changed: object) -> None:
    path.write_text(json.dumps(SLICER | changed).replace('"1e999"', "1e999"))


def _coco(path: Path, segmentation: object, height: object = 64, width: object = 64) -> None:
    image = {"id": 1, "file_name": "good.npy", "height": height, "width": width}
    about = {"images": [image], "annotations": [{"id": 1, "image_id": 1, "segmentation": segmentation}]}
    path.write_text(json.dumps(about))


def _with_drawn(name: str, make_it: Callable[[Path], object], is_coco: bool, folder: Path) -> str:
    (folder / "in").mkdir()
    (folder / "drawn").mkdir()
    np.save(folder / "in" / "good.npy", np.full((3, 64, 64), 9, np.uint8))
    make_it(folder / "drawn" / name)
    drawn = folder / "drawn" / name if is_coco else folder / "drawn"
    return masks([folder / "in"], folder / "out", words=("--drawn", drawn))


def _drawn(name: str, make_it: Callable[[Path], object], is_coco: bool = False) -> Case:
    return partial(_with_drawn, name, make_it, is_coco)


_WIDE = {"size": [60_000, 60_000], "counts": [1_800_000_000, 1_800_000_000]}
DRAWN: dict[str, Case] = {
    "SlicerUltrasound JSON of depth 200,000": _drawn("good.json", make.deep_json),
    "SlicerUltrasound JSON of 60,000 x 60,000": _drawn(
        "good.json", partial(_json, image_size_rows=60_000, image_size_cols=60_000)
    ),
    "SlicerUltrasound JSON of 10^12 rows": _drawn("good.json", partial(_json, image_size_rows=10**12)),
    "SlicerUltrasound JSON of endless rows": _drawn("good.json", partial(_json, image_size_rows="1e999")),
    "SlicerUltrasound JSON of a radius of 10^300": _drawn("good.json", partial(_json, radius2=1e300)),
    "SlicerUltrasound JSON of 5,000 digits": _drawn(
        "good.json", lambda path: path.write_text('{"image_size_rows": ' + "9" * 5000 + "}")
    ),
    "COCO of depth 200,000": _drawn("all.json", make.deep_json, True),
    "COCO of a million annotations of nothing": _drawn(
        "all.json", partial(make.wide_json, of=lambda i: {"id": i, "image_id": i}, n=1_000_000), True
    ),
    "COCO polygon in 60,000 x 60,000": _drawn(
        "all.json",
        partial(_coco, segmentation=[[0, 0, 9, 0, 9, 9]], height=60_000, width=60_000),
        True,
    ),
    "COCO polygon in 10^12 x 10^12": _drawn(
        "all.json",
        partial(_coco, segmentation=[[0, 0, 9, 0, 9, 9]], height=10**12, width=10**12),
        True,
    ),
    "COCO run lengths of 60,000 x 60,000": _drawn(
        "all.json", partial(_coco, segmentation=_WIDE, height=60_000, width=60_000), True
    ),
    "COCO run lengths of 2^62 pixels": _drawn(
        "all.json",
        partial(_coco, segmentation={"size": [64, 64], "counts": [2**62, 2**62, 4096]}),
        True,
    ),
    "COCO polygon of a million corners": _drawn(
        "all.json", partial(_coco, segmentation=[[i % 64 for i in range(2_000_000)]]), True
    ),
    "COCO polygon of no number": _drawn(
        "all.json", partial(_coco, segmentation=[[float("nan"), 0, 9, 0, 9, 9]]), True
    ),
    "drawn PNG of 60,000 x 60,000": _drawn("good.png", partial(make.png, side=60_000)),
    "drawn PNG of 32,000 x 32,000": _drawn("good.png", partial(make.png, side=32_000)),
    "drawn NIfTI of 32,767 frames": _drawn(
        "good.nii.gz", partial(make.nifti, shape=(256, 256, 32_767), n_bytes=2047 * make.MIB)
    ),
    "drawn NIfTI of 32,767 x 32,767": _drawn("good.nii.gz", make.wide_nifti),
    "drawn DICOM of 65,535 x 65,535": _drawn("good.dcm", partial(make.dicom, Rows=65_535, Columns=65_535)),
    "drawn DICOM deflated from 3 GB": _drawn(
        "good.dcm", partial(make.dicom_deflated, n_bytes=3000 * make.MIB)
    ),
}


def _kept(name: str, words: tuple[str, ...], folder: Path) -> str:
    """A folder of masks in which a file is a line of absurd depth."""
    from fuzzing.in_process import _one_sentence

    np.save(folder / "clip.npy", np.full((3, 64, 64), 9, np.uint8))
    masks_of = folder / "masks"
    masks_of.mkdir()
    (masks_of / "manifest.jsonl").touch()
    make.deep_json(masks_of / name)
    (masks_of / name).write_text((masks_of / name).read_text() + "\n")
    words = tuple(str(folder / word[1:]) if word.startswith("@") else word for word in words)
    return _one_sentence(*command(*words))


def _pool(folder: Path) -> str:
    import sectoraug as sa

    (folder / "pool").mkdir()
    make.deep_json(folder / "pool" / "pool.json")
    (folder / "pool" / "checksums.bin").write_bytes(bytes(4))
    sa.BackgroundPool.open(folder / "pool")
    return "done"


def _pool_of(about: dict[str, object], folder: Path) -> str:
    import zlib

    import sectoraug as sa

    (folder / "pool").mkdir()
    (folder / "pool" / "checksums.bin").write_bytes(bytes(4))
    whole = {"format": 1, "n": 1, "shape": [8, 8], "dtype": "|u1", "checksums": zlib.crc32(bytes(4))}
    (folder / "pool" / "pool.json").write_text(json.dumps(whole | about))
    sa.BackgroundPool.open(folder / "pool")
    return "done"


KEPT: dict[str, Case] = {
    "manifest of depth 200,000, read by apply": partial(
        _kept, "manifest.jsonl", ("apply", "@masks", "@clip.npy", "--out", "@copies", "--no-progress")
    ),
    "manifest of depth 200,000, read by masks": partial(
        _kept, "manifest.jsonl", ("masks", "@clip.npy", "--out", "@masks", "--no-progress")
    ),
    "journal of depth 200,000, read by review": partial(
        _kept, "review.jsonl", ("review", "@masks", "--list", "in")
    ),
    "pool.json of depth 200,000": _pool,
    "pool.json of 10^18 donors": partial(_pool_of, {"n": 10**18}),
    "pool.json of donors of 10^18 rows": partial(_pool_of, {"shape": [10**18, 8]}),
    "pool.json of an unknown dtype": partial(_pool_of, {"dtype": "|O"}),
}
