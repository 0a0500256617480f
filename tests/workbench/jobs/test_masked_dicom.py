"""Masked copies of DICOM: no pixel hides elsewhere, and the header says what was done."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
pytest.importorskip("filelock")
from copied_clips import KINDS, SECTOR, WHITE, fails, keep_mask, mask_clip, written  # noqa: E402
from dicom_clips import NAME, make_dicom, palette_table  # noqa: E402


def other_pixels(data: Any) -> None:
    """Put copies of pixels everywhere that DICOM has a place for them."""
    leak = b"LEAK" * 64
    data.add_new(0x60000010, "US", 40)
    data.add_new(0x60003000, "OW", leak)
    data.add_new(0x60020022, "LO", "second overlay")
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = 16
    icon.PixelData = leak
    icon["PixelData"].VR = "OB"
    data.IconImageSequence = [icon]
    item = pydicom.Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    item.IconImageSequence = [icon]
    item.private_block(0x2001, "VENDOR", create=True).add_new(0x01, "OB", leak)
    data.ReferencedImageSequence = [item]
    data.EncapsulatedDocument = leak
    hidden = pydicom.Dataset()
    hidden.ReferencedSOPInstanceUID = "1.2.4"
    hidden.IconImageSequence = [icon]
    data.SourceImageSequence = [hidden]
    data.private_block(0x2001, "VENDOR", create=True).add_new(0x02, "UN", leak)
    data.private_block(0x2001, "VENDOR").add_new(0x03, "LO", "a private word")
    data.private_block(0x7FE1, "VENDOR", create=True).add_new(0x01, "OB", leak)
    data.DataSetTrailingPadding = leak


def rarer_pixels(data: Any) -> None:
    """Retired groups, groups that no dictionary has, vendors' numbers and text, elements of a wrong kind."""
    leak = b"LEAK" * 64
    for tag in (0x50003000, 0x5002200C, 0x7F000010, 0x7E000010, 0x000C0010):
        data.add_new(tag, "OW", leak)
    for tag in (0x00082111, 0x00282000, 0x00321060):  # a text, a profile, a text
        data.add_new(tag, "OB", leak)
    data.add_new(0x56000020, "OF", leak)
    for sequence, tag in ((0x54000100, 0x54001010), (0x00283010, 0x00283006), (0x04000500, 0x04000520)):
        item = pydicom.Dataset()
        item.add_new(tag, "OW", leak)
        data.add_new(sequence, "SQ", [item])
    block = data.private_block(0x2001, "VENDOR", create=True)
    block.add_new(0x04, "UL", [int.from_bytes(b"LEAK", "little")] * 65)
    block.add_new(0x05, "LT", "LEAK" * 65)
    block.add_new(0x06, "US", [7] * 9)


def test_no_pixels_hide_in_rarer_places(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE)
    data = pydicom.dcmread(clip)
    rarer_pixels(data)
    data.save_as(clip, enforce_file_format=True)
    copy = written(clip, tmp_path)
    assert b"LEAK" not in Path(copy.filename).read_bytes()
    left = {element.tag.group for element in copy}
    assert not left & {0x000C, 0x5000, 0x5002, 0x5400, 0x5600, 0x7E00, 0x7F00, 0x0400}
    assert "VOILUTSequence" not in copy and copy[0x2001, 0x1006].value == [7] * 9
    assert copy.DerivationDescription.startswith("Pixels outside")


