"""Every family of clips reads as it was written, in bounded memory, or raises one sentence."""

from __future__ import annotations

import subprocess
import sys
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

from dicom_clips import as_422, eight_bit_palette, make_dicom, palette_table, without_preamble  # noqa: E402
from pydicom.data import get_testdata_file  # noqa: E402
from video_clips import make_video, turned  # noqa: E402

GREY = sa.phantom.make_clip(frames=5, size=(48, 64)).frames
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def make_nifti(path: Path, frames: np.ndarray, axes: int = 3) -> Path:
    clip = frames.transpose(2, 1, 0)
    if axes == 4:
        clip = clip[:, :, None]
    nibabel.save(nibabel.Nifti1Image(clip, np.eye(4)), path)
    return path


def make_colour_nifti(path: Path) -> Path:
    rgb = np.ascontiguousarray(COLOUR).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.save(nibabel.Nifti1Image(rgb.transpose(2, 1, 0), np.eye(4)), path)
    return path


def make_stills(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    for t, frame in enumerate(frames):  # frame8, frame9, frame10: not in the order of letters
        stored = frame if frame.ndim == 2 else frame[:, :, ::-1]
        cv2.imwrite(str(folder / f"frame{t + 8}.png"), stored)
    (folder / "about.txt").write_text("no still")
    return folder


def make_tiff(path: Path, frames: np.ndarray) -> Path:
    cv2.imwritemulti(str(path), [frame if frame.ndim == 2 else frame[:, :, ::-1] for frame in frames])
    return path


def save(path: Path, frames: np.ndarray) -> Path:
    np.save(path, frames)
    return path


def savez(path: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def still(path: Path, frame: np.ndarray) -> Path:
    cv2.imwrite(str(path), frame if frame.ndim == 2 else frame[:, :, ::-1])
    return path


LOSSLESS: dict[str, Any] = {
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


# -- what cannot be read --------------------------------------------------------------------------


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
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


def sixteen_bit_palette(path: Path) -> Path:
    more = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelData": GREY.astype("<u2").tobytes()}
    return make_dicom(path, GREY, "PALETTE COLOR", **more)


def called_uncompressed(path: Path) -> Path:
    """JPEG pictures under the transfer syntax of uncompressed pixels."""
    pixels = pydicom.dcmread(make_dicom(path, COLOUR, "YBR_FULL_422")).PixelData
    return make_dicom(path, COLOUR, "RGB", PixelData=pixels + b"\0" * (len(pixels) % 2))


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
        "holds 3 of its 5 frames",
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
    "video of 10 bits": (
        lambda f: make_video(f / "a.mkv", COLOUR, "ffv1", "yuv420p10le"),
        ValueError,
        "10-bit",
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


# -- memory ---------------------------------------------------------------------------------------


def test_a_clip_larger_than_the_limit_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    frames = np.lib.format.open_memmap(
        tmp_path / "a.npy", "w+", np.uint8, (10_000, 2160, 3840)
    )  # a sparse file
    frames[1, 5, 5] = 9
    del frames
    with pytest.raises(ValueError, match=r"more than 4 GiB when decoded; .*iter_clip"):
        sa.read_clip(tmp_path / "a.npy")
    stream = sa.iter_clip(tmp_path / "a.npy")
    next(stream)
    assert next(stream)[5, 5] == 9
    with pytest.raises(ValueError, match="limit_bytes"):
        sa.read_clip(make_video(tmp_path / "a.mkv", GREY, "ffv1", "gray"), limit_bytes=GREY[:4].nbytes)


PEAK = """
import re, sys
import sectoraug as sa
total = sum(int(frame.max()) for frame in sa.iter_clip(sys.argv[1]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak_kib(path: Path, program: str = PEAK) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize("kind", ["dicom", "jpeg dicom", "avi", "nii.gz", "npz", "npy"])
def test_streaming_memory_does_not_grow_with_the_clip(kind: str, tmp_path: Path) -> None:
    """400 frames more, of 480 x 640, are 117 MiB or 351 MiB."""
    peaks = []
    for n in (20, 420):
        ramp = np.broadcast_to(np.arange(640, dtype=np.uint8), (n, 480, 640))
        make: dict[str, Any] = {
            "dicom": lambda r=ramp: make_dicom(tmp_path / f"{len(r)}.dcm", r),
            "jpeg dicom": lambda r=ramp: make_dicom(
                tmp_path / f"{len(r)}.dcm", np.broadcast_to(r[..., None], (*r.shape, 3)), "YBR_FULL_422"
            ),
            "avi": lambda r=ramp: make_video(tmp_path / f"{len(r)}.avi", r, "mpeg4", "yuv420p"),
            "nii.gz": lambda r=ramp: make_nifti(tmp_path / f"{len(r)}.nii.gz", r),
            "npz": lambda r=ramp: savez(tmp_path / f"{len(r)}.npz", True, frames=r),
            "npy": lambda r=ramp: save(tmp_path / f"{len(r)}.npy", r),
        }
        peaks.append(peak_kib(make[kind]()))
    print(kind, peaks)
    mapped = 420 * 480 * 640 / 1024 if kind == "npy" else 0  # mapped pages count, but can be given back
    assert peaks[1] - peaks[0] < 24 * 1024 + mapped


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_finding_a_sector_takes_no_more_memory_for_a_longer_clip(tmp_path: Path) -> None:
    """400 frames more are 29 MiB."""
    program = PEAK.replace(
        "total = sum(int(frame.max()) for frame in sa.iter_clip(sys.argv[1]))",
        "sa.sector_from_clip(sa.iter_clip(sys.argv[1]))",
    )
    assert "sector_from_clip" in program
    rng = np.random.default_rng(0)
    peaks = []
    for n in (20, 420):
        frames = np.zeros((n, 240, 320), np.uint8)
        for frame, speckle in zip(frames, rng.integers(20, 230, (n, 40, 55), dtype=np.uint8), strict=True):
            frame[40:200, 50:270] = cv2.resize(speckle, (220, 160))
        peaks.append(peak_kib(savez(tmp_path / f"{n}.npz", frames=frames), program))
    print(peaks)
    assert peaks[1] - peaks[0] < 8 * 1024
