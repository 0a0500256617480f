"""Pixels that are not of 8 bits, and pictures that show nothing."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import sectoraug as sa

nibabel = pytest.importorskip("nibabel")
from clip_files import GREY, make_nifti, save, savez  # noqa: E402


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("npy", np.float16), ("npy", np.float64), ("npz", np.float32), ("nii.gz", np.float32)],
)
def test_floats_are_read_under_a_scale(kind: str, dtype: type, tmp_path: Path) -> None:
    frames = (GREY / 255).astype(dtype)
    make = {
        "npy": lambda p: save(p, frames),
        "npz": lambda p: savez(p, frames=frames),
        "nii.gz": lambda p: make_nifti(p, frames),
    }
    path = make[kind](tmp_path / f"a.{kind}")
    with pytest.raises(ValueError, match=r"float\d\d pixels; expected 8 bits: give scale=255 if"):
        sa.read_clip(path)
    assert np.array_equal(sa.read_clip(path, scale=255), GREY)
    with pytest.raises(ValueError, match="scale=300 brings outside"):
        sa.read_clip(path, scale=300)


def test_a_scale_is_for_floats_alone(tmp_path: Path) -> None:
    assert np.array_equal(sa.read_clip(save(tmp_path / "a.npy", GREY), scale=255), GREY)
    with pytest.raises(ValueError, match="uint16 pixels; expected 8 bits: window them"):
        sa.read_clip(save(tmp_path / "b.npy", GREY.astype(np.uint16)), scale=255)
    frames = np.full((2, 8, 8), np.nan, np.float32)
    with pytest.raises(ValueError, match="or NaN"):
        sa.read_clip(save(tmp_path / "c.npy", frames), scale=255)


def test_flat_frames_are_suspicious(tmp_path: Path) -> None:
    """As of a palette that was read wrongly: all black."""
    frames = np.zeros_like(GREY)
    frames[1] = 7
    with pytest.warns(UserWarning, match="decodes to flat frames, each of one level"):
        sa.read_clip(save(tmp_path / "a.npy", frames))
    frames[2, 3, 4] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sa.read_clip(save(tmp_path / "b.npy", frames))
