"""SlicerUltrasound's JSON: our outline comes back as it was, theirs is drawn as `create_mask` draws it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from dicom_clips import make_dicom
from exchange_masks import SIZE, clip_mask, fans, rectangles
from hypothesis import given, settings

import sectoraug as sa
from sectoraug.sectors.outline.overlap import iou
from sectoraug.workbench.formats import slicer_ultrasound as slicer
from sectoraug.workbench.formats.clip_mask import LeftOut

NOWHERE = Path("nowhere")
FAN: dict[str, Any] = {
    "mask_type": "fan",
    "angle1": 125.0,  # their files hold either order
    "angle2": 55.0,
    "center_rows_px": 20,
    "center_cols_px": 300,
    "radius1": 60,
    "radius2": 420,
    "image_size_rows": 480,
    "image_size_cols": 640,
}


def drawn_by_slicer(keys: dict[str, Any]) -> np.ndarray:
    """What SlicerUltrasound's `create_mask` does with these keys: OpenCV's ellipse, less a circle."""
    mask = np.zeros((keys["image_size_rows"], keys["image_size_cols"]), np.uint8)
    if keys["mask_type"] == "rectangle":
        rows = slice(keys["rectangle_top"], keys["rectangle_bottom"] + 1)
        mask[rows, keys["rectangle_left"] : keys["rectangle_right"] + 1] = 1
        return mask
    centre, (near, far) = (
        (keys["center_cols_px"], keys["center_rows_px"]),
        sorted((keys["radius1"], keys["radius2"])),
    )
    angles = sorted((keys["angle1"], keys["angle2"]))
    mask = cv2.ellipse(mask, centre, (far, far), 0.0, *angles, 1, -1)
    return cv2.circle(mask, centre, near, 0, -1)


@settings(max_examples=40, deadline=None)
@given(fans())
def test_an_outline_comes_back_to_the_last_digit(fan: sa.SectorGeometry) -> None:
    sector = fan.rasterise(SIZE).astype(np.uint8)
    if not sector.any():
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.json")
        try:
            common = slicer.write(clip_mask(folder, sector, fan), file)
        except LeftOut:
            return  # cut so much that no fan says it
        about = json.loads(file.read_text())
        assert sa.SectorGeometry.from_dict(about[slicer.OURS]) == fan
        assert np.array_equal(slicer.read(file, NOWHERE), sector)
        del about[slicer.OURS]  # as their reader sees it
        file.write_text(json.dumps(about))
        assert iou(slicer.read(file, NOWHERE), sector) == common >= slicer.LEAST_OVERLAP


@settings(max_examples=40, deadline=None)
@given(rectangles())
def test_a_rectangle_is_theirs_bit_for_bit(rectangle: sa.SectorGeometry) -> None:
    sector = rectangle.rasterise(SIZE).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.json")
        assert slicer.write(clip_mask(folder, sector, rectangle), file) == 1
        about = json.loads(file.read_text())
        assert np.array_equal(drawn_by_slicer(about), sector)
        del about[slicer.OURS]
        file.write_text(json.dumps(about))
        assert np.array_equal(slicer.read(file, NOWHERE), sector)


@pytest.mark.parametrize(
    "keys", [FAN, FAN | {"angle1": 70.4, "angle2": 141.7, "radius1": 0, "center_rows_px": -35}]
)
def test_their_fan_is_drawn_as_theirs(tmp_path: Path, keys: dict[str, Any]) -> None:
    for about in (keys, {"SOPInstanceUID": "1.2", "MaskConfig": keys}):
        (tmp_path / "a.json").write_text(json.dumps(about))
        assert iou(slicer.read(tmp_path / "a.json", NOWHERE), drawn_by_slicer(keys)) > 0.98


def test_what_was_moved_in_slicer_counts(tmp_path: Path) -> None:
    fan = sa.SectorGeometry("phased", (-0.5, -0.5, 127.5, 95.5), (64.3, 3.2), (-0.7, 0.7), (4.4, 70))
    slicer.write(clip_mask(tmp_path, fan.rasterise(SIZE), fan), tmp_path / "a.json")
    about = json.loads((tmp_path / "a.json").read_text())
    about["radius2"] = 50
    (tmp_path / "a.json").write_text(json.dumps(about))
    rows = np.flatnonzero(slicer.read(tmp_path / "a.json", NOWHERE).any(1))
    assert rows[-1] == 53  # 3 + 50


def test_a_drawn_mask_gets_the_outline_that_fits(tmp_path: Path) -> None:
    sector = sa.phantom.make_clip(frames=2, size=(240, 320)).sector
    assert slicer.write(clip_mask(tmp_path, sector), tmp_path / "a.json") > 0.93
    assert iou(slicer.read(tmp_path / "a.json", NOWHERE), sector.astype(np.uint8)) > 0.97


def test_other_shapes_are_left_out(tmp_path: Path) -> None:
    cross = np.zeros(SIZE, np.uint8)
    cross[40:56], cross[:, 56:72] = 1, 1
    with pytest.raises(LeftOut, match="neither a fan nor a rectangle"):
        slicer.write(clip_mask(tmp_path, cross), tmp_path / "a.json")


@pytest.mark.parametrize(
    "about",
    [
        {},
        [],
        {"AnnotationLabels": []},
        FAN | {"mask_type": "circle"},
        FAN | {"radius2": "large"},
        FAN | {"radius2": 60},
        FAN | {"angle1": float("nan")},
        FAN | {"angle1": 55.0},
        {key: value for key, value in FAN.items() if key != "image_size_rows"},
        FAN | {"mask_type": "rectangle"},
        FAN | {slicer.OURS: {"kind": "phased"}},
    ],
)
def test_no_mask_of_slicer_is_one_sentence(tmp_path: Path, about: Any) -> None:
    (tmp_path / "a.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"a\.json is no mask of SlicerUltrasound; expected its JSON"):
        slicer.read(tmp_path / "a.json", NOWHERE)


def test_the_mask_of_another_image_is_one_sentence(tmp_path: Path) -> None:
    clips = [make_dicom(tmp_path / f"{k}.dcm", np.zeros((3, *SIZE), np.uint8)) for k in range(2)]
    fan = sa.SectorGeometry("phased", (-0.5, -0.5, 127.5, 95.5), (64, 3), (-0.7, 0.7), (4, 70))
    slicer.write(clip_mask(tmp_path, fan.rasterise(SIZE), fan, clip=clips[0]), tmp_path / "a.json")
    assert np.array_equal(slicer.read(tmp_path / "a.json", clips[0]), fan.rasterise(SIZE))
    with pytest.raises(ValueError, match="was made on another DICOM image"):
        slicer.read(tmp_path / "a.json", clips[1])
