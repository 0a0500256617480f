"""What a DICOM header says of areas on the screen."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom import examples
from pydicom.dataset import Dataset

from sectoraug.reading.regions import Region, read_regions


def test_the_regions_of_an_example() -> None:
    found = read_regions(examples.get_path("palette_color"))
    assert found == (Region("2d", (120, 60, 800, 518)), Region("other", (176, 522, 743, 576)))


def test_other_files_have_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "still.png"), np.zeros((20, 20), np.uint8))
    assert read_regions(tmp_path / "still.png") == ()
    assert read_regions(tmp_path) == ()
    assert read_regions(examples.get_path("rgb_color")) == ()


def test_kinds_and_what_cannot_be_read(tmp_path: Path) -> None:
    header = pydicom.dcmread(examples.get_path("ybr_color"))
    whole = header.SequenceOfUltrasoundRegions[0]
    items = []
    for spatial, data in ((1, 2), (2, 1), (3, 3)):
        item = Dataset()
        item.update(whole)
        item.RegionSpatialFormat, item.RegionDataType = spatial, data
        items.append(item)
    header.SequenceOfUltrasoundRegions = [*items, Dataset()]
    header.save_as(tmp_path / "clip.dcm")
    assert [region.kind for region in read_regions(tmp_path / "clip.dcm")] == ["colour", "m-mode", "spectral"]
