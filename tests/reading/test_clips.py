"""Every family of clips reads as it was written, in bounded memory, or raises one sentence."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.reading.clips import family_of

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
from clip_files import (  # noqa: E402
    COLOUR,
    GREY,
    make_apng,
    make_nifti,
    make_stills,
    make_tiff,
    make_webp,
    save,
    savez,
    still,
)
from dicom_clips import as_422, eight_bit_palette, make_dicom, palette_table, without_preamble  # noqa: E402
from pydicom.data import get_testdata_file  # noqa: E402
from video_clips import make_video, turned  # noqa: E402


def make_colour_nifti(path: Path) -> Path:
    rgb = np.ascontiguousarray(COLOUR).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.save(nibabel.Nifti1Image(rgb.transpose(2, 1, 0), np.eye(4)), path)
    return path


LOSSLESS: dict[str, Any] = {
    "animated WEBP": (COLOUR, lambda f: make_webp(f / "a.webp", COLOUR)),
    "WEBP": (COLOUR[:1], lambda f: make_webp(f / "a.webp", COLOUR[:1])),
    "grey APNG": (GREY, lambda f: make_apng(f / "a.png", GREY)),
    "colour APNG": (COLOUR, lambda f: make_apng(f / "a.png", COLOUR)),
    "grey DICOM": (GREY, lambda f: make_dicom(f / "a.dcm", GREY)),
    "DICOM without suffix": (GREY, lambda f: make_dicom(f / "1.2.840", GREY)),
    "RGB DICOM": (COLOUR, lambda f: make_dicom(f / "a.dcm", COLOUR, "RGB")),
    "palette DICOM": (palette_table()[GREY], lambda f: make_dicom(f / "a.dcm", GREY, "PALETTE COLOR")),
    "inverted DICOM": (255 - GREY, lambda f: make_dicom(f / "a.dcm", GREY, "MONOCHROME1")),
    "8-bit palette in 16-bit entries": (
        palette_table()[GREY],
        lambda f: eight_bit_palette(f / "a.dcm", GREY, "<u2"),
    ),
    "the same in big endian": (palette_table()[GREY], lambda f: eight_bit_palette(f / "a.dcm", GREY, ">u2")),
    "palette of 16-bit indices": (palette_table()[GREY], lambda f: sixteen_bit_palette(f / "a.dcm")),
    "8 of 16 bits": (GREY, lambda f: eight_of_sixteen_bits(f / "a.dcm", "<u2")),
    "8 of 16 bits in big endian": (GREY, lambda f: eight_of_sixteen_bits(f / "a.dcm", ">u2")),
    "DICOM without preamble": (
        COLOUR,
        lambda f: without_preamble(make_dicom(f / "a.dcm", COLOUR, "RGB"), implicit=False),
    ),
    "DICOM without preamble and suffix": (
        GREY,
        lambda f: without_preamble(make_dicom(f / "1.2.840", GREY), implicit=True),
    ),
    "RGB called YBR_FULL_422": (
        COLOUR,
        lambda f: make_dicom(f / "a.dcm", COLOUR, "RGB", PhotometricInterpretation="YBR_FULL_422"),
    ),
    "lossless video": (COLOUR, lambda f: make_video(f / "a.mkv", COLOUR, "ffv1", "bgr0")),
    "grey video": (GREY, lambda f: make_video(f / "a.avi", GREY, "ffv1", "gray")),
    "NIfTI": (GREY, lambda f: make_nifti(f / "a.nii", GREY)),
    "gzipped NIfTI of four axes": (GREY, lambda f: make_nifti(f / "a.nii.gz", GREY, 4)),
    "colour NIfTI": (COLOUR, lambda f: make_colour_nifti(f / "a.nii.gz")),
    "NPY": (COLOUR, lambda f: save(f / "a.npy", COLOUR)),
    "NPY in Fortran order": (GREY, lambda f: save(f / "a.npy", np.asfortranarray(GREY))),
    "NPY of one channel": (GREY, lambda f: save(f / "a.npy", GREY[..., None])),
    "grey still as NPY": (GREY[:1], lambda f: save(f / "a.npy", GREY[0])),
    "colour still as NPY": (COLOUR[:1], lambda f: save(f / "a.npy", COLOUR[0])),
    "NPZ": (GREY, lambda f: savez(f / "a.npz", arr=GREY)),
    "compressed NPZ of several": (COLOUR, lambda f: savez(f / "a.npz", True, frames=COLOUR, fps=np.ones(1))),
    "folder of stills": (COLOUR, lambda f: make_stills(f / "a", COLOUR)),
    "TIFF of pages": (COLOUR, lambda f: make_tiff(f / "a.tif", COLOUR)),
    "PNG": (COLOUR[:1], lambda f: still(f / "a.PNG", COLOUR[0])),
    "PNG with alpha": (
        COLOUR[:1],
        lambda f: still(f / "a.png", np.dstack([np.full((48, 64), 9, np.uint8), COLOUR[0]])),
    ),
    "BMP": (GREY[:1], lambda f: still(f / "a.bmp", GREY[0])),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_what_is_read_is_what_was_written(kind: str, tmp_path: Path) -> None:
    frames, make = LOSSLESS[kind]
    path = make(tmp_path)
    clip = sa.read_clip(path)
    assert np.array_equal(clip, frames)
    assert clip.dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(sa.iter_clip(str(path)), frames, strict=True))
    grey = sa.read_clip(path, grey=True)
    assert grey.shape == frames.shape[:3]
    if frames.ndim == 4:
        assert np.array_equal(grey[0], cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY))
    clip[:] = 0  # a copy, its own


LOSSY: dict[str, Any] = {
    "JPEG DICOM": lambda f: make_dicom(f / "a.dcm", COLOUR_SMOOTH, "YBR_FULL_422"),
    "mp4": lambda f: make_video(f / "a.mp4", COLOUR_SMOOTH, "mpeg4", "yuv420p", qscale="2"),
    "video of 10 bits": lambda f: make_video(f / "a.mkv", COLOUR_SMOOTH, "ffv1", "yuv422p10le"),
    "mov": lambda f: make_video(f / "a.mov", COLOUR_SMOOTH, "mjpeg", "yuvj444p"),
    "avi": lambda f: make_video(f / "a.avi", COLOUR_SMOOTH, "mpeg4", "yuv420p"),
    "mpeg": lambda f: make_video(f / "a.mpeg", COLOUR_SMOOTH, "mpeg1video", "yuv420p"),
    "gif": lambda f: make_gif(f / "a.gif"),
}
COLOUR_SMOOTH = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in COLOUR])


def make_gif(path: Path) -> Path:
    from PIL import Image

    first, *rest = [Image.fromarray(frame) for frame in COLOUR_SMOOTH]
    first.save(path, save_all=True, append_images=rest, duration=50)
    return path


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_clips_read_nearly_as_written(kind: str, tmp_path: Path) -> None:
    clip = sa.read_clip(LOSSY[kind](tmp_path))
    frames = COLOUR_SMOOTH
    assert clip.shape == frames.shape
    error = np.abs(clip.astype(int) - frames)
    assert error.mean() < 6, kind
    swapped = np.abs(clip[..., ::-1].astype(int) - frames)
    assert swapped.mean() > 3 * error.mean(), "channels in the wrong order"


@pytest.mark.parametrize(
    "name",
    [
        "JPEGLSNearLossless_08.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_rle_2frame.dcm",
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_small_odd_big_endian.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "image_dfl.dcm",
    ],
)
def test_the_encodings_of_dicom(name: str, tmp_path: Path) -> None:
    """Files that ship with pydicom, called ultrasound; decoded whole they look the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = pydicom.dcmread(get_testdata_file(name, download=False))
        whole = data.pixel_array
        data.Modality = "US"
        data.save_as(tmp_path / "a.dcm")
        clip = sa.read_clip(tmp_path / "a.dcm")
    if whole.shape[0] != int(data.get("NumberOfFrames") or 1) or whole.ndim == 2:
        whole = whole[None]
    assert np.array_equal(clip, whole)
    assert clip.max() > 0


