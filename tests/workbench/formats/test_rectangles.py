"""Rectangles by scanner: deid itself blackens by the recipe; CTP's script is read by CTP's rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_clips import NAME, make_dicom
from exchange_masks import clip_mask

from sectoraug.workbench.formats import rectangles
from sectoraug.workbench.formats.clip_mask import ClipMask, LeftOut
from sectoraug.workbench.jobs import exported

SECTOR = np.zeros((20, 30), np.uint8)
SECTOR[4:15, 6:28] = 1
SECTOR[4, 6] = 0  # the corner of the box is no sector


def mask_of(folder: Path, name: str, sector: np.ndarray = SECTOR, **more: Any) -> ClipMask:
    (folder / name).mkdir()
    about = {"Manufacturer": "Maker", "ManufacturerModelName": "M 1.5 (rev)"} | more
    about = {keyword: value for keyword, value in about.items() if value is not None}
    clip = make_dicom(folder / name / "clip.dcm", np.full((3, *sector.shape), 9, np.uint8), **about)
    return clip_mask(folder / name, sector, clip=clip)


def boxes_of(*masks: ClipMask) -> dict[rectangles.Scanner, rectangles.Box]:
    boxes: dict[rectangles.Scanner, rectangles.Box] = {}
    for mask in masks:
        scanner = rectangles.scanner_of(mask)
        boxes[scanner] = rectangles.joined_box(boxes.get(scanner), mask)
    return boxes


def blackened_by_ctp(script: str, scanner: rectangles.Scanner) -> np.ndarray | None:
    """What CTP's PixelScript and Regions do: the first signature counts, regions hold both of their ends."""
    for signature, regions in re.findall(r"\{([^}]*)\}([^{]*)", script):
        asked = dict(re.findall(r'(\w+)\.equals\("([^"]*)"\)', signature))
        own = {
            "Modality": scanner.modality or "",
            "Manufacturer": scanner.manufacturer or "",
            "ManufacturerModelName": scanner.model or "",
            "Rows": str(scanner.rows),
            "Columns": str(scanner.columns),
        }
        if asked == own:
            black = np.zeros((scanner.rows, scanner.columns), bool)
            for region in re.findall(r"\(([^)]*)\)", regions):
                x, y, w, h = map(int, region.split(","))
                black[y : y + h + 1, x : x + w + 1] = True
            return black
    return None


def test_deid_blackens_all_but_the_box(tmp_path: Path) -> None:
    deid = pytest.importorskip("deid.dicom")
    wide = np.zeros((20, 30), np.uint8)
    wide[8:10] = 1
    masks = [
        mask_of(tmp_path, "a"),
        mask_of(tmp_path, "b", SECTOR[:, :26]),
        mask_of(tmp_path, "c", wide, Manufacturer="Other"),
        mask_of(tmp_path, "d", Manufacturer=None, ManufacturerModelName=""),
    ]
    rectangles.write_deid(boxes_of(*masks), tmp_path / "deid.dicom")
    for mask in masks:
        cleaner = deid.DicomCleaner(deid=str(tmp_path / "deid.dicom"), output_folder=str(tmp_path))
        assert cleaner.detect(str(mask.clip))["flagged"]
        kept = cleaner.clean() != 0
        rows, columns = np.flatnonzero(mask.sector.any(1)), np.flatnonzero(mask.sector.any(0))
        box = np.zeros(mask.sector.shape, bool)
        box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        assert np.array_equal(kept, np.broadcast_to(box, kept.shape))
    stranger = mask_of(tmp_path, "e", Manufacturer="Third")
    assert not deid.DicomCleaner(deid=str(tmp_path / "deid.dicom")).detect(str(stranger.clip))["flagged"]


def test_pictures_that_deid_scrambles_are_counted_and_blackened(tmp_path: Path) -> None:
    grey = mask_of(tmp_path, "grey")
    colours = np.random.default_rng(0).integers(1, 256, (3, 20, 30, 3), dtype=np.uint8)
    in_planes = {"PlanarConfiguration": 1, "PixelData": np.moveaxis(colours, -1, 1).tobytes()}
    masks = [grey]
    for name, photometric, more in (
        ("rgb", "RGB", {}),
        ("planes", "RGB", in_planes),
        ("ybr", "YBR_FULL", {}),
    ):
        (tmp_path / name).mkdir()
        clip = make_dicom(tmp_path / name / "clip.dcm", colours, photometric, Manufacturer="Maker", **more)
        masks.append(clip_mask(tmp_path / name, SECTOR, clip=clip))
    assert [rectangles.spoilt_by_deid(mask) is None for mask in masks] == [True, True, False, False]
    done = exported.to_deid(masks, tmp_path / "deid.dicom", progress=False)
    assert (done.written, dict(done.left_out)) == (4, {})
    ((why, n),) = done.noted.items()
    assert (why, n) == (rectangles.spoilt_by_deid(masks[2]), 2) and "sectoraug apply" in why
    assert not exported.to_ctp(masks, tmp_path / "ctp.script", progress=False).noted
    deid = pytest.importorskip("deid.dicom")
    for mask in masks[2:]:
        cleaner = deid.DicomCleaner(deid=str(tmp_path / "deid.dicom"), output_folder=str(tmp_path))
        assert cleaner.detect(str(mask.clip))["flagged"], "a scrambled picture is better than its text"


def test_ctp_keeps_the_box(tmp_path: Path) -> None:
    whole = np.ones((20, 30), np.uint8)
    masks = [
        mask_of(tmp_path, "a"),
        mask_of(tmp_path, "b", whole, Manufacturer="Other"),
        mask_of(tmp_path, "c", SECTOR.T[::-1], ManufacturerModelName=None),
    ]
    boxes = boxes_of(*masks)
    rectangles.write_ctp(boxes, tmp_path / "ctp.script")
    for scanner, (left, top, right, bottom) in boxes.items():
        black = blackened_by_ctp((tmp_path / "ctp.script").read_text(), scanner)
        assert black is not None
        assert not black[top:bottom, left:right].any()
        assert black.sum() == black.size - (bottom - top) * (right - left)


def test_one_scanner_gets_the_box_of_all_its_masks(tmp_path: Path) -> None:
    (box,) = boxes_of(mask_of(tmp_path, "a"), mask_of(tmp_path, "b", SECTOR[::-1, ::-1])).values()
    assert box == (2, 4, 28, 16)


def test_what_gives_no_rule_is_left_out(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((5, 20, 30), np.uint8))
    for mask, why in (
        (clip_mask(tmp_path, SECTOR), "clip gone or changed"),
        (clip_mask(tmp_path, SECTOR, clip=tmp_path / "clip.npy"), "no DICOM"),
        (mask_of(tmp_path, "a", Manufacturer='A" + "B'), "a scanner's name that no rule can hold"),
    ):
        with pytest.raises(LeftOut, match=why):
            rectangles.scanner_of(mask)


def test_rules_hold_no_names(tmp_path: Path) -> None:
    boxes = boxes_of(mask_of(tmp_path, "a"))
    rectangles.write_deid(boxes, tmp_path / "deid.dicom")
    rectangles.write_ctp(boxes, tmp_path / "ctp.script")
    for file in ("deid.dicom", "ctp.script"):
        assert NAME not in (tmp_path / file).read_text()
        assert "cannot follow a fan" in (tmp_path / file).read_text()
