"""What a DICOM header says wrongly of uncompressed pixels, and what they are."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COPIED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)


def raw_pixels(path: Path) -> NDArray[np.uint8]:
    """The bytes of uncompressed pixels, mapped; fewer than the header says where the file is cut."""
    from pydicom import dcmread

    with open(path, "rb") as file:
        header = dcmread(file, stop_before_pixels=True, force=True)
        is_implicit, is_little = header.original_encoding
        start = file.read(8 if is_implicit else 12)
        if len(start) < 8:
            return np.empty(0, np.uint8)
        n_bytes = struct.unpack("<L" if is_little else ">L", start[-4:])[0]
        offset = file.tell()
    n_bytes = min(n_bytes, path.stat().st_size - offset)
    return np.memmap(path, np.uint8, "r", offset, (n_bytes,)) if n_bytes else np.empty(0, np.uint8)


def is_jpeg(pixels: NDArray[np.uint8]) -> bool:
    """Whether these bytes are a JPEG picture, or fragments of one, and no pixels."""
    start, end = pixels[:4].tobytes(), pixels[-16:].tobytes()
    return start == b"\xfe\xff\x00\xe0" or (start[:3] == b"\xff\xd8\xff" and b"\xff\xd9" in end)


def frames_of_422(header: Any, pixels: NDArray[np.uint8]) -> Iterator[NDArray[Any]]:
    """RGB frames of uncompressed YBR_FULL_422: two bytes a pixel, or three where they are RGB by mistake.

    pydicom 3's iterator takes both for three bytes of YBR. It decodes one frame under a true header.
    """
    from pydicom.dataset import Dataset, FileMetaDataset

    n, area = int(header.get("NumberOfFrames") or 1), header.Rows * header.Columns
    is_rgb = len(pixels) >= 3 * area * n
    size = (3 if is_rgb else 2) * area
    frame = Dataset()
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = header.file_meta.TransferSyntaxUID
    for keyword in _COPIED:
        setattr(frame, keyword, header.get(keyword))
    frame.PhotometricInterpretation = "RGB" if is_rgb else "YBR_FULL_422"
    frame.PlanarConfiguration = header.get("PlanarConfiguration", 0) if is_rgb else 0
    for index in range(min(n, len(pixels) // size)):
        frame.PixelData = pixels[index * size : (index + 1) * size].tobytes()
        yield frame.pixel_array
