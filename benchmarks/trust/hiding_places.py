"""Where a DICOM file can hold pixels besides its frames: each place takes 64 bytes that are found again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

Place = Callable[[Dataset, bytes], None]

BINARY = ("OB", "OW", "OF", "OD", "OL", "OV", "UN")


def marker_of(name: str) -> bytes:
    """64 bytes that stand for that place alone."""
    return hashlib.sha512(name.encode()).digest()


def forms_of(marker: bytes) -> tuple[bytes, ...]:
    """As it may be written: as it is, in the other byte order of 2, 4 and 8 bytes, and as text."""
    swapped = (b"".join(marker[k : k + n][::-1] for k in range(0, 64, n)) for n in (2, 4, 8))
    return (marker, *swapped, base64.b64encode(marker), marker.hex().encode())


def _element(tag: int, vr: str, times: int = 4) -> Place:
    return lambda data, marker: data.add_new(tag, vr, marker * times)


def _picture(marker: bytes) -> Dataset:
    picture = Dataset()
    picture.Rows, picture.Columns, picture.SamplesPerPixel = 8, 16, 1
    picture.BitsAllocated = picture.BitsStored = 8
    picture.HighBit, picture.PixelRepresentation = 7, 0
    picture.PhotometricInterpretation = "MONOCHROME2"
    picture.PixelData = marker * 2
    picture["PixelData"].VR = "OB"
    return picture


def _item(tag: int, fill: Place) -> Place:
    """A new sequence of one item; `fill` puts the marker into it."""

    def put(data: Dataset, marker: bytes) -> None:
        item = Dataset()
        item.ReferencedSOPInstanceUID = "1.2.3"
        fill(item, marker)
        data.add_new(tag, "SQ", Sequence([item]))

    return put


def _icon(data: Dataset, marker: bytes) -> None:
    data.IconImageSequence = Sequence([_picture(marker)])


def _encapsulated_icon(data: Dataset, marker: bytes) -> None:
    icon = _picture(marker)
    icon.PixelData = encapsulate([b"\xff\xd8\xff" + marker + b"\xff\xd9\0"])
    icon["PixelData"].is_undefined_length = True
    data.IconImageSequence = Sequence([icon])


def _pictures_of_other_sizes(data: Dataset, marker: bytes) -> None:
    larger = _picture(marker)
    larger.Rows, larger.PixelData = 16, marker * 4
    larger["PixelData"].VR = "OB"
    data.SourceImageSequence = Sequence([_picture(marker), larger])


def _overlay(group: int) -> Place:
    def put(data: Dataset, marker: bytes) -> None:
        tag = group << 16
        data.add_new(tag | 0x10, "US", 16)
        data.add_new(tag | 0x11, "US", 32)
        data.add_new(tag | 0x40, "CS", "G")
        data.add_new(tag | 0x50, "SS", [1, 1])
        data.add_new(tag | 0x100, "US", 1)
        data.add_new(tag | 0x102, "US", 0)
        data.add_new(tag | 0x3000, "OW", marker)

    return put


def _private(vr: str) -> Place:
    def put(data: Dataset, marker: bytes) -> None:
        block = data.private_block(0x2001, "VENDOR", create=True)
        block.add_new(BINARY.index(vr) + 0x10, vr, marker * 4)

    return put


def _private_numbers(vr: str, dtype: str) -> Place:
    import numpy as np

    def put(data: Dataset, marker: bytes) -> None:
        numbers = np.frombuffer(marker * 8, dtype)
        data.private_block(0x2003, "VENDOR", create=True).add_new(0x10, vr, numbers.tolist())

    return put


def _private_text(vr: str) -> Place:
    def put(data: Dataset, marker: bytes) -> None:
        text = base64.b64encode(marker).decode() * 8
        data.private_block(0x2005, "VENDOR", create=True).add_new(0x10, vr, text)

    return put


def _private_item(data: Dataset, marker: bytes) -> None:
    inner = Dataset()
    inner.private_block(0x2001, "VENDOR", create=True).add_new(0x10, "OB", marker * 4)
    block = data.private_block(0x2007, "VENDOR", create=True)
    block.add_new(0x10, "SQ", Sequence([_picture(marker), inner]))


def _signature(data: Dataset, marker: bytes) -> None:
    item = Dataset()
    item.MACIDNumber, item.CertificateType = 1, "X509_1993_SIG"
    item.CertificateOfSigner = item.Signature = marker
    data.add_new(0xFFFAFFFA, "SQ", Sequence([item]))


PLACES: dict[str, Place] = {
    "overlay plane": _overlay(0x6000),
    "last overlay plane": _overlay(0x601E),
    "overlay plane in an item": _item(0x00081140, _overlay(0x6002)),
    "curve": _element(0x50003000, "OW"),
    "sound of a curve": _element(0x5002200C, "OW"),
    "curve in an item": _item(0x00081140, _element(0x50003000, "OW")),
    "icon": _icon,
    "compressed icon": _encapsulated_icon,
    "icon in an item": _item(0x00081140, _icon),
    "icon two items down": _item(0x00082112, _item(0x00081140, _icon)),
    "pictures of other sizes in items": _pictures_of_other_sizes,
    "encapsulated document": _element(0x00420011, "OB"),
    "encapsulated document in an item": _item(0x00081140, _element(0x00420011, "OB")),
    "variable pixel data": _element(0x7F000010, "OW"),
    "variable coefficients": _element(0x7F000020, "OW"),
    "float pixel data in an item": _item(0x00081140, _element(0x7FE00008, "OF")),
    "double pixel data in an item": _item(0x00081140, _element(0x7FE00009, "OD")),
    "waveform": _item(0x54000100, _element(0x54001010, "OW")),
    "spectroscopy data": _element(0x56000020, "OF"),
    "palette in an item": _item(0x00081140, _element(0x00281201, "OW")),
    "segmented palette in an item": _item(0x00081140, _element(0x00281221, "OW")),
    "table of values": _item(0x00283010, _element(0x00283006, "OW")),
    "colour profile": _element(0x00282000, "OB"),
    "signature": _signature,
    "encrypted attributes": _item(0x04000500, _element(0x04000520, "OB")),
    "trailing padding": _element(0xFFFCFFFC, "OB"),
    "element of a group that no dictionary has": _element(0x7E000010, "OB"),
    "words in a group that no dictionary has": _element(0x000C0010, "OW"),
    **{f"private {vr}": _private(vr) for vr in BINARY},
    "private item": _private_item,
    **{
        f"private numbers ({vr})": _private_numbers(vr, dtype)
        for vr, dtype in (("US", "<u2"), ("SS", "<i2"), ("UL", "<u4"), ("SL", "<i4"))
    },
    **{f"private text ({vr})": _private_text(vr) for vr in ("LT", "ST", "UT", "UC")},
    "private picture after the frames": lambda data, marker: data.private_block(
        0x7FE1, "VENDOR", create=True
    ).add_new(0x10, "OB", marker * 4),
}
"""Those in the data set; private floats are not among them, since they would not keep all bytes."""
WRONG_KIND: dict[str, Place] = {
    "text element written as OB": _element(0x00082111, "OB"),
    "number element written as OW": _element(0x00181041, "OW"),
}
"""Only where the file says what kind each element is."""
OUTSIDE = ("preamble", "file's own header", "coded frames")
"""Those outside the data set."""
