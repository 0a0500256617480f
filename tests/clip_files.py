"""Small clips in the formats that are read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")

GREY = sa.phantom.make_clip(frames=5, size=(48, 64)).frames
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], -1)


def make_nifti(path: Path, frames: np.ndarray, axes: int = 3) -> Path:
    clip = frames.transpose(2, 1, 0)
    if axes == 4:
        clip = clip[:, :, None]
    nibabel.save(nibabel.Nifti1Image(clip, np.eye(4)), path)
    return path


def make_stills(folder: Path, frames: np.ndarray) -> Path:
    folder.mkdir()
    for t, frame in enumerate(frames):  # frame8, frame9, frame10: not in the order of letters
        stored = frame if frame.ndim == 2 else frame[:, :, ::-1]
        cv2.imwrite(str(folder / f"frame{t + 8}.png"), stored)
    (folder / "about.txt").write_text("no still")
    return folder


def make_tiff(path: Path, frames: np.ndarray) -> Path:
    cv2.imwritemulti(str(path), [frame if frame.ndim == 2 else frame[:, :, ::-1] for frame in frames])
    return path


def save(path: Path, frames: np.ndarray) -> Path:
    np.save(path, frames)
    return path


def savez(path: Path, compressed: bool = False, **arrays: np.ndarray) -> Path:
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def still(path: Path, frame: np.ndarray) -> Path:
    cv2.imwrite(str(path), frame if frame.ndim == 2 else frame[:, :, ::-1])
    return path


def make_apng(path: Path, frames: np.ndarray) -> Path:
    with av.open(str(path), "w", format="apng") as container:
        stream = container.add_stream("apng", rate=10)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "gray" if frames.ndim == 3 else "rgb24"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format=stream.pix_fmt)))
        container.mux(stream.encode(None))
    return path


def make_webp(path: Path, frames: np.ndarray) -> Path:
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=bool(rest), append_images=rest, lossless=True, duration=50)
    return path
