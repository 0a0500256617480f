"""The ways in which frames of ultrasound are stored in DICOM, under the header of a made-up patient."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import UID, generate_uid

import sectoraug as sa

NAME, BIRTH = "Invented^Patient", "19340506"
SIZE = (48, 64)
CLIP = sa.phantom.make_clip(frames=3, size=SIZE, seed=3)
SECTOR = CLIP.sector
_NOISE = np.random.default_rng(5).integers(1, 256, (3, *SIZE), np.uint8)  # no 0 outside
GREY = np.where(SECTOR, CLIP.frames, _NOISE).astype(np.uint8)
COLOUR = np.stack([GREY, GREY // 2 + 100, 255 - GREY // 3], -1)
_LEVELS = np.arange(256, dtype=np.uint8)
TABLE = np.stack([_LEVELS, 255 - _LEVELS, _LEVELS // 2], 1)  # of colours
SYNTAX = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
}


@dataclass(frozen=True, eq=False)
class Encoding:
    """A way to store the frames."""

    fill: Callable[[Dataset], None]
    """Sets the pixels and what describes them; the transfer syntax, too, where they are compressed."""
    shown: np.ndarray | None = field(default_factory=lambda: GREY)
    """What a reader must give; None where that is lossy."""
    syntax: str = "explicit"


def header() -> Dataset:
    """Of an ultrasound clip of a made-up patient."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    data.SOPInstanceUID, data.StudyInstanceUID, data.SeriesInstanceUID = (generate_uid() for _ in range(3))
    data.Modality, data.PatientName, data.PatientID, data.PatientBirthDate = "US", NAME, "0000", BIRTH
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.NumberOfFrames, data.Rows, data.Columns = 3, *SIZE
    return data


def native(
    data: Dataset,
    stored: np.ndarray | bytes,
    photometric: str = "MONOCHROME2",
    bits: int = 8,
    planar: int = 0,
) -> None:
    """Pixels without compression."""
    data.SamplesPerPixel = 1 if photometric[0] in "MP" else 3
    data.PhotometricInterpretation = photometric
    data.BitsAllocated = bits
    data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 7, 0
    if data.SamplesPerPixel == 3:
        data.PlanarConfiguration = planar
    raw = stored if isinstance(stored, bytes) else stored.tobytes()
    data.PixelData = raw + b"\0" * (len(raw) % 2)
    data["PixelData"].VR = "OW" if bits > 8 else "OB"


def write(path: Path, encoding: Encoding, data: Dataset, hidden: bytes = b"") -> Path:
    """Write a header, with what was put into it, and the frames, with `hidden` among their bytes."""
    encoding.fill(data)
    syntax = UID(data.file_meta.get("TransferSyntaxUID") or SYNTAX[encoding.syntax])
    data.file_meta.TransferSyntaxUID = syntax
    if syntax.is_encapsulated:
        frames = generate_frames(data.PixelData, number_of_frames=int(data.NumberOfFrames))
        data.PixelData = encapsulate([_with_hidden(frame, hidden) for frame in frames])
        _encapsulate_all(data)
    else:
        data.PixelData += hidden
    dcmwrite(
        path,
        data,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
        enforce_file_format=True,
    )
    return path


def _with_hidden(coded: bytes, hidden: bytes) -> bytes:
    """In a comment of a JPEG, else behind the coded frame."""
    if coded[:2] == b"\xff\xd8" and hidden:
        return coded[:2] + b"\xff\xfe" + (len(hidden) + 2).to_bytes(2, "big") + hidden + coded[2:]
    return coded + hidden


def _encapsulate_all(data: Dataset) -> None:
    """Pixels of icons and other items, too, which must be fragments where the frames are."""
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                _encapsulate_all(item)
        elif element.tag == 0x7FE00010:
            if not element.value.startswith(b"\xfe\xff\x00\xe0"):
                element.value = encapsulate([element.value])
            element.is_undefined_length = True


