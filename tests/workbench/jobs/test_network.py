"""`sectoraug masks --network onnx`: the same masks, by workers that have no torch."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from archive_command import assert_each_once, command, entries, make_clips, sectoraug

import sectoraug as sa


def without(module: str, folder: Path) -> dict[str, str]:
    """The environment, with a module that cannot be imported."""
    folder.mkdir()
    (folder / f"{module}.py").write_text("raise ImportError('it was asked for')")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize("parts", ["one", "each"])
def test_masks_without_torch(tmp_path: Path, parts: str) -> None:
    pytest.importorskip("onnxruntime")
    clips = make_clips(tmp_path / "clips", 1)
    out = tmp_path / "out"
    words = command("masks", clips, "--out", out, "--workers", 1, "--no-progress", "--parts", parts)
    env = without("torch", tmp_path / "none")
    done = subprocess.run([*words, "--network", "onnx"], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_each_once(out, 1)
    (entry,) = entries(out)
    with np.load(entry["path"]) as clip:
        expected = sa.sector_from_clip(clip["frames"]).sector
    mask = cv2.imread(str(out / entry["file"]), cv2.IMREAD_UNCHANGED) > 0
    assert (mask != expected).mean() < 1e-3


def test_a_missing_onnxruntime_ends_the_command_at_once(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "clips", 1)
    words = command("masks", clips, "--out", tmp_path / "out", "--network", "onnx")
    env = without("onnxruntime", tmp_path / "none")
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr == 'the engine "onnx" needs onnxruntime: pip install "sectoraug[onnx]".\n'
    assert not (tmp_path / "out").exists()


def test_an_unknown_network_ends_the_command(tmp_path: Path) -> None:
    said = sectoraug(
        "masks", make_clips(tmp_path / "clips", 1), "--out", tmp_path / "out", "--network", "x", status=2
    )
    assert said == "--network is 'x'; expected one of 'torch', 'onnx'.\n"
