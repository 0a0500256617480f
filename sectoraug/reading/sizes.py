"""How large a frame may be, and what a still's header says of it before anything is decoded.

A file of a few bytes can claim a frame that fills the memory.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

MOST_PIXELS = 1 << 25
"""Of a frame: 33.5 million, as of 8K video; scanners' screens have 2 million or fewer."""
_PNG = b"\x89PNG\r\n\x1a\n"
_BYTES_A_PIXEL = 16  # on the whole: doubles, or four channels of floats


class TooLarge(ValueError):
    """A file claims, or unpacks to, more than any scanner's file holds."""


def check_size(path: Path, height: int, width: int, bytes_a_pixel: int = 1) -> None:
    """Raise TooLarge for frames that are too large to be any scanner's."""
    pixels = height * width
    if pixels > MOST_PIXELS or pixels * bytes_a_pixel > MOST_PIXELS * _BYTES_A_PIXEL:
        raise TooLarge(
            f"{path} has frames of {height} x {width} pixels of {bytes_a_pixel} bytes; expected at most "
            f"{MOST_PIXELS >> 20} Mi pixels: it is damaged, or no ultrasound; leave it out, or scale it down."
        )


def check_is_file(path: Path) -> None:
    """Raise ValueError for what is there but is neither file nor folder: opening a FIFO waits for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError(f"{path} is a FIFO, socket or device; expected a file: leave it out.")


def check_still(path: Path, file: BinaryIO) -> None:
    """Raise ValueError where the header of an open PNG, JPEG, BMP, TIFF or WEBP says that it is too large."""
    file.seek(0)
    start = file.read(32)
    size = None
    if start[:8] == _PNG and len(start) >= 24:
        size = struct.unpack(">II", start[16:24])
    elif start[:2] == b"BM" and len(start) >= 26:
        size = struct.unpack("<ii", start[18:26])
    elif start[:4] == b"RIFF" and start[8:12] == b"WEBP" and len(start) >= 30:
        size = _of_webp(start)
    elif start[:2] == b"\xff\xd8":
        size = _of_jpeg(file)
    elif start[:2] in (b"II", b"MM"):
        for height, width in pages_of_tiff(path, file):
            check_size(path, height, width)
    if size is not None:
        check_size(path, abs(size[1]), abs(size[0]))
    if start[:8] == _PNG:
        _check_chunks(path, file)


def _check_chunks(path: Path, file: BinaryIO) -> None:
    """Raise OSError for a PNG whose chunk claims more bytes than there are, for which OpenCV makes room."""
    end = file.seek(0, os.SEEK_END)
    file.seek(8)
    while len(head := file.read(8)) == 8:
        if file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR) > end:
            raise OSError(
                f"{path} ends within a chunk; expected a whole PNG: copy it again, or leave it out."
            )
        if head[4:] == b"IEND":
            return


def _of_webp(start: bytes) -> tuple[int, int] | None:
    kind = start[12:16]
    if kind == b"VP8X":
        return int.from_bytes(start[24:27], "little") + 1, int.from_bytes(start[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", start[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _of_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        if head[1] == 0xFF:  # fill bytes may stand before a marker
            file.seek(-3, os.SEEK_CUR)
        elif 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            about = file.read(5)
            if len(about) < 5:
                return None
            height, width = struct.unpack(">HH", about[1:])
            return width, height
        else:
            file.seek(max(int.from_bytes(head[2:], "big") - 2, 0), os.SEEK_CUR)
    return None


def pages_of_tiff(path: Path, file: BinaryIO) -> list[tuple[int, int]]:
    """Height and width of each page of a TIFF or BigTIFF, 0 where it says none; follows the chain itself.

    OpenCV takes a broken chain for a shorter one. Raises OSError where it is cut or endless.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(16)
    order = "<" if start[:2] == b"II" else ">"
    version = struct.unpack(f"{order}H", start[2:4])[0] if len(start) >= 4 else 0
    if version not in (42, 43) or len(start) < 16:
        return []
    is_big = version == 43
    number, count, entry = ("Q", "Q", 20) if is_big else ("L", "H", 12)
    offset = struct.unpack(f"{order}{number}", start[8:16] if is_big else start[4:8])[0]
    pages: list[tuple[int, int]] = []
    while offset:
        file.seek(min(offset, end))
        n = _number(file, order + count)
        entries = b"" if n is None else file.read(min(n * entry, end))
        further = None if n is None or len(entries) < n * entry else _number(file, order + number)
        if further is None or len(pages) * (entry + 6) > end:  # cut, or a chain without end
            raise OSError(f"{path} ends within page {len(pages) + 1}; expected a whole TIFF: copy it again.")
        sides = {257: 0, 256: 0}
        for at in range(0, len(entries), entry):
            tag, kind = struct.unpack_from(f"{order}HH", entries, at)
            if tag in sides:
                value = entries[at + entry - (8 if is_big else 4) : at + entry]
                form = {3: "H", 4: "L", 16: "Q"}.get(kind, "L")
                sides[tag] = struct.unpack_from(f"{order}{form}", value.ljust(8, b"\0"))[0]
        pages.append((sides[257], sides[256]))
        offset = further
    return pages


def _number(file: BinaryIO, form: str) -> int | None:
    data = file.read(struct.calcsize(form))
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else None
