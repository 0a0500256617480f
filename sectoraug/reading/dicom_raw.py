"""The bytes of a DICOM file's pixels: what a header says wrongly of them, and the frames that are there."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COPIED = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)

_MARKS = (b"\xff\xd8\xff", b"\xff\x4f\xff")
"""With which JPEG and JPEG-LS, and JPEG 2000, begin."""


def raw_pixels(path: Path) -> NDArray[np.uint8]:
    """The bytes of the pixels, mapped; fewer than the header says where the file is cut."""
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


Pieces = Sequence[list[slice]]
"""For each whole frame, where its bytes lie among those of the pixels."""


def whole_frames(header: Any, syntax: Any, pixels: NDArray[np.uint8]) -> Pieces:
    """The frames that are there, however many the header promises; a cut one at the end is none."""
    if syntax.is_compressed:
        return _frames_of_fragments(header, syntax, pixels)
    size = header.Rows * header.Columns * _bytes_a_pixel(header, pixels)
    return _EvenPieces(len(pixels) // size if size else 0, size)


@dataclass(frozen=True)
class _EvenPieces(Sequence[list[slice]]):
    """Frames of one size behind each other; a list of 20 million slices would take gigabytes."""

    n: int
    size: int

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self.n:
            raise IndexError(index)
        return [slice(index * self.size, (index + 1) * self.size)]


def decoded(
    header: Any, syntax: Any, pixels: NDArray[np.uint8], frames: Pieces, decoder: str
) -> Iterator[NDArray[Any]]:
    """Frames in RGB or grey, each decoded under a header of its own, which says what is true of it."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.pixels.utils import iter_pixels

    frame = Dataset()
    frame.file_meta = FileMetaDataset()
    frame.file_meta.TransferSyntaxUID = syntax
    for keyword in _COPIED:
        if keyword in header:
            setattr(frame, keyword, header.get(keyword))
    if is_uncompressed_422(header, syntax):
        is_rgb = _bytes_a_pixel(header, pixels) == 3
        frame.PhotometricInterpretation = "RGB" if is_rgb else "YBR_FULL_422"
        frame.PlanarConfiguration = header.get("PlanarConfiguration", 0) if is_rgb else 0
    for pieces in frames:
        stored = b"".join(pixels[piece].tobytes() for piece in pieces)
        frame.PixelData = encapsulate([stored]) if syntax.is_compressed else stored
        yield from iter_pixels(frame, decoding_plugin=decoder)


def is_uncompressed_422(header: Any, syntax: Any) -> bool:
    """Two bytes a pixel, or three where they are RGB by mistake; pydicom 3 takes both for three of YBR."""
    return header.get("PhotometricInterpretation") == "YBR_FULL_422" and not syntax.is_compressed


def _bytes_a_pixel(header: Any, pixels: NDArray[np.uint8]) -> int:
    if header.get("PhotometricInterpretation") == "YBR_FULL_422":
        promised = int(header.get("NumberOfFrames") or 1) * header.Rows * header.Columns
        return 3 if len(pixels) // 2 == 3 * promised // 2 else 2  # but for a byte that makes it even
    return int(header.get("SamplesPerPixel", 1)) * (int(header.get("BitsAllocated", 8)) // 8)


def _frames_of_fragments(header: Any, syntax: Any, pixels: NDArray[np.uint8]) -> Pieces:
    """By the table of offsets, else by the marks with which coded pictures begin."""
    fragments, is_cut = _fragments(pixels)
    if len(fragments) < 2:
        return []
    table, fragments = pixels[fragments[0]], fragments[1:]
    offsets = (
        table.view("<u4") if table.size else np.frombuffer(header.get("ExtendedOffsetTable", b""), "<u8")
    )
    # They count from the first fragment's item, whose head takes 8 bytes.
    starts = {fragments[0].start + int(offset) for offset in offsets}
    if not starts and syntax.name != "RLE Lossless":
        starts = {f.start for f in fragments if pixels[f][:3].tobytes() in _MARKS}
    frames: list[list[slice]] = []
    for fragment in fragments:
        if not frames or not starts or fragment.start in starts:
            frames.append([])
        frames[-1].append(fragment)
    # Where frames have several fragments, the last ones before the cut may lack others.
    return frames[:-1] if is_cut and len(fragments) > len(frames) else frames


def _fragments(pixels: NDArray[np.uint8]) -> tuple[list[slice], bool]:
    """Whole fragments, the table of offsets first, and whether the last one is cut."""
    found: list[slice] = []
    at = 0
    while at + 8 <= len(pixels) and pixels[at : at + 4].tobytes() == b"\xfe\xff\x00\xe0":
        end = at + 8 + int.from_bytes(pixels[at + 4 : at + 8].tobytes(), "little")
        if end > len(pixels):
            return found, True
        found.append(slice(at + 8, end))
        at = end
    return found, pixels[at : at + 4].tobytes() != b"\xfe\xff\xdd\xe0"
