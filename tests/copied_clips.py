"""Clips on the worst background, their masks, and copies of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
pytest.importorskip("filelock")
from dicom_clips import NAME, make_dicom  # noqa: E402
from video_clips import make_video  # noqa: E402

from sectoraug.workbench.jobs.masked_copies import MaskClip  # noqa: E402
from sectoraug.workbench.run.engines import attempt  # noqa: E402
from sectoraug.workbench.run.manifest import Entry  # noqa: E402
from sectoraug.workbench.run.out_folder import only_writer  # noqa: E402
from sectoraug.workbench.run.sources import find_sources, sha256_of  # noqa: E402

CLIP = sa.phantom.make_clip(frames=3, size=(40, 52), seed=3)
SECTOR = CLIP.sector
WHITE = np.where(SECTOR, CLIP.frames, 255).astype(np.uint8)  # the worst background
COLOUR = np.stack([WHITE, WHITE // 2 + 100, 255 - WHITE // 3], -1)


def make_nifti(path: Path) -> Path:
    image = nibabel.Nifti1Image(WHITE.transpose(2, 1, 0)[:, :, None], np.diag([0.3, 0.4, 1, 1]))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    nibabel.save(image, path)
    return path


def make_colour_nifti(path: Path) -> Path:
    clip = np.ascontiguousarray(COLOUR).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.save(nibabel.Nifti1Image(clip.transpose(2, 1, 0), np.eye(4)), path)
    return path


def make_stills(folder: Path) -> Path:
    folder.mkdir()
    for t, frame in enumerate(COLOUR):
        cv2.imwrite(str(folder / f"{t}.png"), frame[:, :, ::-1])
    return folder


def saved(path: Path, save: Any, *arrays: Any) -> Path:
    save(path, *arrays)
    return path


KINDS: dict[str, Any] = {
    "grey DICOM": lambda f, **k: make_dicom(f / "a.dcm", WHITE, **k),
    "RGB DICOM": lambda f, **k: make_dicom(f / "a.dcm", COLOUR, "RGB", **k),
    "JPEG DICOM": lambda f, **k: make_dicom(f / "a.dcm", COLOUR, "YBR_FULL_422", **k),
    "palette DICOM": lambda f, **k: make_dicom(f / "a.dcm", 255 - WHITE, "PALETTE COLOR", **k),
    "DICOM still of odd size": lambda f: make_dicom(
        f / "a.dcm", WHITE[:1, :39, :51], SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", NumberOfFrames=None
    ),
    "mp4": lambda f: make_video(f / "a.mp4", COLOUR, "mpeg4", "yuv420p", title=NAME),
    "grey avi": lambda f: make_video(f / "a.avi", WHITE, "ffv1", "gray", title=NAME),
    "NIfTI": lambda f: make_nifti(f / "a.nii.gz"),
    "colour NIfTI": lambda f: make_colour_nifti(f / "a.nii"),
    "NPY": lambda f: saved(f / "a.npy", np.save, COLOUR),
    "NPZ": lambda f: saved(f / "a.npz", np.savez, WHITE),
    "JPEG still": lambda f: saved(f / "a.jpg", lambda p, x: cv2.imwrite(str(p), x), COLOUR[0]),
    "folder of stills": lambda f: make_stills(f / "a"),
}


def keep_mask(masks: Path, clip: Path, sector: np.ndarray, **other: Any) -> Path:
    """What a `masks` run would have written for one clip."""
    digest = sha256_of(clip)
    masks.mkdir(exist_ok=True)
    cv2.imwrite(str(masks / f"{digest}.png"), sector * np.uint8(255))
    frames = sum(1 for _ in sa.iter_clip(clip))
    size = (int(sector.shape[0]), int(sector.shape[1]))
    entry = Entry("a", "visit", digest, size, frames, f"{digest}.png", None, 0.8)
    with open(masks / "manifest.jsonl", "a") as lines:
        lines.write(json.dumps(asdict(replace(entry, **other))) + "\n")
    return masks


def mask_clip(clip: Path, masks: Path, out: Path, quality_at_least: float = 0.5) -> Entry:
    """What a worker of `apply` does with one clip."""
    (source,), _ = find_sources([clip], folders_are_clips=clip.is_dir())
    with only_writer(out):
        (entry,) = attempt(MaskClip(str(masks), str(out), quality_at_least), source)
        return entry


def left_in(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.name != ".lock"]


def fails(clip: Path, masks: Path, out: Path, said: str, **options: Any) -> None:
    entry = mask_clip(clip, masks, out, **options)
    assert entry.error is not None
    assert said in entry.error
    assert entry.file is None
    assert left_in(out) == []


def written(clip: Path, tmp_path: Path) -> Any:
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, SECTOR), tmp_path / "o")
    assert entry.error is None, entry.error
    return pydicom.dcmread(tmp_path / "o" / str(entry.file))
