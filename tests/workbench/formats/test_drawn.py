"""Drawn masks of absurd size: refused by their numbers, before anything is drawn or unpacked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sectoraug.reading.sizes import TooLarge
from sectoraug.workbench.formats import nifti
from sectoraug.workbench.formats.drawn import read_drawn

pytest.importorskip("pycocotools")
pytest.importorskip("pydicom")
nibabel = pytest.importorskip("nibabel")
from clip_files import GREY  # noqa: E402
from dicom_clips import make_dicom  # noqa: E402

FAN = {
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


def slicer(path: Path, **changed: Any) -> None:
    path.write_text(json.dumps(FAN | changed).replace("Infinity", "1e999"))


def coco(path: Path, **size: int) -> None:
    image = {"id": 1, "file_name": "view.avi", **size}
    outline = {"image_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}
    path.write_text(json.dumps({"images": [image], "annotations": [outline]}))


@pytest.mark.parametrize("rows", [60_000, 10**12])
def test_slicer_ultrasound(rows: int, tmp_path: Path) -> None:
    slicer(tmp_path / "view.json", image_size_rows=rows, image_size_cols=60_000)
    with pytest.raises(TooLarge, match=f"{rows} x 60000 pixels"):
        read_drawn(tmp_path / "view.json", "", Path("view.avi"))


@pytest.mark.parametrize("changed", [{"image_size_rows": float("inf")}, {"image_size_cols": float("nan")}])
def test_slicer_ultrasound_of_endless_rows(changed: dict[str, float], tmp_path: Path) -> None:
    slicer(tmp_path / "view.json", **changed)
    with pytest.raises(ValueError, match="is no mask of SlicerUltrasound"):
        read_drawn(tmp_path / "view.json", "", Path("view.avi"))


def test_coco(tmp_path: Path) -> None:
    coco(tmp_path / "all.json", height=60_000, width=60_000)
    with pytest.raises(TooLarge, match="60000 x 60000 pixels"):
        read_drawn(tmp_path / "all.json", "view.avi", Path("view.avi"))


def test_nifti(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 9, 5), np.uint8), np.eye(4)), tmp_path / "view.nii.gz")
    assert read_drawn(tmp_path / "view.nii.gz", "", Path("view.avi")).shape == (9, 8)
    monkeypatch.setattr(nifti, "_MOST_BYTES", 100)
    with pytest.raises(TooLarge, match=r"save the mask of one frame"):
        read_drawn(tmp_path / "view.nii.gz", "", Path("view.avi"))


def test_dicom(tmp_path: Path) -> None:
    make_dicom(tmp_path / "view.dcm", GREY, Rows=65_535, Columns=65_535)
    with pytest.raises(TooLarge, match="65535 x 65535 pixels"):
        read_drawn(tmp_path / "view.dcm", "", Path("view.avi"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("ending", ["json", "dcm", "nii", "png"])
def test_a_fifo_is_not_waited_for(ending: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"view.{ending}")
    with pytest.raises(ValueError, match="is a FIFO, socket or device"):
        read_drawn(tmp_path / f"view.{ending}", "", Path("view.avi"))
