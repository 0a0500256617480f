"""DICOM clips and stills through pydicom, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MODALITIES = ("US", "IVUS")
_US_STORAGE = (  # still and multi-frame, and their retired forms
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.3",
)


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """The number of frames that the header promises, and the frames."""
    header = read_header(path)
    promised = header.get("NumberOfFrames")
    return int(1 if promised is None else promised), _frames(path, header)


def read_header(path: Path) -> Any:
    """Everything before the pixels, as a pydicom data set; raise unless it is 8-bit ultrasound."""
    try:
        from pydicom import dcmread
    except ImportError as error:
        raise ImportError('reading DICOM needs pydicom 3: pip install "sectoraug[dicom]".') from error
    try:
        header = dcmread(path, stop_before_pixels=True)
        bits = int(header.get("BitsStored", 0) or 0)
        float(header.get("NumberOfFrames", 1) or 0)
        modality, kind = header.get("Modality"), header.get("SOPClassUID")
        signed = header.get("PixelRepresentation")
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header can raise anything
        raise _unreadable(path, error) from error
    if "Rows" not in header:
        raise OSError(
            f"{path} is DICOM without an image; expected a clip or still: leave it out, or "
            "copy it again if it is cut."
        )
    if modality not in _MODALITIES and (modality or kind not in _US_STORAGE):
        raise ValueError(
            f"{path} is DICOM of another modality than ultrasound, or names none; expected Modality US or "
            "IVUS: leave this file out."
        )
    if bits > 8 or signed:
        raise ValueError(
            f"{path} has {bits}-bit{' signed' if signed else ''} pixels; expected 8 bits, unsigned: window "
            "them to 0..255 first."
        )
    return header


def _frames(path: Path, header: Any) -> Iterator[NDArray[Any]]:
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import iter_pixels

    _need_decoder(path, header)
    palette = header.get("PhotometricInterpretation") == "PALETTE COLOR"
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    frames = iter_pixels(_source(path, header))
    while True:
        try:
            frame = next(frames)
            if palette:
                frame = apply_color_lut(frame, header)
        except StopIteration:
            return
        except Exception as error:  # each decoder has errors of its own
            raise _unreadable(path, error) from error
        if palette and frame.dtype == np.uint16:
            # Colours fill the upper byte, but for scanners that store 8 bits in 16.
            frame = (frame >> (8 if _palette_fills_16_bits(header) else 0)).astype(np.uint8)
        elif frame.dtype == np.uint16 and header.BitsStored <= 8:
            frame = frame.astype(np.uint8)
        yield 255 - frame if inverted else frame


def _source(path: Path, header: Any) -> Any:
    """What pydicom reads the frames from: the file, or all of it where that is deflated as a whole."""
    from pydicom import dcmread

    return dcmread(path) if header.file_meta.TransferSyntaxUID.is_deflated else path


def _palette_fills_16_bits(header: Any) -> bool:
    order = "<u2" if header.original_encoding[1] else ">u2"
    for colour in ("Red", "Green", "Blue"):
        table = header.get(f"{colour}PaletteColorLookupTableData") or b"\xff\xff"
        if np.frombuffer(table[: len(table) // 2 * 2], order).max() > 255:
            return True
    return False


def _need_decoder(path: Path, header: Any) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    syntax = header.file_meta.get("TransferSyntaxUID")
    name = "an unknown transfer syntax" if syntax is None or syntax.is_private else syntax.name
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise OSError(
            f"{path} stores its pixels as {name}, which cannot be decoded; expected JPEG, JPEG-LS, "
            "JPEG 2000, RLE or none: export it as a video file, or without compression."
        ) from error
    if not decoder.is_available:
        raise ImportError(
            f'{path} stores its pixels as {name}, whose decoder is missing: pip install "sectoraug[dicom]".'
        )


def _unreadable(path: Path, error: Exception) -> OSError:
    # The library's own words may quote the header.
    return OSError(
        f"{path} is no readable DICOM image ({type(error).__name__}): it is truncated, damaged or encrypted; "
        "copy it again, or leave it out."
    )
