"""Files that claim more than a machine has are refused by their headers, before anything is decoded."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.lib import format as npy

import sectoraug as sa
from sectoraug.reading import deflated, images, sizes

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("pydicom")
pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
from clip_files import COLOUR, GREY, make_tiff, make_webp, still  # noqa: E402
from dicom_clips import make_dicom  # noqa: E402
from video_clips import make_video  # noqa: E402

STILLS: dict[str, Any] = {
    "a.png": lambda path: still(path, GREY[0]),
    "a.jpg": lambda path: still(path, GREY[0]),
    "a.bmp": lambda path: still(path, COLOUR[0]),
    "a.tif": lambda path: make_tiff(path, GREY),
    "big.tif": lambda path: Image.fromarray(GREY[0]).save(path, big_tiff=True),
    "motorola.tif": lambda path: path.write_bytes(big_endian_tiff()),
    "a.webp": lambda path: Image.fromarray(COLOUR[0]).save(path, lossless=True),
    "lossy.webp": lambda path: Image.fromarray(COLOUR[0]).save(path, quality=80),
    "extended.webp": lambda path: Image.fromarray(COLOUR[0]).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0"),
    "moving.webp": lambda path: make_webp(path, COLOUR),
    "progressive.jpg": lambda path: Image.fromarray(GREY[0]).save(path, progressive=True),
}


def big_endian_tiff() -> bytes:
    entries = [(256, 4, 64), (257, 3, 48 << 16), (258, 3, 8 << 16), (259, 3, 1 << 16), (262, 3, 1 << 16)]
    entries += [(273, 4, 98), (277, 3, 1 << 16), (279, 4, GREY[0].size)]
    lines = b"".join(struct.pack(">HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"MM\0*" + struct.pack(">IH", 8, len(entries)) + lines + bytes(4)
    return head.ljust(98, b"\0") + GREY[0].tobytes()


@pytest.mark.parametrize("name", STILLS)
def test_headers_tell_the_size_that_decoders_find(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    STILLS[name](path)
    assert sa.read_clip(path).shape[1:3] == (48, 64)
    monkeypatch.setattr(sizes, "MOST_PIXELS", 48 * 64)
    assert sa.read_clip(path).shape[1:3] == (48, 64)
    monkeypatch.setattr(sizes, "MOST_PIXELS", 48 * 64 - 1)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(sizes.TooLarge, match="frames of 48 x 64 pixels"):
        sa.read_clip(path)


def png(path: Path, side: int) -> Path:
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", side, side) + b"\x08\0\0\0\0")
    return path


def gif(path: Path, side: int) -> Path:
    frame = b"\x2c\0\0\0\0" + struct.pack("<HH", side, side) + b"\0\x02\x02\x4c\x01\0;"
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0)
    path.write_bytes(head + b"\0\0\0\xff\xff\xff" + frame)
    return path


def array_header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(path: Path, shape: tuple[int, ...], descr: str = "|u1") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frames.npy", array_header(shape, descr) + bytes(100_000))
    return path


def sparse(path: Path, side: int) -> Path:
    with open(path, "wb") as file:
        file.write(array_header((1, side, side)))
        file.truncate(file.tell() + side * side)
    return path


def nifti(path: Path, shape: tuple[int, ...], kind: Any = np.uint8) -> Path:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(kind)
    header["dim"][: len(shape) + 1] = len(shape), *shape
    header["vox_offset"] = 352
    path.write_bytes(gzip.compress(header.binaryblock + bytes(100_000)))
    return path


LARGE: dict[str, Any] = {
    "PNG": lambda f: png(f / "a.png", 60_000),
    "NPY": lambda f: sparse(f / "a.npy", 60_000),
    "NPZ": lambda f: npz(f / "a.npz", (1, 60_000, 60_000)),
    "NPZ of wide pixels": lambda f: npz(f / "a.npz", (2, 8, 8), "|V1000000000"),
    "NIfTI": lambda f: nifti(f / "a.nii.gz", (32_767, 32_767, 2)),
    "DICOM": lambda f: make_dicom(f / "a.dcm", GREY, Rows=65_535, Columns=65_535),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_frame_that_fills_the_memory_is_refused(kind: str, tmp_path: Path) -> None:
    path = LARGE[kind](tmp_path)
    for use in (sa.read_clip, lambda path: list(sa.iter_clip(path))):
        with pytest.raises(sizes.TooLarge, match="expected at most 32 Mi pixels"):
            use(path)


@pytest.mark.parametrize("name", ["a.png", "a.npy"])
def test_no_such_still_into_a_pool(name: str, tmp_path: Path) -> None:
    path = png(tmp_path / name, 60_000) if name == "a.png" else tmp_path / name
    if name == "a.npy":
        path.write_bytes(array_header((60_000, 60_000)))
        os.truncate(path, path.stat().st_size + 3_600_000_000)
    with pytest.raises(sizes.TooLarge, match="60000 x 60000"):
        sa.BackgroundPool.from_files([path], [path], size=(8, 8), progress=False)


def test_sides_below_zero_read_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has shape"):
        sa.read_clip(npz(tmp_path / "a.npz", (4, -8, 8)))


def test_what_a_video_decoder_would_fill_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container's header can say less than the stream's own."""
    from sectoraug.reading import video

    with pytest.raises(OSError, match="no readable video"):
        sa.read_clip(gif(tmp_path / "a.gif", 16_000))
    path = make_video(tmp_path / "a.mkv", COLOUR, "mpeg4", "yuv420p")
    assert sa.read_clip(path).shape == COLOUR.shape
    monkeypatch.setattr(video, "_NO_LARGER", {"max_pixels": "1000"})
    with pytest.raises(OSError, match="no readable video"):
        sa.read_clip(path)


