"""Readers: small valid files of every format, with bytes changed, cut, doubled or exchanged."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np

import sectoraug as sa
from fuzzing.confined import Broken
from fuzzing.values import Rng


def _makers() -> dict[str, Callable[[Path], object]]:
    from clip_files import COLOUR, GREY, make_apng, make_nifti, make_tiff, make_webp, save, savez, still
    from dicom_clips import as_422, eight_bit_palette, make_dicom, without_preamble
    from pydicom.uid import JPEG2000Lossless, RLELossless
    from video_clips import make_video

    grey, colour = GREY[:3, :24, :32], COLOUR[:3, :24, :32]

    def packed(path: Path, syntax: str) -> object:
        import pydicom
        from PIL import Image
        from pydicom.encaps import encapsulate

        data = pydicom.dcmread(make_dicom(path, grey))
        if syntax == RLELossless:
            data.compress(syntax)
        else:
            streams = [io.BytesIO() for _ in grey]
            for frame, stream in zip(grey, streams, strict=True):
                Image.fromarray(frame).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
            data.PixelData = encapsulate([stream.getvalue() for stream in streams])
            data["PixelData"].is_undefined_length = True
            data.file_meta.TransferSyntaxUID = syntax
        return data.save_as(path)

    return {
        "dicom.dcm": lambda p: make_dicom(p, grey),
        "colour.dcm": lambda p: make_dicom(p, colour, "RGB"),
        "jpeg.dcm": lambda p: make_dicom(p, colour, "YBR_FULL_422"),
        "palette.dcm": lambda p: make_dicom(p, grey, "PALETTE COLOR"),
        "big.dcm": lambda p: eight_bit_palette(p, grey, ">u2"),
        "bare.dcm": lambda p: without_preamble(make_dicom(p, grey), True),
        "422.dcm": lambda p: make_dicom(
            p, colour, "RGB", PhotometricInterpretation="YBR_FULL_422", PixelData=as_422(colour)
        ),
        "rle.dcm": lambda p: packed(p, RLELossless),
        "j2k.dcm": lambda p: packed(p, JPEG2000Lossless),
        "video.mkv": lambda p: make_video(p, grey, "ffv1", "gray"),
        "video.mp4": lambda p: make_video(p, colour, "mpeg4", "yuv420p"),
        "video.avi": lambda p: make_video(p, colour, "mjpeg", "yuvj420p"),
        "video.gif": lambda p: make_video(p, colour, "gif", "rgb8"),
        "clip.nii": lambda p: make_nifti(p, grey),
        "clip.nii.gz": lambda p: make_nifti(p, grey),
        "clip.npy": lambda p: save(p, grey),
        "clip.npz": lambda p: savez(p, frames=grey),
        "packed.npz": lambda p: savez(p, True, frames=colour),
        "still.png": lambda p: still(p, grey[0]),
        "colour.png": lambda p: still(p, colour[0]),
        "moving.png": lambda p: make_apng(p, colour),
        "still.jpg": lambda p: still(p, grey[0]),
        "still.bmp": lambda p: still(p, colour[0]),
        "still.tif": lambda p: still(p, grey[0]),
        "pages.tiff": lambda p: make_tiff(p, colour),
        "still.webp": lambda p: still(p, colour[0]),
        "moving.webp": lambda p: make_webp(p, colour),
    }


@cache
def valid_files() -> dict[str, bytes]:
    """The bytes of each file, by its name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in _makers().items():
            make(Path(folder, name))
            found[name] = Path(folder, name).read_bytes()
    return found


@cache
def _masks() -> dict[str, bytes]:
    """A sector of 24 x 32 pixels in each format of a mask, by the name of its file."""
    from clip_files import save, still

    sector = np.zeros((24, 32), np.uint8)
    sector[4:20, 8:24] = 255
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("png", "bmp", "tif", "npy"):
            (save if ending == "npy" else still)(Path(folder, f"mask.{ending}"), sector)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def mutated(rng: Rng, data: bytes, other: bytes) -> bytes:
    """One to a few changes, most of them near the start, where headers are."""
    found = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 4, 16]))):
        way, n = int(rng.integers(8)), len(found)
        if n == 0:
            break
        at = int(n * rng.random() ** (3 if rng.random() < 0.7 else 1))
        span = int(rng.choice([1, 1, 2, 4, 8, 64]))
        if way == 0:
            found[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            found[at : at + span] = rng.integers(0, 256, min(span, n - at)).astype(np.uint8).tobytes()
        elif way == 2:
            found[at : at + span] = bytes([int(rng.choice([0, 1, 0x7F, 0x80, 0xFF]))]) * min(span, n - at)
        elif way == 3:
            del found[at : at + span]
        elif way == 4:
            found[at:at] = found[at : at + span]
        elif way == 5:
            del found[at:]
        elif way == 6:
            start = int(rng.integers(max(len(other), 1)))
            found[at : at + span] = other[start : start + span]
        else:
            found[at:at] = rng.integers(0, 256, span).astype(np.uint8).tobytes()
    return bytes(found)


def read(name: str, rng: Rng, folder: Path) -> str:
    """Read a changed file whole and frame by frame; both say the same."""
    files = valid_files()
    names = list(files)
    data = files[name]
    if rng.random() < 0.98:
        data = mutated(rng, data, files[names[int(rng.integers(len(names)))]])
    path = folder / name
    path.write_bytes(data)
    grey, miscounted = bool(rng.integers(2)), str(rng.choice(["raise", "keep"]))
    # An endless animation is for the caller's limit, and so is what a header promises.
    clip = sa.read_clip(path, grey, limit_bytes=1 << 26, miscounted=miscounted)
    n = 0
    for frame in sa.iter_clip(path, grey, miscounted=miscounted):
        if frame.dtype != np.uint8 or not frame.flags.c_contiguous or frame.shape != clip.shape[1:]:
            raise Broken("a frame of another shape or dtype than the clip's")
        if n >= len(clip) or not np.array_equal(frame, clip[n]):
            raise Broken("frame by frame differs from whole")
        n += 1
    if n != len(clip) or (grey and clip.ndim != 3):
        raise Broken("another number of frames one by one")
    if path.read_bytes() != data:
        raise Broken("the file was written to")
    return "done"


def into_pool(rng: Rng, folder: Path) -> str:
    """A still and its mask, changed, into a pool from files."""
    files, masks = valid_files(), _masks()
    stills = [name for name in files if name.startswith(("still", "colour.p"))]
    image, mask = (names[int(rng.integers(len(names)))] for names in (stills, list(masks)))
    for name, data in ((f"a.{image}", files[image]), (f"b.{mask}", masks[mask])):
        (folder / name).write_bytes(data if rng.random() < 0.5 else mutated(rng, data, files[stills[0]]))
    pool = sa.BackgroundPool.from_files(
        [folder / f"a.{image}"], [folder / f"b.{mask}"], size=(24, 32), resize="raise", progress=False
    )
    background, sector = pool[0]
    if background[sector].any():
        raise Broken("a donor that is not black in its sector")
    return "done"


def targets() -> dict[str, Callable[[Rng, Path], str]]:
    """A reader for each valid file."""
    return {f"read {name}": partial(read, name) for name in valid_files()}