@pytest.mark.parametrize("name", ["ybr_color", "palette_color", "rgb_color", "jpeg2k"])
def test_the_ultrasound_examples_of_pydicom(name: str) -> None:
    clip = sa.read_clip(pydicom.examples.get_path(name))
    assert clip.shape[3] == 3
    assert clip.max() > 100


def test_every_real_file_reads(real_data: Path) -> None:
    files = [path for path in sorted(real_data.rglob("*")) if path.is_file() and family_of(path)]
    assert len(files) > 100
    listed = {line.split(",")[0] for line in (real_data / "manifest.csv").read_text().splitlines()[1:]}
    assert listed <= {path.relative_to(real_data).as_posix() for path in files}
    for path in files:
        assert sum(1 for _ in sa.iter_clip(path)) >= 1, path


def sixteen_bit_palette(path: Path) -> Path:
    more = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelData": GREY.astype("<u2").tobytes()}
    return make_dicom(path, GREY, "PALETTE COLOR", **more)


def eight_of_sixteen_bits(path: Path, order: str) -> Path:
    """Grey levels in the lower byte, and an overlay in the upper one, as DICOM once allowed."""
    stored = (GREY.astype(np.uint16) | 0x5A00).astype(order)
    make_dicom(path, GREY, BitsAllocated=16, PixelData=stored.tobytes())
    data = pydicom.dcmread(path)
    data["PixelData"].VR = "OW"
    if order == ">u2":
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=order == "<u2", enforce_file_format=True)
    return path


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("extra", [b"", b"\0"])
def test_uncompressed_422_of_many_frames(planar: int, extra: bytes, tmp_path: Path) -> None:
    """Two bytes a pixel, whatever the planar configuration; a byte more than there should be."""
    pixels = as_422(COLOUR) + extra
    path = make_dicom(
        tmp_path / "a.dcm",
        COLOUR,
        "RGB",
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=planar,
        PixelData=pixels,
    )
    right = make_dicom(
        tmp_path / "b.dcm", COLOUR, "RGB", PhotometricInterpretation="YBR_FULL_422", PixelData=as_422(COLOUR)
    )
    assert np.array_equal(sa.read_clip(path), pydicom.dcmread(right).pixel_array)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_videos_are_turned_as_players_turn_them(degrees: int, tmp_path: Path) -> None:
    path = turned(make_video(tmp_path / "a.mp4", COLOUR, "mpeg4", "yuv420p"), degrees)
    _, shown = cv2.VideoCapture(str(path)).read()
    assert np.array_equal(sa.read_clip(path)[0], shown[:, :, ::-1])


