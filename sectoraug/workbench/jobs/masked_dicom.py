"""Masked copies of DICOM clips: decoded pixels in Explicit VR Little Endian, and no other pixels.

The header stays, patients' names included: this is no de-identification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import __version__
from sectoraug.reading.dicom import read_header

_LARGEST_BYTES = 0xFFFFFFFE  # the length field of an element has 32 bits
_LOSSY = {  # transfer syntaxes that lose, or may have lost, and the term for how (PS3.3 C.7.6.1.1.5)
    "1.2.840.10008.1.2.4.50": "ISO_10918_1",
    "1.2.840.10008.1.2.4.51": "ISO_10918_1",
    "1.2.840.10008.1.2.4.81": "ISO_14495_1",
    "1.2.840.10008.1.2.4.91": "ISO_15444_1",
}
_OF_STORED_VALUES = (  # they describe the source's stored values and tables, which are no more
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "PixelDataProviderURL",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PaletteColorLookupTableUID",
    *(
        f"{c}PaletteColorLookupTable{part}"
        for c in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
)
_WHOLE = (  # sequences that mean nothing once what is binary in them is gone
    0x00880200,  # IconImageSequence
    0x54000100,  # WaveformSequence
    0x00283000,  # ModalityLUTSequence
    0x00283010,  # VOILUTSequence
    0x20500010,  # PresentationLUTSequence
    0x04000500,  # EncryptedAttributesSequence
    0x4FFE0001,  # MACParametersSequence
    0xFFFAFFFA,  # DigitalSignaturesSequence
)
_BINARY = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}
_LONGEST_PRIVATE_BYTES = 256  # vendors keep small pictures as numbers and as text, too
_DERIVATION = f"Pixels outside the ultrasound sector set to 0 by sectoraug {__version__}; not de-identified."


def write_dicom(part: Path, frames: Iterator[NDArray[np.uint8]], path: Path, n: int) -> None:
    """Write `n` frames, (H, W) or (H, W, 3), under the header of the DICOM file at `path`."""
    from pydicom import dcmwrite

    header = read_header(path)
    if header.PhotometricInterpretation == "MONOCHROME1":
        raise ValueError(
            f"{path} is MONOCHROME1, whose 0 is white; expected MONOCHROME2 or colour: convert it first."
        )
    first = next(frames)
    length = n * first.nbytes
    if length > _LARGEST_BYTES:
        raise ValueError(
            f"{path} takes {length / 2**30:.1f} GiB without compression; expected less than 4, the most that "
            "a DICOM element holds: split the clip."
        )
    lossy_method = _LOSSY.get(str(header.file_meta.get("TransferSyntaxUID")))
    _remove_other_pixels(header)
    _say_what_was_done(header, lossy_method)
    _describe_pixels(header, first, n)
    dcmwrite(part, header, enforce_file_format=True)
    with open(part, "ab") as file:  # the pixels are the last element, so they need not be held in memory
        file.write(b"\xe0\x7f\x10\x00OB\0\0" + struct.pack("<I", length + length % 2))
        file.write(first.data)
        for frame in frames:
            file.write(frame.data)
        file.write(b"\0" * (length % 2))


def _say_what_was_done(header: Any, lossy_method: str | None) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    if lossy_method and header.get("LossyImageCompression") != "01":
        header.LossyImageCompression = "01"  # once lossy, always lossy
        header.LossyImageCompressionMethod = lossy_method
    kinds = header.get("ImageType") or ["ORIGINAL", "PRIMARY"]
    header.ImageType = ["DERIVED", *list(kinds)[1:]]
    header.DerivationDescription = f"{_DERIVATION} {header.get('DerivationDescription') or ''}".strip()[:1024]
    # Overlays can remain inside the sector: YES stays, and anything else becomes "may or may not".
    if header.get("BurnedInAnnotation") != "YES" and "BurnedInAnnotation" in header:
        del header.BurnedInAnnotation
    header.SOPInstanceUID = generate_uid()
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.preamble = bytes(128)  # some hold the header of a TIFF of the same pixels


def _remove_other_pixels(header: Any) -> None:
    """At any depth: overlays, curves, what is binary or of unknown kind, and what is private and long."""
    for tag in list(header.keys()):
        kind = _kind(header, tag)
        is_plane = tag.group >> 8 in (0x50, 0x60, 0x7F) and not tag.is_private
        if is_plane or tag in _WHOLE or _BINARY & set(kind.split(" or ")):
            del header[tag]
        elif kind == "SQ":
            for item in header[tag].value:
                _remove_other_pixels(item)
        elif tag.is_private and _length(header.get_item(tag).value) > _LONGEST_PRIVATE_BYTES:
            del header[tag]


def _length(value: Any) -> int:
    return len(value if isinstance(value, bytes) else str(value))


def _kind(header: Any, tag: Any) -> str:
    """Its value representation; not decoding the element, so that it is written as it was."""
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    stored = header.get_item(tag).VR
    if stored not in (None, "UN"):
        return str(stored)
    return "UN" if tag.is_private or not dictionary_has_tag(tag) else dictionary_VR(tag)


def _describe_pixels(header: Any, frame: NDArray[np.uint8], n: int) -> None:
    for keyword in _OF_STORED_VALUES:
        if keyword in header:
            del header[keyword]
    header.Rows, header.Columns = frame.shape[:2]
    header.SamplesPerPixel = 1 if frame.ndim == 2 else 3
    header.PhotometricInterpretation = "MONOCHROME2" if frame.ndim == 2 else "RGB"
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    if frame.ndim == 3:
        header.PlanarConfiguration = 0
    elif "PlanarConfiguration" in header:
        del header.PlanarConfiguration
    if n > 1 or "NumberOfFrames" in header:
        header.NumberOfFrames = n
