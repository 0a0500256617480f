"""Video files and GIFs through PyAV (FFmpeg), frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug.reading.sizes import MOST_PIXELS, check_size

_NO_LARGER = {"max_pixels": str(MOST_PIXELS)}  # FFmpeg makes a frame of whatever size a header claims
_ONLY_FILES = {"protocol_whitelist": "file"}  # a playlist under a video's name would open network addresses
_HDR = (16, 18)  # transfer characteristics of ITU-T H.273: PQ and HLG


def open_clip(path: Path) -> tuple[int | None, Iterator[NDArray[Any]]]:
    """None, since containers promise packets and not frames, and the frames."""
    try:
        import av
    except ImportError as error:
        raise ImportError('reading videos needs PyAV: pip install "sectoraug[video]".') from error
    return None, _frames(path, av)


def _frames(path: Path, av: Any) -> Iterator[NDArray[Any]]:
    decoded = _decoded(path, av)
    while True:
        try:
            frame = next(decoded)
        except StopIteration:
            return
        except (av.error.FFmpegError, MemoryError, OverflowError) as error:
            raise OSError(
                f"{path} is no readable video ({type(error).__name__}): it is truncated, damaged or "
                "encrypted; copy it again, or leave it out."
            ) from error
        yield frame


def _refuse_unsure_levels(path: Path, frame: Any) -> None:
    """YUV of up to 12 bits is shown in 8 by every player; deeper grey is data, and HDR needs a tone curve."""
    depth = max((component.bits for component in frame.format.components), default=8)
    is_hdr = frame.color_trc in _HDR
    if is_hdr or (depth > 8 and not (depth <= 12 and frame.format.name.startswith("yuv"))):
        what = f"{depth}-bit{' HDR' if is_hdr else ''} pixels ({frame.format.name})"
        raise ValueError(
            f"{path} has {what}; expected 8 bits, or YUV of up to 12 without HDR: encode it again, as 8 bits."
        )


def _upright(path: Path, pixels: NDArray[Any], degrees: float) -> NDArray[Any]:
    """As players show it: phones store pictures lying on their side, and say so beside them."""
    turns, rest = divmod(degrees, 90)
    if rest:
        raise ValueError(
            f"{path} is to be shown turned by {degrees:g} degrees; expected a multiple of 90: encode it "
            "again."
        )
    return np.rot90(pixels, int(turns)) if turns else pixels


def _decoded(path: Path, av: Any) -> Iterator[NDArray[Any]]:
    with av.open(
        str(path.absolute()), options=_ONLY_FILES | _NO_LARGER, metadata_errors="replace"
    ) as container:
        if not container.streams.video:
            raise ValueError(f"{path} has no pictures, only sound; expected a video: leave this file out.")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise OSError(
                f"{path} has pictures in a way that FFmpeg cannot decode; expected another: convert it."
            )
        check_size(path, stream.codec_context.height, stream.codec_context.width)
        stream.codec_context.options = _NO_LARGER
        packets = 0
        for packet in container.demux(stream):
            packets += packet.size > 0
            for frame in packet.decode():
                _refuse_unsure_levels(path, frame)
                if frame.is_corrupt:
                    raise OSError(f"{path} has a damaged frame; expected a whole video: copy it again.")
                pixels = frame.to_ndarray(format="gray" if frame.format.name == "gray" else "rgb24")
                yield _upright(path, pixels, frame.rotation)
        if packets < stream.frames:
            raise OSError(
                f"{path} holds {packets} of its {stream.frames} packets; expected all: it is truncated, copy "
                "it again."
            )
