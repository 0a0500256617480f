"""Videos for tests."""

from __future__ import annotations

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
