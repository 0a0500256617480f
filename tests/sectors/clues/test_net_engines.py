"""The network by torch and by onnxruntime: the same answers, and no torch for the second."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import sectoraug as sa
from sectoraug.sectors.clues import net_torch
from sectoraug.sectors.clues.net import ENGINES, SIDE_PX, planes, seen_by_net, squeezed

onnxruntime = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[3]
EXPORT = ROOT / "examples" / "sector_net" / "export_onnx.py"
GRAPHS = Path(net_torch.__file__).parent
OUTPUTS = ("inside", "overlay", "single")


def batches() -> list[np.ndarray]:
    """Noise, and frames of the phantom."""
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (2, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
    clips = [sa.phantom.make_clip(frames=1, size=(240, 320), seed=seed) for seed in range(6)]
    return [planes(noise), planes(np.stack([squeezed(clip.frames[0])[None] for clip in clips]))]


def answers(folder: Path, seen: np.ndarray) -> dict[str, np.ndarray]:
    """All that both networks say, by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    said = {}
    for name, outputs in (("sector_net", OUTPUTS), ("overlay_net", OUTPUTS[1:2])):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx", options)
        found = session.run(outputs, {"planes": seen})
        said.update({f"{name}.{key}": value for key, value in zip(outputs, found, strict=True)})
    return said


def assert_like_torch(folder: Path) -> None:
    for seen in batches():
        with torch.inference_mode():
            sector = net_torch.default_net()(torch.from_numpy(seen))
            overlay = net_torch.default_overlay_net()(torch.from_numpy(seen))
        expected = {f"sector_net.{key}": getattr(sector, key) for key in OUTPUTS}
        expected["overlay_net.overlay"] = overlay
        said = answers(folder, seen)
        assert set(said) == set(expected)
        for key, value in expected.items():
            assert said[key].shape == tuple(value.shape), key
            np.testing.assert_allclose(said[key], value.numpy(), rtol=0, atol=1e-4, err_msg=key)


def test_the_graphs_of_the_package_give_what_torch_gives() -> None:
    assert_like_torch(GRAPHS)
    assert sum(path.stat().st_size for path in GRAPHS.glob("*.onnx")) < 1e5  # without the weights


def test_files_with_the_weights_inside_do_so_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setattr(sys, "argv", [str(EXPORT), "--out", str(tmp_path)])
    runpy.run_path(str(EXPORT), run_name="__main__")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["overlay_net.onnx", "sector_net.onnx"]
    assert_like_torch(tmp_path)


def test_exporting_anew_gives_graphs_that_do_so_and_name_no_place(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    for name in (net_torch.WEIGHTS, net_torch.OVERLAY_WEIGHTS):
        (tmp_path / name).write_bytes((GRAPHS / name).read_bytes())
    code = (
        "import runpy, sys, pathlib; export = runpy.run_path(sys.argv[1]); to = pathlib.Path(sys.argv[2])\n"
        "for name, (model, outputs) in export['NETWORKS'].items():\n"
        "    export['write_graph'](to / name, model(), outputs)"
    )
    subprocess.run([sys.executable, "-c", code, EXPORT, tmp_path], check=True, capture_output=True)
    assert_like_torch(tmp_path)
    for path in (*GRAPHS.glob("*.onnx"), *tmp_path.glob("*.onnx")):
        assert b"sectoraug/" not in path.read_bytes()


def test_planes_are_those_of_torch() -> None:
    for grey in (np.random.default_rng(0).random((3, 1, 99, 40), np.float32) * 255, np.zeros((1, 1, 8, 8))):
        grey = grey.astype(np.float32)
        tensor = torch.from_numpy(grey)
        darkest = tensor.flatten(1).quantile(0.1, 1)[:, None, None, None]
        expected = torch.cat([tensor / 255, torch.log1p((tensor - darkest).clamp(min=0)) / 5.5452], 1)
        found = planes(grey)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(112, 112), (240, 320), (90, 200)])
def test_both_engines_see_the_same(size: tuple[int, int]) -> None:
    frame = cv2.copyMakeBorder(
        sa.phantom.make_clip(frames=1, size=size, seed=3).frames[0],
        0,
        size[0],
        0,
        size[1],
        cv2.BORDER_CONSTANT,
    )  # in a corner, so that there is a second look
    one, other = (seen_by_net(frame, engine) for engine in ENGINES)
    assert np.abs(one.log_odds - other.log_odds).max() < 1e-4
    assert np.abs(one.overlay - other.overlay).max() < 1e-4
    assert one.single == pytest.approx(other.single, abs=1e-4)


FRESH = """
import os, sys
import cv2
import sectoraug as sa
clip = sa.phantom.make_clip(frames=6, seed=1)
threads = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 1
import onnxruntime
sa.sector_from_image(clip.frames[0], "intensity")
before = threads()
still = sa.sector_from_image(clip.frames[0], engine="onnx")
moving = sa.sector_from_clip(clip.frames, engine="onnx")
assert min(still.quality, moving.quality) > 0.5
assert threads() == before
assert "torch" not in sys.modules
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        again = sa.sector_from_image(clip.frames[0], engine="onnx")
        os._exit(0 if (again.sector == still.sector).all() and cv2.getNumThreads() < 2 else 3)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_still_and_a_clip_need_neither_torch_nor_threads_and_a_fork_goes_on() -> None:
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=120)


def test_without_onnxruntime_a_sentence_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError")
    code = (
        "import sectoraug as sa\n"
        "sa.sector_from_image(sa.phantom.make_clip(frames=1).frames[0], engine='onnx')"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    said = 'ImportError: the engine "onnx" needs onnxruntime: pip install "sectoraug[onnx]".'
    assert done.stderr.splitlines()[-1] == said


@pytest.mark.parametrize("method", ["net", "intensity"])
def test_an_unknown_engine_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="engine is 'ONNX'; expected one of 'torch', 'onnx'"):
        sa.sector_from_image(np.zeros((8, 8), np.uint8), method, engine="ONNX")
    with pytest.raises(ValueError, match="engine is None; expected one of 'torch', 'onnx'"):
        sa.sector_from_clip(np.zeros((2, 8, 8), np.uint8), engine=None)
