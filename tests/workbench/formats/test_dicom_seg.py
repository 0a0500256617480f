"""DICOM SEG: bit for bit, refers to its whole clip, and no other reader or checker objects."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_clips import NAME, make_dicom
from exchange_masks import clip_mask, sectors
from hypothesis import given, settings

from sectoraug.workbench.formats import dicom_seg
from sectoraug.workbench.formats.clip_mask import LeftOut

pydicom = pytest.importorskip("pydicom")
highdicom = pytest.importorskip("highdicom")
from pydicom.uid import generate_uid  # noqa: E402

SECTOR = np.zeros((20, 30), np.uint8)
SECTOR[4:15, 6:28] = 1
NOWHERE = Path("nowhere")


def clip_of(path: Path, frames: int = 5, size: tuple[int, int] = (20, 30), **more: Any) -> Path:
    uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    return make_dicom(path, np.zeros((frames, *size), np.uint8), **uids | more)


def seg_of(folder: Path, clip: Path, sector: np.ndarray = SECTOR, **more: Any) -> Path:
    dicom_seg.write(clip_mask(folder, sector, clip=clip, **more), folder / "a.seg.dcm")
    return folder / "a.seg.dcm"


@settings(max_examples=15, deadline=None)
@given(sectors)
def test_the_mask_comes_back(sector: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = clip_of(folder / "clip.dcm", size=sector.shape)
        assert np.array_equal(dicom_seg.read(seg_of(folder, clip, sector), clip), sector)


@pytest.mark.parametrize("frames", [1, 5])
def test_highdicom_reads_what_it_refers_to(tmp_path: Path, frames: int) -> None:
    clip = clip_of(tmp_path / "clip.dcm", frames, SeriesNumber=3)
    source = pydicom.dcmread(clip)
    seg = highdicom.seg.segread(seg_of(tmp_path, clip))
    assert np.array_equal(seg.pixel_array.squeeze(), SECTOR)
    assert (seg.StudyInstanceUID, seg.PatientName) == (source.StudyInstanceUID, NAME)
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert (seg.SeriesNumber, seg.NumberOfFrames) == (7003, 1)
    assert "FrameOfReferenceUID" not in seg
    assert seg.get_segment_description(1).algorithm_type.value == "AUTOMATIC"
    (image,) = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
    (instance,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    for item in (image, instance):
        assert item.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert item.ReferencedSOPClassUID == source.SOPClassUID
        assert "ReferencedFrameNumber" not in item  # to all of them


def test_a_drawn_mask_is_said_to_be(tmp_path: Path) -> None:
    seg = highdicom.seg.segread(seg_of(tmp_path, clip_of(tmp_path / "clip.dcm"), drawn=True))
    assert seg.get_segment_description(1).algorithm_type.value == "MANUAL"


def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy, of dicom3tools, is not here")
    for frames in (1, 5):
        seg = seg_of(tmp_path, clip_of(tmp_path / "clip.dcm", frames))
        said = subprocess.run(["dciodvfy", str(seg)], capture_output=True, text=True).stderr
        assert "Segmentation" in said
        assert "Error" not in said, said


def test_what_gives_no_seg_is_left_out(tmp_path: Path) -> None:
    np.save(tmp_path / "clip.npy", np.zeros((5, 20, 30), np.uint8))
    for clip, why in (
        (None, "clip gone or changed"),
        (tmp_path / "clip.npy", "no DICOM"),
        (make_dicom(tmp_path / "bare.dcm", np.zeros((5, 20, 30), np.uint8)), "without the UIDs of study"),
        (clip_of(tmp_path / "long.dcm", StudyDate="the day before"), "a header that no SEG can be made of"),
    ):
        with pytest.raises(LeftOut, match=why) as raised:
            dicom_seg.write(clip_mask(tmp_path, SECTOR, clip=clip), tmp_path / "a.seg.dcm")
        assert NAME not in str(raised.value)


def changed(path: Path, **more: Any) -> Path:
    seg = pydicom.dcmread(path)
    for keyword, value in more.items():
        setattr(seg, keyword, value)
    seg.save_as(path)
    return path


def test_frames_that_agree_are_one_sector(tmp_path: Path) -> None:
    clip = clip_of(tmp_path / "clip.dcm", size=(16, 16))
    seg = seg_of(tmp_path, clip, SECTOR[:16, :16])
    content = pydicom.dcmread(seg).PixelData
    assert np.array_equal(
        dicom_seg.read(changed(seg, NumberOfFrames=2, PixelData=content * 2), clip), SECTOR[:16, :16]
    )
    with pytest.raises(ValueError, match="holds several sectors: 1 of 2 frames differ"):
        dicom_seg.read(changed(seg, PixelData=content + b"\1" + content[1:]), clip)


def test_bad_segs_are_one_sentence(tmp_path: Path) -> None:
    clips = [clip_of(tmp_path / f"{k}.dcm") for k in range(2)]
    with pytest.raises(ValueError, match=r"0\.dcm is DICOM but no SEG; expected a segmentation"):
        dicom_seg.read(clips[0], clips[0])
    seg = seg_of(tmp_path, clips[0])
    with pytest.raises(ValueError, match="was made on another DICOM image"):
        dicom_seg.read(seg, clips[1])
    two = list(pydicom.dcmread(seg).SegmentSequence) * 2
    with pytest.raises(ValueError, match="holds 2 segments; expected one sector"):
        dicom_seg.read(changed(seg, SegmentSequence=two), clips[0])
    for content in (b"", b"no DICOM", seg.read_bytes()[:-40]):
        seg.write_bytes(content)
        with pytest.raises(OSError, match="is no readable DICOM SEG") as raised:
            dicom_seg.read(seg, clips[0])
        assert NAME not in str(raised.value)
