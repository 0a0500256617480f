"""DICOM files of which no masked copy may come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dicom_encodings import COLOUR, ENCODINGS, GREY, Encoding, header, native, write
from pydicom import dcmread
from pydicom.encaps import encapsulate


def _changed(name: str, **more: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        fill = ENCODINGS[name].fill

        def filled(data: Any) -> None:
            fill(data)
            for keyword, value in more.items():
                setattr(data, keyword, value) if value is not None else delattr(data, keyword)

        return write(path, Encoding(filled, syntax=ENCODINGS[name].syntax), header())

    return make


def _sixteen_bits(data: Any) -> None:
    native(data, GREY.astype("<u2") << 4, bits=16)
    data.BitsStored, data.HighBit = 12, 11


def _floats(data: Any) -> None:
    native(data, GREY)
    data.add_new(0x7FE00008, "OF", GREY.astype("<f4").tobytes())
    data.BitsAllocated = 32
    data.PixelData = b""


def _film(data: Any) -> None:
    native(data, COLOUR, "YBR_PARTIAL_420")
    data.PixelData = encapsulate([b"\0\0\1\xb3" + bytes(100)] * 3)
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"


def _two_sizes(data: Any) -> None:
    """The second of the compressed frames is of another size than the header says."""
    from io import BytesIO

    from PIL import Image

    native(data, GREY)
    pictures = []
    for frame in (GREY[0], np.tile(GREY[1], (2, 2)), GREY[2]):
        stream = BytesIO()
        Image.fromarray(frame).save(stream, "JPEG", quality=90)
        pictures.append(stream.getvalue())
    data.PixelData = encapsulate(pictures)
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"


def _jpeg_called_plain(path: Path) -> Path:
    write(path, ENCODINGS["JPEG, grey"], header())
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.10008.1.2.1\0\0\0", 1))
    return path


def _cut(path: Path) -> Path:
    write(path, ENCODINGS["explicit little endian"], header())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - GREY.nbytes // 2])
    return path


def _no_pixels(path: Path) -> Path:
    write(path, ENCODINGS["explicit little endian"], header())
    data = dcmread(path)
    del data.PixelData
    data.save_as(path)
    return path


def _of(fill: Callable[[Any], None]) -> Callable[[Path], Path]:
    return lambda path: write(path, Encoding(fill), header())


REFUSED: dict[str, Callable[[Path], Path]] = {
    "MONOCHROME1": _changed("explicit little endian", PhotometricInterpretation="MONOCHROME1"),
    "12 of 16 bits": _of(_sixteen_bits),
    "signed": _changed("explicit little endian", PixelRepresentation=1),
    "float pixels": _of(_floats),
    "MPEG-4": _of(_film),
    "frames of two sizes": _of(_two_sizes),
    "JPEG called uncompressed": _jpeg_called_plain,
    "cut": _cut,
    "no pixels": _no_pixels,
    "another modality": _changed("explicit little endian", Modality="CT"),
    "a header of other rows": _changed("JPEG, grey", Rows=96),
    "palette without its table": _changed("palette", RedPaletteColorLookupTableData=None),
}
