"""DICOM clips and stills through pydicom, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.clips import is_dicom
from sectoraug.reading.deflated import check_deflated
from sectoraug.reading.dicom_raw import decoded, is_jpeg, is_uncompressed_422, raw_pixels, whole_frames
from sectoraug.reading.sizes import TooLarge, check_size

_SYNTAXES = {  # by implicit and little endian, where no header names one
    (True, True): "1.2.840.10008.1.2",
    (False, True): "1.2.840.10008.1.2.1",
    (False, False): "1.2.840.10008.1.2.2",
}
_MODALITIES = ("US", "IVUS")
_DECODERS = ("pillow", "gdcm", "pyjpegls", "pylibjpeg", "pydicom")
"""pydicom's plugins in the order in which they are taken, whatever else is installed: lossy ones differ."""
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
        check_deflated(path)
        header = dcmread(path, stop_before_pixels=True, force=is_dicom(path))  # some lack the preamble
        rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
        bits = int(header.get("BitsStored", 0) or 0)
        float(header.get("NumberOfFrames", 1) or 0)
        modality, kind = header.get("Modality"), header.get("SOPClassUID")
        signed = header.get("PixelRepresentation")
        for element in header.group_dataset(0x0028):  # what describes the pixels is decoded here or nowhere
            element.value  # noqa: B018
    except (FileNotFoundError, TooLarge):
        raise
    except Exception as error:  # a damaged header can raise anything
        raise _unreadable(path, "its header", error) from None
    if not rows or not columns:
        raise OSError(
            f"{path} is DICOM without an image; expected a clip or still: leave it out, or "
            "copy it again if it is cut."
        )
    if modality not in _MODALITIES and (modality or kind not in _US_STORAGE):
        raise ValueError(
            f"{path} is DICOM of another modality than ultrasound, or names none; expected Modality US or "
            "IVUS: leave this file out."
        )
    check_size(path, rows, columns)
    is_index = header.get("PhotometricInterpretation") == "PALETTE COLOR"
    if (bits > 8 and not is_index) or signed:
        raise ValueError(
            f"{path} has {bits}-bit{' signed' if signed else ''} pixels; expected 8 bits, unsigned: window "
            "them to 0..255 first."
        )
    return header


def _frames(path: Path, header: Any) -> Iterator[NDArray[Any]]:
    from pydicom.pixels.processing import apply_color_lut

    try:
        frames = _stored(path, header)
    except (OSError, ImportError):
        raise
    except Exception as error:
        raise _unreadable(path, "its pixels", error) from None
    try:
        palette = _palette(header) if header.get("PhotometricInterpretation") == "PALETTE COLOR" else None
    except Exception as error:  # a damaged element can raise anything
        raise _unreadable(path, "its palette", error) from None
    inverted = header.get("PhotometricInterpretation") == "MONOCHROME1"
    for index in count(1):
        try:
            frame = next(frames)
            if palette is not None:
                frame = apply_color_lut(frame, palette)
        except StopIteration:
            return
        except Exception as error:  # each decoder has errors of its own
            raise _unreadable(path, f"its frame {index}", error) from None
        is_wide = frame.dtype.newbyteorder("=") == np.uint16
        if palette is not None and is_wide:
            # Colours fill the upper byte, but for scanners that store 8 bits in 16.
            frame = (frame >> (8 if _fills_16_bits(palette) else 0)).astype(np.uint8)
        elif is_wide and int(header.get("BitsStored") or 16) <= 8:
            frame = frame.astype(np.uint8)
        yield 255 - frame if inverted else frame


def _stored(path: Path, header: Any) -> Iterator[NDArray[Any]]:
    from pydicom.pixels.utils import iter_pixels

    syntax, decoder = _syntax(header), _decoder(path, header)
    is_usual = (
        not syntax.is_deflated and header.preamble is not None and "TransferSyntaxUID" in header.file_meta
    )
    pixels = raw_pixels(path) if is_usual else _pixels_in_memory(path)
    if not syntax.is_compressed and is_jpeg(pixels):
        raise OSError(
            f"{path} says that its pixels are uncompressed, but they are JPEG; expected a header that is "
            "true: write the transfer syntax of JPEG into it, or export the file again."
        )
    frames = whole_frames(header, syntax, pixels)
    is_true = len(frames) == header.get("NumberOfFrames", 1) and not is_uncompressed_422(header, syntax)
    if is_true and is_usual:
        return iter_pixels(path, decoding_plugin=decoder)
    return decoded(header, syntax, pixels, frames, decoder)


def _pixels_in_memory(path: Path) -> NDArray[np.uint8]:
    """Of a file that is deflated as a whole, or lacks its first part."""
    from pydicom import dcmread

    return np.frombuffer(dcmread(path, force=True).PixelData, np.uint8)


def _syntax(header: Any) -> Any:
    """The transfer syntax; where none is named, the one that the header itself is written in."""
    from pydicom.uid import UID

    return header.file_meta.get("TransferSyntaxUID") or UID(_SYNTAXES[header.original_encoding])


def _palette(header: Any) -> Any:
    """The colour tables in little endian: pydicom 3 reads those of big-endian files as such."""
    from pydicom.dataset import Dataset

    palette = Dataset()
    for element in header.group_dataset(0x0028):
        palette.add(element)
    if not header.original_encoding[1]:
        for colour in ("Red", "Green", "Blue"):
            keyword = f"{colour}PaletteColorLookupTableData"
            if keyword in header:
                table = np.frombuffer(header[keyword].value, ">u2").astype("<u2").tobytes()
                setattr(palette, keyword, table)
    return palette


def _fills_16_bits(palette: Any) -> bool:
    for colour in ("Red", "Green", "Blue"):
        table = palette.get(f"{colour}PaletteColorLookupTableData") or b"\xff\xff"
        if np.frombuffer(table[: len(table) // 2 * 2], "<u2").max() > 255:
            return True
    return False


def _decoder(path: Path, header: Any) -> str:
    """The first of _DECODERS that can decode this file; "" where its pixels are not compressed."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = _syntax(header)
    name = "an unknown transfer syntax" if syntax.is_private else syntax.name
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise OSError(
            f"{path} stores its pixels as {name}, which cannot be decoded; expected JPEG, JPEG-LS, "
            "JPEG 2000, RLE or none: export it as a video file, or without compression."
        ) from None
    if not decoder.is_available:
        raise ImportError(
            f'{path} stores its pixels as {name}, whose decoder is missing: pip install "sectoraug[dicom]".'
        )
    return next((plugin for plugin in _DECODERS if plugin in decoder.available_plugins), "")


def _unreadable(path: Path, part: str, error: Exception) -> OSError:
    # The library's own words may quote the header: they are no part of the sentence, and no cause of it.
    return OSError(
        f"{path} is no readable DICOM image: {part} could not be decoded ({type(error).__name__}); it may be "
        "truncated, damaged or encrypted: copy it again, or leave it out."
    )