@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "RLELossless"])
def test_no_pixels_hide_elsewhere_in_a_dicom_copy(syntax: str, tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE)
    data = pydicom.dcmread(clip)
    other_pixels(data)
    data.preamble = b"II*\0" + b"LEAK" * 31
    if syntax == "RLELossless":
        data.compress(getattr(pydicom.uid, syntax))
        data.save_as(clip)
    else:
        data.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
        data.save_as(
            clip, implicit_vr=syntax.startswith("Implicit"), little_endian=True, enforce_file_format=True
        )
    assert b"LEAKLEAK" in clip.read_bytes()
    if syntax == "ExplicitVRLittleEndian":  # a sequence whose writer did not know that it is one
        known = b"\x08\x00\x12\x21SQ"
        assert known in clip.read_bytes()
        clip.write_bytes(clip.read_bytes().replace(known, known[:4] + b"UN"))
    copy = written(clip, tmp_path)
    assert b"LEAK" not in Path(copy.filename).read_bytes()
    assert not [element.tag for element in copy if 0x6000 <= element.tag.group <= 0x60FF]
    assert copy.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert copy.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.4"
    if syntax != "ImplicitVRLittleEndian":  # where nothing tells what a private element is
        assert copy[0x2001, 0x1003].value == "a private word"


def test_a_dicom_copy_says_what_it_is(tmp_path: Path) -> None:
    clip = KINDS["JPEG DICOM"](
        tmp_path, BurnedInAnnotation="NO", LossyImageCompression=None, FrameTime="33.3"
    )
    source = pydicom.dcmread(clip)
    copy = written(clip, tmp_path)
    assert copy.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID != source.SOPInstanceUID
    assert copy.ImageType == ["DERIVED", "PRIMARY"]
    assert copy.DerivationDescription.startswith("Pixels outside the ultrasound sector set to 0 by sectoraug")
    assert "not de-identified" in copy.DerivationDescription
    assert "BurnedInAnnotation" not in copy
    assert (copy.LossyImageCompression, copy.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert (copy.PhotometricInterpretation, copy.SamplesPerPixel, copy.PlanarConfiguration) == ("RGB", 3, 0)
    assert (copy.NumberOfFrames, copy.FrameTime, str(copy.PatientName)) == (3, 33.3, NAME)
    assert "PatientIdentityRemoved" not in copy


def test_burned_in_annotation_is_never_denied(tmp_path: Path) -> None:
    assert (
        written(KINDS["grey DICOM"](tmp_path, BurnedInAnnotation="YES"), tmp_path).BurnedInAnnotation == "YES"
    )
    grey = written(KINDS["grey DICOM"](tmp_path), tmp_path)
    assert "BurnedInAnnotation" not in grey
    assert "LossyImageCompression" not in grey


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    copy = written(KINDS["palette DICOM"](tmp_path, PixelPaddingValue=7), tmp_path)
    assert not [element for element in copy if "Palette" in element.name]
    assert "PixelPaddingValue" not in copy
    assert np.array_equal(copy.pixel_array[:, SECTOR], palette_table()[255 - WHITE][:, SECTOR])


def test_zero_that_is_white_is_refused(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE, "MONOCHROME1")
    fails(clip, keep_mask(tmp_path / "m", clip, SECTOR), tmp_path / "o", "MONOCHROME1")


def test_the_length_of_the_pixels_is_even(tmp_path: Path) -> None:
    clip = KINDS["DICOM still of odd size"](tmp_path)
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, SECTOR[:39, :51]), tmp_path / "o")
    data = (tmp_path / "o" / str(entry.file)).read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB")
    assert struct.unpack("<I", data[at + 8 : at + 12])[0] == 39 * 51 + 1 == len(data) - at - 12


def test_the_real_examples(tmp_path: Path) -> None:
    for name in ("ybr_color", "palette_color", "rgb_color", "jpeg2k"):
        clip = Path(pydicom.examples.get_path(name))
        decoded = sa.read_clip(clip)
        sector = np.zeros(decoded.shape[1:3], bool)
        sector[20:-20, 30:-30] = True
        entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, sector), tmp_path / "o")
        assert entry.error is None, entry.error
        copy = sa.read_clip(tmp_path / "o" / str(entry.file))
        assert not copy[:, ~sector].any()
        assert np.array_equal(copy[:, sector], decoded[:, sector])
    assert os.listdir(tmp_path / "o" / "clips")