def _palette(data: Dataset) -> None:
    native(data, GREY, "PALETTE COLOR")
    for colour, column in zip(("Red", "Green", "Blue"), TABLE.T, strict=True):
        setattr(data, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{colour}PaletteColorLookupTableData", (column.astype("<u2") << 8).tobytes())


def _overlay_in_high_bits(data: Dataset) -> None:
    """A plane in bit 8, as DICOM once allowed, and noise in the bits above it."""
    native(data, GREY.astype("<u2") | (_NOISE[::-1].astype("<u2") << 8), bits=16)
    data.add_new(0x60000010, "US", SIZE[0])
    data.add_new(0x60000011, "US", SIZE[1])
    data.add_new(0x60000040, "CS", "G")
    data.add_new(0x60000050, "SS", [1, 1])
    data.add_new(0x60000100, "US", 16)
    data.add_new(0x60000102, "US", 8)


def _jpeg(frames: np.ndarray, subsampling: str = "4:2:2") -> Callable[[Dataset], None]:
    def fill(data: Dataset) -> None:
        grey = frames.ndim == 3
        native(data, frames, "MONOCHROME2" if grey else "YBR_FULL_422")
        pictures = []
        for frame in frames:
            stream = io.BytesIO()
            how: dict[str, Any] = {} if grey else {"subsampling": subsampling}
            Image.fromarray(frame).save(stream, "JPEG", quality=90, comment=b"", **how)
            pictures.append(stream.getvalue())
        data.PixelData = encapsulate(pictures)
        data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
        data.LossyImageCompression = "01"

    return fill


def _by_gdcm(frames: np.ndarray, syntax: int, photometric: str = "MONOCHROME2") -> Callable[[Dataset], None]:
    def fill(data: Dataset) -> None:
        plain = header()
        with tempfile.TemporaryDirectory() as folder:
            source, coded = Path(folder, "a"), Path(folder, "b")
            write(source, Encoding(lambda d: native(d, frames, photometric)), plain)
            reader = gdcm.ImageReader()
            reader.SetFileName(str(source))
            assert reader.Read()
            change = gdcm.ImageChangeTransferSyntax()
            change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
            change.SetInput(reader.GetImage())
            assert change.Change(), syntax
            writer = gdcm.ImageWriter()
            writer.SetFileName(str(coded))
            writer.SetFile(reader.GetFile())
            writer.SetImage(change.GetOutput())
            assert writer.Write()
            done = dcmread(coded)
        native(data, frames, done.PhotometricInterpretation, planar=done.get("PlanarConfiguration", 0))
        data.PixelData = done.PixelData
        data.file_meta.TransferSyntaxUID = done.file_meta.TransferSyntaxUID

    return fill


def _ybr(frames: np.ndarray) -> np.ndarray:
    return np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in frames])


def _as_422(frames: np.ndarray) -> bytes:
    ybr = _ybr(frames)
    luminance = ybr[..., 0].reshape(*ybr.shape[:2], -1, 2)
    return np.concatenate([luminance, ybr[:, :, ::2, 1:]], -1).astype(np.uint8).tobytes()


_PLANES = np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2))
_T = gdcm.TransferSyntax
ENCODINGS: dict[str, Encoding] = {
    "explicit little endian": Encoding(lambda d: native(d, GREY)),
    "implicit little endian": Encoding(lambda d: native(d, GREY), syntax="implicit"),
    "explicit big endian": Encoding(lambda d: native(d, GREY), syntax="big endian"),
    "deflated": Encoding(lambda d: native(d, GREY), syntax="deflated"),
    "RGB": Encoding(lambda d: native(d, COLOUR, "RGB"), COLOUR),
    "RGB by plane": Encoding(lambda d: native(d, _PLANES, "RGB", planar=1), COLOUR),
    "YBR_FULL": Encoding(lambda d: native(d, _ybr(COLOUR), "YBR_FULL"), None),
    "YBR_FULL by plane": Encoding(
        lambda d: native(d, np.ascontiguousarray(_ybr(COLOUR).transpose(0, 3, 1, 2)), "YBR_FULL", planar=1),
        None,
    ),
    "YBR_FULL_422": Encoding(lambda d: native(d, _as_422(COLOUR), "YBR_FULL_422"), None),
    "palette": Encoding(_palette, TABLE[GREY]),
    "8 of 16 bits, an overlay above": Encoding(_overlay_in_high_bits),
    "8 of 16 bits, big endian": Encoding(
        lambda d: native(d, GREY.astype(">u2"), bits=16), syntax="big endian"
    ),
    "JPEG, grey": Encoding(_jpeg(GREY), None),
    "JPEG, 4:2:2": Encoding(_jpeg(COLOUR), None),
    "JPEG, 4:2:0": Encoding(_jpeg(COLOUR, "4:2:0"), None),
    "JPEG lossless": Encoding(_by_gdcm(GREY, _T.JPEGLosslessProcess14_1)),
    "JPEG lossless, RGB": Encoding(_by_gdcm(COLOUR, _T.JPEGLosslessProcess14_1, "RGB"), COLOUR),
    "JPEG-LS": Encoding(_by_gdcm(GREY, _T.JPEGLSLossless)),
    "JPEG-LS, RGB": Encoding(_by_gdcm(COLOUR, _T.JPEGLSLossless, "RGB"), COLOUR),
    "JPEG 2000": Encoding(_by_gdcm(GREY, _T.JPEG2000Lossless)),
    "JPEG 2000, RGB": Encoding(_by_gdcm(COLOUR, _T.JPEG2000Lossless, "RGB"), COLOUR),
    "RLE": Encoding(_by_gdcm(GREY, _T.RLELossless)),
    "RLE, RGB": Encoding(_by_gdcm(COLOUR, _T.RLELossless, "RGB"), COLOUR),
}
