"""Videos for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np


def make_video(
    path: Path, frames: np.ndarray, codec: str, pix_fmt: str, title: str = "", **options: str
) -> Path:
    """Write (T, H, W) or (T, H, W, 3) frames; `options` are the codec's."""
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream(codec, rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pix_fmt
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if frames.ndim == 3 else "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def turned(path: Path, degrees: int) -> Path:
    """Write into an mp4's header that players should turn its pictures, as phones do."""
    whole = 1 << 16
    matrices = {
        0: (1, 0, 0, 1),
        90: (0, 1, -1, 0),
        180: (-1, 0, 0, -1),
        270: (0, -1, 1, 0),
        45: (1, 1, -1, 1),
    }
    a, b, c, d = (whole * value for value in matrices[degrees])
    data = path.read_bytes()
    upright = struct.pack(">9i", whole, 0, 0, 0, whole, 0, 0, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:at] + matrix + data[at + len(matrix) :])
    return path
