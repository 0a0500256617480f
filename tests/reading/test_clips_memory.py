"""Memory that reading a clip takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
from clip_files import GREY, make_nifti, save, savez  # noqa: E402
from dicom_clips import make_dicom  # noqa: E402
from video_clips import make_video  # noqa: E402


def test_a_clip_larger_than_the_limit_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    frames = np.lib.format.open_memmap(
        tmp_path / "a.npy", "w+", np.uint8, (10_000, 2160, 3840)
    )  # a sparse file
    frames[1, 5, 5] = 9
    del frames
    with pytest.raises(ValueError, match=r"more than 4 GiB when decoded; .*iter_clip"):
        sa.read_clip(tmp_path / "a.npy")
    stream = sa.iter_clip(tmp_path / "a.npy")
    next(stream)
    assert next(stream)[5, 5] == 9
    with pytest.raises(ValueError, match="limit_bytes"):
        sa.read_clip(make_video(tmp_path / "a.mkv", GREY, "ffv1", "gray"), limit_bytes=GREY[:4].nbytes)


PEAK = """
import re, sys
import sectoraug as sa
total = sum(int(frame.max()) for frame in sa.iter_clip(sys.argv[1]))
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak_kib(path: Path, program: str = PEAK) -> int:
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
@pytest.mark.parametrize("kind", ["dicom", "jpeg dicom", "avi", "nii.gz", "npz", "npy"])
def test_streaming_memory_does_not_grow_with_the_clip(kind: str, tmp_path: Path) -> None:
    """400 frames more, of 480 x 640, are 117 MiB or 351 MiB."""
    peaks = []
    for n in (20, 420):
        ramp = np.broadcast_to(np.arange(640, dtype=np.uint8), (n, 480, 640))
        make: dict[str, Any] = {
            "dicom": lambda r=ramp: make_dicom(tmp_path / f"{len(r)}.dcm", r),
            "jpeg dicom": lambda r=ramp: make_dicom(
                tmp_path / f"{len(r)}.dcm", np.broadcast_to(r[..., None], (*r.shape, 3)), "YBR_FULL_422"
            ),
            "avi": lambda r=ramp: make_video(tmp_path / f"{len(r)}.avi", r, "mpeg4", "yuv420p"),
            "nii.gz": lambda r=ramp: make_nifti(tmp_path / f"{len(r)}.nii.gz", r),
            "npz": lambda r=ramp: savez(tmp_path / f"{len(r)}.npz", True, frames=r),
            "npy": lambda r=ramp: save(tmp_path / f"{len(r)}.npy", r),
        }
        peaks.append(peak_kib(make[kind]()))
    print(kind, peaks)
    mapped = 420 * 480 * 640 / 1024 if kind == "npy" else 0  # mapped pages count, but can be given back
    assert peaks[1] - peaks[0] < 24 * 1024 + mapped


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_finding_a_sector_takes_no_more_memory_for_a_longer_clip(tmp_path: Path) -> None:
    """400 frames more are 29 MiB."""
    program = PEAK.replace(
        "total = sum(int(frame.max()) for frame in sa.iter_clip(sys.argv[1]))",
        "sa.sector_from_clip(sa.iter_clip(sys.argv[1]))",
    )
    assert "sector_from_clip" in program
    rng = np.random.default_rng(0)
    peaks = []
    for n in (20, 420):
        frames = np.zeros((n, 240, 320), np.uint8)
        for frame, speckle in zip(frames, rng.integers(20, 230, (n, 40, 55), dtype=np.uint8), strict=True):
            frame[40:200, 50:270] = cv2.resize(speckle, (220, 160))
        peaks.append(peak_kib(savez(tmp_path / f"{n}.npz", frames=frames), program))
    print(peaks)
    assert peaks[1] - peaks[0] < 8 * 1024
