"""The network that tells a sector from one frame: what ships, what it finds, what it refuses."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

import sectoraug as sa
from sectoraug.sectors.clues.net import seen_by_net
from sectoraug.sectors.clues.net_model import SectorNet
from sectoraug.sectors.clues.net_overlay import OverlayNet
from sectoraug.sectors.clues.net_torch import OVERLAY_WEIGHTS, WEIGHTS, default_net

TRAIN = Path(__file__).parents[3] / "examples" / "sector_net" / "train.py"


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


def stills(n: int, seed: int = 77) -> list[sa.phantom.PhantomClip]:
    """Phantom frames of all geometries and vendors, under seeds of their own."""
    rng = np.random.default_rng(seed)
    vendors = sa.phantom.VENDORS
    return [
        sa.phantom.make_clip(
            frames=1,
            size=(240, 320),
            seed=int(rng.integers(2**31)),
            vendor=vendors[k % len(vendors)],
            geometry=("fan", "curved", "linear")[k % 3],
            half_opening_deg=rng.uniform(22, 46),
        )
        for k in range(n)
    ]


def test_the_weights_are_small_and_fit_the_models() -> None:
    total = 0
    for name, model in ((WEIGHTS, SectorNet()), (OVERLAY_WEIGHTS, OverlayNet())):
        path = Path(str(files("sectoraug.sectors.clues") / name))
        total += path.stat().st_size
        with safe_open(path, "pt") as stored:
            names = set(stored.keys())
        counters = {key for key in model.state_dict() if key.endswith("num_batches_tracked")}
        assert names == set(model.state_dict()) - counters
    assert total < 4e6


def test_text_and_marks_over_echoes_are_seen() -> None:
    clips = stills(24, seed=78)
    before = [seen_by_net(clip.frames[0]).overlay[clip.sector] for clip in clips]
    share = np.array([(overlay > 0.5).mean() for overlay in before])
    found = []
    for clip in clips:
        frame = clip.frames[0].copy()
        rows, columns = np.nonzero(cv2.erode(clip.sector.view(np.uint8), np.ones((61, 61), np.uint8)))
        at = int(np.median(columns)) - 25, int(np.median(rows))
        cv2.putText(frame, "4.7 cm", at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
        written = (frame != clip.frames[0]) & clip.sector
        found.append((seen_by_net(frame).overlay[written] > 0.5).mean())
    print(np.round(share, 4), np.round(found, 2))
    assert np.median(share) < 1e-3
    assert np.median(found) > 0.4


def test_phantom_stills() -> None:
    clips = stills(24)
    found = [seen_by_net(clip.frames[0]) for clip in clips]
    assert all(seen.single > 0 for seen in found)
    overlaps = [iou(seen.log_odds > 0, clip.sector) for seen, clip in zip(found, clips, strict=True)]
    print(np.round(overlaps, 3))
    assert np.mean(overlaps) > 0.95
    assert np.median(overlaps) > 0.96


def test_a_frame_and_its_kind_do_not_matter() -> None:
    clip = stills(1)[0]
    frame = clip.frames[0]
    before = frame.copy()
    found = sa.sector_from_image(frame, method="net")
    assert np.array_equal(frame, before)
    assert found.sector.dtype == bool
    assert found.sector.shape == frame.shape
    assert found.geometry is not None
    assert iou(found.geometry.rasterise(frame.shape), clip.sector) > 0.95
    assert "found by the network: it is a still" in found.note
    in_colour = sa.sector_from_image(np.repeat(frame[..., None], 3, 2))
    assert np.array_equal(in_colour.sector, found.sector)
    upside_down = np.ascontiguousarray(frame[::-1])[::-1]
    assert np.array_equal(sa.sector_from_image(upside_down).sector, found.sector)
    assert not torch.is_grad_enabled() or not any(p.grad is not None for p in default_net().parameters())


@pytest.mark.parametrize("grey", [0, 90])
def test_an_empty_picture_is_refused(grey: int) -> None:
    with pytest.raises(sa.SectorNotFound):
        sa.sector_from_image(np.full((240, 320), grey, np.uint8))


@pytest.mark.parametrize("geometry", ["fan", "curved"])
@pytest.mark.parametrize("stack", [np.hstack, np.vstack])
def test_two_views_are_refused(geometry: str, stack: Callable[[list[np.ndarray]], np.ndarray]) -> None:
    size = (240, 160) if stack is np.hstack else (160, 320)
    for seed in range(4):
        views = [
            sa.phantom.make_clip(
                frames=1, size=size, seed=2 * seed + side, vendor=None, geometry=geometry
            ).frames[0]
            for side in (0, 1)
        ]
        with pytest.raises(sa.SectorNotFound, match="several views or a strip"):
            sa.sector_from_image(stack(views))


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 5), (17, 31)])
def test_odd_sizes_are_answered_or_refused(size: tuple[int, int]) -> None:
    for frame in (
        np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8),
        np.broadcast_to(np.linspace(0, 255, size[1]).astype(np.uint8), size),
    ):
        try:
            found = sa.sector_from_image(frame)
        except sa.SectorNotFound:
            continue
        assert found.sector.shape == size


def test_a_static_clip_gets_an_outline() -> None:
    clip = stills(1)[0]
    found = sa.sector_from_clip(np.repeat(clip.frames, 5, 0))
    assert iou(found.sector, clip.sector) > 0.95
    assert "found by the network: nothing in it moves" in found.note
    assert found.geometry is not None
    assert iou(found.geometry.rasterise(clip.sector.shape), clip.sector) > 0.95


def test_real_stills(real_data: Path) -> None:
    """The shipped network has seen these; how it does without is in docs/how-to/sectors.md."""
    overlaps = {}
    for entry in json.loads((real_data / "sectors.json").read_text()):
        path = real_data / entry["file"]
        if path.suffix not in (".png", ".jpg"):
            continue
        drawn = cv2.imread(str(real_data / entry["sector"]), cv2.IMREAD_GRAYSCALE) > 0
        kept = np.ones(drawn.shape, bool)
        if entry.get("ignore"):
            kept = cv2.imread(str(real_data / entry["ignore"]), cv2.IMREAD_GRAYSCALE) == 0
        found = sa.sector_from_image(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
        overlaps[entry["file"]] = iou(found.sector[kept], drawn[kept])
    print({name: round(value, 3) for name, value in overlaps.items()})
    assert np.mean(list(overlaps.values())) > 0.95


def test_training_runs_at_its_smallest_size_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [str(TRAIN), "--scenes", "40", "--steps", "2", "--out", str(tmp_path)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True, timeout=200)
    first = (tmp_path / WEIGHTS).read_bytes()
    assert len(first) < 4e6
    (tmp_path / WEIGHTS).unlink()
    trained_at = (tmp_path / "made-up.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.syspath_prepend(TRAIN.parent)
    runpy.run_path(str(TRAIN), run_name="__main__")  # here, where most is imported already
    assert (tmp_path / "made-up.safetensors").stat().st_mtime_ns == trained_at
    assert (tmp_path / WEIGHTS).read_bytes() == first