def test_the_decoder_does_not_depend_on_what_else_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that differs from pillow stands in for gdcm, which comes first in pydicom's own order."""
    path = pydicom.examples.get_path("ybr_color")
    before = sa.read_clip(path)
    plugin = importlib.import_module("pydicom.pixels.decoders.gdcm")
    monkeypatch.setattr(plugin, "_decode_frame", lambda *_: pytest.fail("gdcm was asked"))
    decoder = pydicom.pixels.get_decoder(pydicom.uid.JPEGBaseline8Bit)
    monkeypatch.setitem(decoder._available, "gdcm", plugin._decode_frame)
    assert np.array_equal(sa.read_clip(path), before)
    monkeypatch.delitem(decoder._available, "gdcm")
    assert np.array_equal(sa.read_clip(path), before)


@pytest.mark.parametrize("make", [make_apng, make_webp])
def test_an_animation_is_no_still(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / ("a.png" if make is make_apng else "a.webp"), COLOUR)
    with pytest.raises(ValueError, match="is an animation; expected a still"):
        sa.read_clip(tmp_path)
    sector = save(tmp_path / "sector.npy", np.eye(48, 64, dtype=np.uint8))
    with pytest.raises(ValueError, match="is an animation; expected a still"):
        sa.BackgroundPool.from_files([path], [sector], size=(48, 64))