@pytest.mark.parametrize("order", "<>")
def test_nifti_extensions_are_bounded(order: str, tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.uint8)
    header["dim"][:4] = 3, 64, 48, 5
    header["vox_offset"] = 3e9
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(500)))
    with pytest.raises(sizes.TooLarge, match="3000000000 bytes behind its start"):
        sa.read_clip(tmp_path / "a.nii.gz")


def test_a_deflated_dicom_is_measured_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pydicom import dcmread

    data = dcmread(make_dicom(tmp_path / "a.dcm", GREY))
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(sa.read_clip(tmp_path / "a.dcm"), GREY)
    monkeypatch.setattr(deflated, "_MOST_BYTES", 1000)
    with pytest.raises(sizes.TooLarge, match="is deflated and takes more than"):
        sa.read_clip(tmp_path / "a.dcm")


def test_frames_of_a_pixel_take_no_memory_each(tmp_path: Path) -> None:
    n = 300_000
    path = make_dicom(
        tmp_path / "a.dcm", GREY, Rows=1, Columns=1, NumberOfFrames=n + 1, PixelData=bytes([7]) * n
    )
    frames = sa.iter_clip(path, miscounted="keep")
    assert next(frames).tolist() == [[7]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz", "a.dcm", "a.mkv", "a.nii", "a.tif"])
def test_a_fifo_is_refused_and_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match="is a FIFO, socket or device; expected a file"):
        sa.read_clip(tmp_path / name)
    with pytest.raises(ValueError, match="is a FIFO, socket or device"):
        sa.BackgroundPool.from_files([tmp_path / name], [tmp_path / name], (8, 8), progress=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.timeout(20)
def test_a_fifo_among_stills_is_passed_over_and_a_broken_link_is_not(tmp_path: Path) -> None:
    still(tmp_path / "1.png", GREY[0])
    os.mkfifo(tmp_path / "2.png")
    assert sa.read_clip(tmp_path).shape == (1, 48, 64)
    (tmp_path / "3.png").symlink_to("/nowhere/3.png")
    with pytest.raises(FileNotFoundError):
        sa.read_clip(tmp_path)


def test_a_tiff_of_many_pages_is_walked_a_few_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV goes through all pages before the one that is asked for."""
    frames = np.arange(600, dtype=np.uint16).view(np.uint8).reshape(600, 1, 2)
    make_tiff(tmp_path / "a.tif", np.repeat(np.repeat(frames, 4, 1), 4, 2))
    walks, walk = [], cv2.imreadmulti
    monkeypatch.setattr(images, "_PIXELS_AT_ONCE", 256 * 32)
    monkeypatch.setattr(cv2, "imreadmulti", lambda *a, **k: walks.append(a) or walk(*a, **k))
    clip = sa.read_clip(tmp_path / "a.tif")
    assert np.array_equal(clip[:, 0, ::4], frames[:, 0])
    assert len(walks) == 3


def test_pages_before_a_damaged_one_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiff(tmp_path / "a.tif", GREY)
    walk = cv2.imreadmulti

    def damaged(path: str, start: int, n: int, **flags: int) -> Any:
        return (False, ()) if start <= 3 < start + n else walk(path, start, n, **flags)

    monkeypatch.setattr(cv2, "imreadmulti", damaged)
    with pytest.warns(UserWarning, match="3 whole frames where its header says 5"):
        assert np.array_equal(sa.read_clip(tmp_path / "a.tif", miscounted="keep"), GREY[:3])


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT", b"IEND"])
def test_a_png_whose_chunk_claims_more_than_the_file_holds_is_refused(chunk: bytes, tmp_path: Path) -> None:
    still(tmp_path / "a.png", GREY[0])
    data = bytearray((tmp_path / "a.png").read_bytes())
    at = data.index(chunk)
    data[at - 4] = 0x7F  # two gigabytes
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(OSError, match=r"a\.png ends within a chunk; expected a whole PNG: .*\.$"):
        sa.read_clip(tmp_path / "a.png")


def test_a_png_may_go_on_behind_its_end(tmp_path: Path) -> None:
    still(tmp_path / "a.png", GREY[0])
    with open(tmp_path / "a.png", "ab") as file:
        file.write(b"\x7f\xff\xff\xffTAIL")
    assert np.array_equal(sa.read_clip(tmp_path / "a.png")[0], GREY[0])
