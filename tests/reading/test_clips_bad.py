"""Clips that cannot be read, and the sentences that say why."""

from __future__ import annotations

import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
from clip_files import COLOUR, GREY, make_nifti, make_stills, make_tiff, make_webp, save, savez, still  # noqa: E402
from dicom_clips import as_422, eight_bit_palette, make_dicom, palette_table  # noqa: E402
from video_clips import make_video, turned  # noqa: E402


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))
    return path


def of_bytes(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def two_sizes(folder: Path) -> Path:
    make_stills(folder, GREY)
    return still(folder / "frame99.png", GREY[0, :40]).parent


def only_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    return path


def sixteen_bits(path: Path) -> Path:
    return make_dicom(
        path,
        GREY,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelData=GREY.astype("<u2").tobytes(),
    )


def called_uncompressed(path: Path) -> Path:
    """JPEG pictures under the transfer syntax of uncompressed pixels."""
    pixels = pydicom.dcmread(make_dicom(path, COLOUR, "YBR_FULL_422")).PixelData
    return make_dicom(path, COLOUR, "RGB", PixelData=pixels + b"\0" * (len(pixels) % 2))


def odd_palette(path: Path) -> Path:
    """Big endian, a table of an odd number of bytes: as pydicom reads it, not as it would write it."""
    data = eight_bit_palette(path, GREY, ">u2").read_bytes()
    table = palette_table()[:, 0].astype(">u2").tobytes()
    assert data.count(table) == 1
    at = data.index(table)
    path.write_bytes(data[: at - 4] + (511).to_bytes(4, "big") + table[:-1] + data[at + 512 :])
    return path


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "truncated DICOM": (lambda f: cut(make_dicom(f / "a.dcm", GREY), 0.7), OSError, "truncated"),
    "truncated JPEG DICOM": (
        lambda f: cut(make_dicom(f / "a.dcm", COLOUR, "YBR_FULL_422"), 0.7),
        OSError,
        "truncated",
    ),
    "DICOM cut in its header": (lambda f: cut(make_dicom(f / "a.dcm", GREY), 0.025), OSError, "DICOM"),
    "DICOM of fewer frames than it says": (
        lambda f: make_dicom(f / "a.dcm", COLOUR, "YBR_FULL_422", NumberOfFrames=9),
        OSError,
        "truncated",
    ),
    "DICOM of a damaged element": (
        lambda f: replaced(make_dicom(f / "a.dcm", GREY), b"\x28\0\x04\0CS", b"\x28\0\x04\0C\xe9"),
        OSError,
        "its header could not be decoded",
    ),
    "DICOM of a damaged table of offsets": (
        lambda f: replaced(
            make_dicom(f / "a.dcm", COLOUR, "YBR_FULL_422"),
            b"\xfe\xff\0\xe0\x14\0\0\0\0",
            b"\xfe\xff\0\xe0\x13\0\0\0",
        ),
        OSError,
        "its pixels could not be decoded",
    ),
    "palette cut within an entry": (
        lambda f: odd_palette(f / "a.dcm"),
        OSError,
        "its palette could not be decoded",
    ),
    "DICOM of no frames": (lambda f: make_dicom(f / "a.dcm", GREY, NumberOfFrames=0), OSError, "frames"),
    "DICOM that is no ultrasound": (
        lambda f: make_dicom(f / "a.dcm", GREY, Modality="CT"),
        ValueError,
        "modal",
    ),
    "DICOM of no modality": (
        lambda f: make_dicom(f / "a.dcm", GREY, Modality=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"),
        ValueError,
        "modality",
    ),
    "DICOM without pixels": (lambda f: make_dicom(f / "a.dcm", GREY, Rows=None), OSError, "without an image"),
    "DICOM of 16 bits": (lambda f: sixteen_bits(f / "a.dcm"), ValueError, "12-bit"),
    "JPEG called uncompressed": (lambda f: called_uncompressed(f / "a.dcm"), OSError, "but they are JPEG"),
    "4:2:2 cut": (
        lambda f: make_dicom(
            f / "a.dcm",
            COLOUR,
            "RGB",
            PhotometricInterpretation="YBR_FULL_422",
            PixelData=as_422(COLOUR[:3]),
        ),
        OSError,
        "holds 3 whole frames where its header says 5",
    ),
    "video turned by 45 degrees": (
        lambda f: turned(make_video(f / "a.mp4", COLOUR, "mpeg4", "yuv420p"), 45),
        ValueError,
        "45 degrees",
    ),
    "text called DICOM": (lambda f: of_bytes(f / "a.dcm", b"text"), OSError, "no readable DICOM"),
    "truncated mp4": (
        lambda f: cut(make_video(f / "a.mp4", COLOUR, "mpeg4", "yuv420p", movflags="faststart"), 0.6),
        OSError,
        "truncated|damaged",
    ),
    "mp4 without its index": (
        lambda f: cut(make_video(f / "a.mp4", COLOUR, "mpeg4", "yuv420p"), 0.6),
        OSError,
        "no readable video",
    ),
    "noise called mp4": (
        lambda f: of_bytes(f / "a.mp4", bytes(range(256)) * 9),
        OSError,
        "no readable video",
    ),
    "a playlist called mp4": (
        lambda f: of_bytes(f / "a.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"),
        OSError,
        "",
    ),
    "video without pictures": (lambda f: only_sound(f / "a.mkv"), ValueError, "only sound"),
    "grey video of 10 bits": (
        lambda f: make_video(f / "a.mkv", GREY, "ffv1", "gray10le"),
        ValueError,
        "10-bit pixels .gray10le.; expected 8 bits",
    ),
    "HDR video": (
        lambda f: make_video(f / "a.mp4", COLOUR, "libx264", "yuv420p", color_trc="smpte2084"),
        ValueError,
        "HDR",
    ),
    "truncated WEBP": (
        lambda f: cut(make_webp(f / "a.webp", COLOUR), 0.6),
        OSError,
        "no readable WEBP",
    ),
    "truncated NIfTI": (lambda f: cut(make_nifti(f / "a.nii.gz", GREY), 0.6), OSError, "truncated"),
    "NIfTI of 16 bits": (
        lambda f: make_nifti(f / "a.nii", GREY.astype(np.int16)),
        ValueError,
        "int16 pixels",
    ),
    "NIfTI volume over time": (
        lambda f: make_nifti(f / "a.nii", GREY) and save_volume(f / "a.nii"),
        ValueError,
        "volume over time",
    ),
    "truncated NPY": (lambda f: cut(save(f / "a.npy", GREY), 0.6), OSError, "truncated"),
    "truncated NPZ": (lambda f: cut(savez(f / "a.npz", arr=GREY), 0.6), OSError, "truncated"),
    "pickled NPY": (lambda f: save(f / "a.npy", np.array([{}, {}])), OSError, "pickled"),
    "pickled NPZ": (lambda f: savez(f / "a.npz", arr=np.array([{}, {}])), ValueError, "pickled"),
    "NPZ of two arrays": (lambda f: savez(f / "a.npz", a=GREY, b=GREY), ValueError, "2 arrays"),
    "floats": (lambda f: save(f / "a.npy", GREY / 255), ValueError, "float64 pixels"),
    "channels first": (lambda f: save(f / "a.npy", COLOUR.transpose(0, 3, 1, 2)), ValueError, "time first"),
    "no frames": (lambda f: save(f / "a.npy", GREY[:0]), OSError, "no frames"),
    "empty folder": (lambda f: f, OSError, "no frames"),
    "stills of two sizes": (lambda f: two_sizes(f / "a"), ValueError, "changes from"),
    "truncated JPEG": (lambda f: cut(still(f / "a.jpg", GREY[0]), 0.7), OSError, "could not be decoded"),
    "empty PNG": (lambda f: of_bytes(f / "a.png", b""), OSError, "could not be decoded"),
    "WEBP cut in its header": (lambda f: of_bytes(f / "a.webp", b"RIFF\xff\0\0\0WEBPVP8X"), OSError, ""),
    "truncated TIFF": (lambda f: cut(make_tiff(f / "a.tif", GREY), 0.7), OSError, ""),
    "unknown suffix": (lambda f: of_bytes(f / "a.txt", b"text"), ValueError, "no clip that can be read"),
    "nothing": (lambda f: f / "a.mp4", FileNotFoundError, ""),
}


def save_volume(path: Path) -> Path:
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6, 7), np.uint8), np.eye(4)), path)
    return path


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read_says_why(kind: str, tmp_path: Path) -> None:
    make, error, said = BAD[kind]
    path = make(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(error, match=said) as raised:
            sa.read_clip(path)
        with pytest.raises(error, match=said):
            for _ in sa.iter_clip(path):
                pass
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    if not isinstance(raised.value, FileNotFoundError):
        assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("library", "name", "extra"),
    [("pydicom", "a.dcm", "dicom"), ("av", "a.mp4", "video"), ("nibabel", "a.nii", "nifti")],
)
def test_a_missing_library_names_its_extra(
    library: str, name: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'pip install "sectoraug\[{extra}\]"\.$'):
        sa.read_clip(tmp_path / name)


