"""DICOM files that are deflated as a whole: how much they unpack to, before pydicom takes it into memory."""

from __future__ import annotations

import zlib
from pathlib import Path

from sectoraug.reading.sizes import TooLarge

_DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95")
_MOST_BYTES = 1 << 29
_CHUNK_BYTES = 1 << 20


def check_deflated(path: Path) -> None:
    """Raise TooLarge for a deflated DICOM file of more than 512 MiB; other errors are pydicom's."""
    from pydicom.filereader import read_file_meta_info

    try:
        syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    except Exception:  # a damaged header can raise anything, and does so again where it is read
        return
    if syntax not in _DEFLATED:
        return
    n, inflate = 0, zlib.decompressobj(-zlib.MAX_WBITS)
    with open(path, "rb") as file:
        start = file.read(144)
        file.seek(144 + int.from_bytes(start[140:144], "little"))
        while (packed := inflate.unconsumed_tail or file.read(_CHUNK_BYTES)) and not inflate.eof:
            n += len(inflate.decompress(packed, _CHUNK_BYTES))
            if n > _MOST_BYTES:
                raise TooLarge(
                    f"{path} is deflated and takes more than {_MOST_BYTES >> 20} MiB when unpacked; expected "
                    "less, as it is unpacked at once: export it without compression, or as JPEG."
                )
