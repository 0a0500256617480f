"""NIfTI clips through nibabel: (X, Y, T), time last, frame by frame."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.sizes import TooLarge, check_size

_FARTHEST_BYTES = 64 << 20


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """The number of frames, and the frames as (Y, X[, 3])."""
    image = read_header(path)
    frames = int(np.prod(image.shape[2:], dtype=int))
    if len(image.shape) < 2 or sum(side != 1 for side in image.shape[2:]) > 1:
        raise ValueError(
            f"{path} has shape {image.shape}; expected (X, Y), (X, Y, T) or (X, Y, 1, T): it is a volume "
            "over time, choose a slice."
        )
    if getattr(image.dataobj, "slope", 1) != 1 or getattr(image.dataobj, "inter", 0) != 0:
        raise ValueError(f"{path} scales its pixels; expected 8 bits without scaling: store uint8.")
    check_size(path, image.shape[1], image.shape[0], image.get_data_dtype().itemsize)
    return frames, _frames(path, image, frames)


def read_header(path: Path) -> Any:
    """The nibabel image, its pixels not yet read."""
    try:
        import nibabel
    except ImportError as error:
        raise ImportError('reading NIfTI needs nibabel: pip install "sectoraug[nifti]".') from error
    _check_offset(path)
    try:
        # Kept open, a compressed file is read once through, and not from its start for each frame.
        return nibabel.load(path, keep_file_open=True)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} does not exist; expected a NIfTI file: is its link broken?"
        ) from None
    except Exception as error:  # nibabel's own, gzip's and zlib's
        raise _unreadable(path, error) from error


def _check_offset(path: Path) -> None:
    """Extensions before the pixels are read whole, and gzip packs gigabytes of them into a small file."""
    if not path.name.lower().endswith(".gz"):
        return
    try:
        with gzip.open(path) as file:
            start = file.read(176)
    except (OSError, EOFError, zlib.error):
        return  # nibabel's to tell
    for order in "<>":
        if len(start) == 176 and struct.unpack_from(f"{order}i", start)[0] in (348, 540):
            is_first = struct.unpack_from(f"{order}i", start)[0] == 348
            offset = struct.unpack_from(
                f"{order}f" if is_first else f"{order}q", start, 108 if is_first else 168
            )[0]
            if not offset <= _FARTHEST_BYTES:
                raise TooLarge(
                    f"{path} has its pixels {offset:.0f} bytes behind its start; expected at most "
                    f"{_FARTHEST_BYTES >> 20} MiB of header and extensions: it is damaged, or write it again."
                )


def _frames(path: Path, image: Any, n: int) -> Iterator[NDArray[Any]]:
    for t in range(n):
        # All axes after the first two hold one frame but for time.
        where = (slice(None), slice(None), *np.unravel_index(t, image.shape[2:], order="F"))
        try:
            frame = np.asarray(image.dataobj[where])
        except Exception as error:
            raise _unreadable(path, error) from error
        if frame.dtype.names == ("R", "G", "B"):
            frame = np.stack([frame[name] for name in frame.dtype.names], -1)
        yield frame.swapaxes(0, 1)


def _unreadable(path: Path, error: Exception) -> OSError:
    return OSError(
        f"{path} is no readable NIfTI image ({type(error).__name__}): it is truncated or damaged; copy it "
        "again, or leave it out."
    )