def test_a_missing_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import Decoder

    path = make_dicom(tmp_path / "a.dcm", COLOUR, "YBR_FULL_422")
    monkeypatch.setattr(Decoder, "is_available", False)
    with pytest.raises(ImportError, match=r"JPEG Baseline .*decoder is missing: .*sectoraug\[dicom\]"):
        sa.read_clip(path)


def test_errors_quote_no_header(tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", GREY, Modality="SECRET", PatientName="Secret^Name")
    with pytest.raises(ValueError, match="modality") as raised:
        sa.read_clip(path)
    assert "SECRET" not in str(raised.value).upper().replace(str(path).upper(), "")


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("PhotometricInterpretation", "DOE^JANE"),
        ("NumberOfFrames", str(len(GREY))),
        ("TransferSyntaxUID", ""),
    ],
)
def test_no_part_of_a_traceback_quotes_the_header(where: str, word: str, tmp_path: Path) -> None:
    path = make_dicom(tmp_path / "a.dcm", GREY, **({where: word} if where != "TransferSyntaxUID" else {}))
    if where == "NumberOfFrames":
        replaced(path, b"\x28\0\x08\0IS\x02\0" + f"{len(GREY)} ".encode(), b"\x28\0\x08\0IS\x08\0DOE^JANE")
    if where == "TransferSyntaxUID":
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.DOE^JANE.11.2.10"))
    with (
        warnings.catch_warnings(),
        pytest.raises(OSError, match="could not be decoded|cannot be decoded") as error,
    ):
        warnings.simplefilter("ignore")
        sa.read_clip(path)
    assert "DOE" not in "".join(traceback.format_exception(error.value))
