"""DICOM files of a made-up patient that are damaged where a reader's words may quote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from dicom_encodings import ENCODINGS, GREY, Encoding, native, write
from every_command import named_header

_WORD = "PLANTEDWORD"
_LONG = b"PLANTEDWORD " * 8


def _with(
    change: Callable[[Any], object], encoding: str = "explicit little endian"
) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        data = named_header(GREY)
        change(data)
        return write(path, ENCODINGS[encoding], data)

    return make


def _bytes(old: bytes, new: bytes, encoding: str = "explicit little endian") -> Callable[[Path], Path]:
    """An element whose bytes are others than its kind allows."""

    def make(path: Path) -> Path:
        data = named_header(GREY)
        data.add_new(0x00181063, "DS", "33.3")  # FrameTime
        data.add_new(0x00281050, "DS", "128")
        data.add_new(0x00280A02, "CS", "XXXX")
        write(path, ENCODINGS[encoding], data)
        content = path.read_bytes()
        assert old in content
        path.write_bytes(content.replace(old, new, 1))
        return path

    return make


def _text(tag: bytes, vr: bytes, word: bytes = b"PLANTEDWORD ") -> bytes:
    return tag + vr + len(word).to_bytes(2, "little") + word


def _set(**more: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        def fill(data: Any) -> None:
            native(data, GREY)
            for keyword, value in more.items():
                setattr(data, keyword, value)

        return write(path, Encoding(fill), named_header(GREY))

    return make


def _cut_at(word: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        write(path, ENCODINGS["explicit little endian"], named_header(GREY))
        content = path.read_bytes()
        path.write_bytes(content[: content.index(word) + len(word)])
        return path

    return make


def _coded(old: slice, encoding: str) -> Callable[[Path], Path]:
    """Coded frames with the word in a comment, and a hole."""

    def make(path: Path) -> Path:
        write(path, ENCODINGS[encoding], named_header(GREY), _LONG)
        content = bytearray(path.read_bytes())
        content[old] = _LONG[: len(content[old])]
        path.write_bytes(content)
        return path

    return make


def _regions(data: Any) -> None:
    from pydicom.dataset import Dataset

    region = Dataset()
    region.add_new(0x00186018, "LO", _WORD)  # a corner that is text
    region.add_new(0x0018601A, "LO", _WORD)
    data.add_new(0x00186011, "SQ", [region])


DAMAGED: dict[str, Callable[[Path], Path]] = {
    "number of frames": _bytes(_text(b"\x28\0\x08\0", b"IS", b"3 "), _text(b"\x28\0\x08\0", b"IS")),
    "frame time": _bytes(_text(b"\x18\0\x63\x10", b"DS", b"33.3"), _text(b"\x18\0\x63\x10", b"DS")),
    "window": _bytes(_text(b"\x28\0\x50\x10", b"DS", b"128 "), _text(b"\x28\0\x50\x10", b"DS")),
    "rows": _bytes(b"\x28\0\x10\0US\x02\0\x30\0", _text(b"\x28\0\x10\0", b"US")),
    "bits": _bytes(b"\x28\0\x01\x01US\x02\0\x08\0", _text(b"\x28\0\x01\x01", b"US")),
    "unknown kind": _bytes(_text(b"\x28\0\x02\x0a", b"CS", b"XXXX"), _text(b"\x28\0\x02\x0a", b"ZZ")),
    "character set": _with(lambda data: data.add_new(0x00080005, "CS", _WORD)),
    "bytes of no character set": _bytes(b"PLANTEDNAME^A ", b"PLANTEDNAME\xff\xfe "),
    "photometric": _set(PhotometricInterpretation=_WORD),
    "modality": _set(Modality=_WORD),
    "class": _set(SOPClassUID=f"1.2.{_WORD}"),
    "transfer syntax": _bytes(b"1.2.840.10008.1.2.1\0", b"1.2.PLANTEDWORD.1.2\0"),
    "regions": _with(_regions),
    "cut in the name": _cut_at(b"PLANTEDNAME"),
    "cut in a comment": _cut_at(b"PLANTEDWORD comment"),
    "JPEG": _coded(slice(-1500, -1400), "JPEG, grey"),
    "JPEG 2000": _coded(slice(-1500, -1400), "JPEG 2000"),
    "JPEG-LS": _coded(slice(-1500, -1400), "JPEG-LS"),
    "JPEG lossless": _coded(slice(-1500, -1400), "JPEG lossless"),
    "RLE": _coded(slice(-1500, -1400), "RLE"),
    "palette": _with(
        lambda data: [data.add_new(tag, "LO", _WORD) for tag in (0x00281101, 0x00281102, 0x00281103)],
        "explicit little endian",
    ),
}


def flipped(path: Path, seed: int) -> Path:
    """A file with a few bytes of its header changed."""
    rng = np.random.default_rng(seed)
    write(
        path,
        ENCODINGS["explicit little endian" if seed % 2 else "implicit little endian"],
        named_header(GREY),
    )
    content = bytearray(path.read_bytes())
    end = len(content) - GREY.nbytes
    for at in rng.integers(132, end, rng.integers(1, 6)):
        content[at] = int(rng.integers(256))
    path.write_bytes(content)
    return path
