"""Small files that claim, or unpack to, more than a machine has."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache, reduce
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

MIB = 1 << 20


def png(path: Path, side: int, rows: int = 4, n_frames: int = 1) -> None:
    """A grey PNG of `side` pixels a side, of which a few rows are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    moves = b""
    if n_frames > 1:
        control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, 0, 0)
        moves = chunk(b"acTL", struct.pack(">II", n_frames, 0)) + chunk(b"fcTL", control)
    pixels = chunk(b"IDAT", zlib.compress(bytes((side + 1) * rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + moves + pixels + chunk(b"IEND", b""))


def bmp(path: Path, side: int) -> None:
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54 + 3000, 0, 0, 54) + head + bytes(3000))


def jpeg(path: Path, side: int) -> None:
    """A JPEG whose frame header is written anew."""
    import cv2

    data = bytearray(cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", side, side)
    path.write_bytes(data)


def tiff(path: Path, side: int, pages: int = 1, big: bool = False) -> None:
    """Grey pages in one strip each, which is not there."""
    entries = [(256, 4, side), (257, 4, side), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    entries += [(277, 3, 1), (278, 4, side), (279, 4, 16)]
    data = bytearray(b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II*\0" + struct.pack("<I", 8))
    count, entry, offset = ("<Q", "<HHQQ", "<Q") if big else ("<H", "<HHII", "<I")
    lines = b"".join(struct.pack(entry, tag, kind, 1, value) for tag, kind, value in entries)
    for page in range(pages):
        data += struct.pack(count, len(entries)) + lines
        last = page == pages - 1
        data += struct.pack(offset, 0 if last else len(data) + struct.calcsize(offset))
    path.write_bytes(data + bytes(64))


def webp(path: Path, side: int, moves: bool = False) -> None:
    """Its sides fill 14 bits, or 24 where it is extended."""
    canvas = struct.pack("<I", side - 1)[:3] * 2
    if moves:
        body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas
        body += b"ANIM" + struct.pack("<IIH", 6, 0, 0)
        body += b"ANMF" + struct.pack("<I", 24) + bytes(6) + canvas + bytes(4) + b"VP8L" + bytes(4)
    else:
        bits = (side - 1) | (side - 1) << 14
        body = b"VP8L" + struct.pack("<I", 32) + b"\x2f" + struct.pack("<I", bits) + bytes(27)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body)


def gif(path: Path, side: int, n_frames: int = 1) -> None:
    frame = b"\x21\xf9\x04\x00\x01\x00\x00\x00\x2c" + struct.pack("<HHHH", 0, 0, side, side) + b"\x00"
    frame += b"\x02\x02\x4c\x01\x00"  # one pixel, and the end
    colours = b"\0\0\0\xff\xff\xff"
    path.write_bytes(
        b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + colours + frame * n_frames + b";"
    )


def npy_header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(
    path: Path, shape: tuple[int, ...], n_bytes: int, name: str = "frames.npy", descr: str = "|u1"
) -> None:
    """An array of zeros, `n_bytes` of them there, less than 4 GiB."""
    start, zeros = npy_header(shape, descr), bytes(MIB)
    checksum = reduce(lambda so_far, _: zlib.crc32(zeros, so_far), range(n_bytes // MIB), zlib.crc32(start))
    packed = _deflated(start, n_bytes)
    sizes = struct.pack("<3I2H", checksum, len(packed), len(start) + n_bytes, len(name), 0)
    about = struct.pack("<5H", 20, 0, 8, 0, 0x21) + sizes
    file = b"PK\3\4" + about + name.encode() + packed
    entry = b"PK\1\2\x14\0" + about + bytes(14) + name.encode()
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(file), 0)
    path.write_bytes(file + entry + end)


def nifti(path: Path, shape: tuple[int, ...], n_bytes: int, data_at: int = 352, extension: int = 0) -> None:
    """Zeros in gzip, `n_bytes` of them there."""
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header["dim"][: len(shape) + 1] = len(shape), *shape
    header["vox_offset"] = data_at
    start = header.binaryblock + (struct.pack("<4B2i", 1, 0, 0, 0, extension, 6) if extension else bytes(4))
    path.write_bytes(gzip.compress(start) + _zeros_in_gzip(n_bytes))


def _zeros_in_gzip(n_bytes: int) -> bytes:
    """Members of 64 MiB each: a reader takes them for one stream."""
    return _member() * (n_bytes // (64 * MIB) + 1)


@cache
def _member() -> bytes:
    return gzip.compress(bytes(64 * MIB))


def _deflated(start: bytes, n_bytes: int) -> bytes:
    """`start`, and `n_bytes` zeros behind it."""
    many, rest = divmod(n_bytes, 64 * MIB)
    return _packed(start) + _packed(64 * MIB) * many + _packed(rest) + b"\x03\0"  # an empty end


@cache
def _packed(content: bytes | int) -> bytes:
    """Deflated so that it stands alone; a number is of zeros."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return pack.compress(bytes(content)) + pack.flush(zlib.Z_FULL_FLUSH)


def dicom(path: Path, **header: object) -> None:
    """Five small frames under another header."""
    from clip_files import GREY
    from dicom_clips import make_dicom

    make_dicom(path, GREY)
    if header:
        from pydicom import dcmread, dcmwrite

        data = dcmread(path)
        for keyword, value in header.items():
            setattr(data, keyword, value)
        dcmwrite(path, data)


def dicom_deflated(path: Path, n_bytes: int) -> None:
    from pydicom import dcmread

    dicom(path)
    data = dcmread(path)
    meta = data.file_meta
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    del data.PixelData
    data.NumberOfFrames = n_bytes // (data.Rows * data.Columns)
    small = io.BytesIO()
    data.save_as(small, enforce_file_format=True)
    start, plain = _split(small.getvalue())
    plain += b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", n_bytes)
    path.write_bytes(start + _deflated(plain, n_bytes))


def _split(written: bytes) -> tuple[bytes, bytes]:
    """A deflated file as its first part, and what is packed behind it."""
    end = 132 + 12 + struct.unpack("<I", written[140:144])[0]
    return written[:end], zlib.decompress(written[end:], -zlib.MAX_WBITS)


def deep_json(path: Path, depth: int = 200_000) -> None:
    path.write_text("[" * depth + "]" * depth)


def wide_json(path: Path, of: Callable[[int], object], n: int) -> None:
    path.write_text(json.dumps([of(i) for i in range(n)]))


def video_of_another_size(path: Path, side: int = 16_000) -> None:
    """An AVI of raw frames of 64 x 48, whose header says otherwise."""
    from clip_files import GREY
    from video_clips import make_video

    data = bytearray(make_video(path, GREY, "mpeg4", "yuv420p").read_bytes())
    at = data.index(b"strf") + 12
    data[at : at + 8] = struct.pack("<ii", side, side)
    path.write_bytes(data)


def long_video(path: Path, copies: int = 4_000) -> None:
    """A video whose middle is there thousands of times."""
    from clip_files import GREY
    from video_clips import make_video

    frames = np.repeat(GREY[:1], 250, 0)
    path.write_bytes(make_video(path, frames, "ffv1", "gray").read_bytes())
    data = path.read_bytes()
    at = data.index(b"\x1f\x43\xb6\x75")  # the first cluster
    end = data.index(b"\x1c\x53\xbb\x6b") if b"\x1c\x53\xbb\x6b" in data[at:] else len(data)
    head = bytearray(data[:at])
    segment = head.index(b"\x18\x53\x80\x67") + 4
    head[segment : segment + 8] = b"\x01" + b"\xff" * 7  # of unknown length
    with open(path, "wb") as file:
        file.write(head)
        for _ in range(copies // 250 * 10):
            file.write(data[at:end])


def sparse_npy(path: Path, shape: tuple[int, ...]) -> None:
    with open(path, "wb") as file:
        file.write(npy_header(shape))
        file.truncate(file.tell() + int(np.prod(shape, dtype=np.int64)))


def wide_nifti(path: Path) -> None:
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header["dim"][:4] = 3, 32_767, 32_767, 4
    header["vox_offset"] = 352
    path.write_bytes(gzip.compress(header.binaryblock + bytes(4)) + _zeros_in_gzip(9000 * MIB))


def dicom_of_pixels(path: Path, n: int = 200_000) -> None:
    dicom(path, Rows=1, Columns=1, NumberOfFrames=n, PixelData=bytes(n))


def dicom_rle(path: Path, side: int = 65_535) -> None:
    """One fragment: a header of one segment, and a run of zeros."""
    from pydicom import dcmread, dcmwrite
    from pydicom.encaps import encapsulate
    from pydicom.uid import RLELossless

    dicom(path)
    data = dcmread(path)
    data.file_meta.TransferSyntaxUID = RLELossless
    data.Rows = data.Columns = side
    data.NumberOfFrames = 1
    data.PixelData = encapsulate([struct.pack("<16I", 1, 64, *[0] * 14) + b"\x81\0" * 20_000])
    data["PixelData"].is_undefined_length = True
    dcmwrite(path, data)
