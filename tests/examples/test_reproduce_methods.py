"""The methods that are compared, each on small data."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa

for name in ("matplotlib", "torchvision", "torchmetrics", "tqdm"):
    pytest.importorskip(name)
EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "reproduce" / "reproduce.py"
sys.path[:0] = [str(SCRIPT.parent), str(EXAMPLES)]
torch = pytest.importorskip("torch")
from data import (  # noqa: E402
    Data,
)
from grids import TABLES, runs_of, sweep  # noqa: E402
from methods import METHODS, Frames, Run, parse_run, softly_swapped, spoilt, start_worker, training_split  # noqa: E402
from networks import NETWORKS, make_network  # noqa: E402
from sma import SMA  # noqa: E402
from tables import read  # noqa: E402
from train import SETTINGS, Setting, finish, layer_of, model_of  # noqa: E402

del sys.path[:2]  # the modules' names are common ones
from reproduce_parts import CPU, TINY  # noqa: E402


def test_each_method_trains_a_step(tmp_path: Path, data: Data) -> None:
    once = replace(TINY, epochs=1)
    for method in set(METHODS) - {"dfr"}:  # which needs clean images
        run = Run(method, fraction=0.5, lam=1.0 if method == "wbackmix" else 0.0, jitter=method == "baseline")
        result = finish(run, data, once, tmp_path, CPU)
        assert np.isfinite(result["losses"]).all(), method
        assert set(result["tests"]) == {"i.d.", "o.o.d."}
    sizes = {
        result[0]["parameters"]
        for name, result in read(tmp_path / "runs").items()
        if not name.startswith(("sma", "distil"))
    }
    assert len(sizes) == 1, "no method but SMA costs anything at inference"


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_a_layer_with_a_grid(name: str) -> None:
    run = Run("baseline", network=name)
    model = model_of(run, replace(TINY, size=64), 4).eval()
    with sa.GradCAM(model, layer_of(run, TINY)) as gradcam:
        maps = gradcam(torch.randn(2, 1, 64, 64))
    assert maps.shape == (2, 64, 64) and min(gradcam.grid) >= 2


def test_networks_at_full_width_are_the_published_ones() -> None:
    sizes = {n: sum(p.numel() for p in make_network(n, 4, 112).parameters()) for n in NETWORKS[1:]}
    # torchvision's 28,589,128 and ViT-Ti's 5.4 million, for 1 channel and 4 classes.
    assert sizes == {"vit-tiny": 5_398_660, "convnext-tiny": 27_820_132}


def test_the_papers_network_is_resnet18() -> None:
    size = sum(p.numel() for p in make_network("resnet18", 4, 112, "3x3").parameters())
    assert size == 11_169_732  # torchvision's 11,689,512, for 1 channel, 3x3, and 4 classes
    images = torch.zeros(1, 1, 112, 112)
    stages = make_network("resnet18", 4, 112, "3x3").stages(images)
    assert [stage.shape[2] for stage in stages] == [112, 56, 28, 14]
    assert Setting(112, 100, "3x3", 64, "layer4", 1e-3, "bf16") == SETTINGS["paper"]


def test_sma_pushes_object_and_background_apart() -> None:
    torch.manual_seed(0)
    model = SMA(make_network("resnet18", 3, 32, "torchvision", 16), 3)
    images, labels = torch.randn(12, 1, 32, 32), torch.arange(12) % 3
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = model(images, labels, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert model.sides[0].weight.grad is not None and model(images).shape == (12, 3)


def test_fewer_sectors_and_samples_that_do_not_overlap(data: Data) -> None:
    train = data.splits["train"]
    kept = [
        set(np.flatnonzero(training_split(Run("backmix", 0.2, sample=k), train, None).sectors.any((1, 2))))
        for k in range(5)
    ]
    assert [len(each) for each in kept] == [19] * 5 and len(set.union(*kept)) == 95
    small = training_split(Run("backmix", 0.05), train, None).sectors.any((1, 2))
    assert set(np.flatnonzero(small)) < kept[0], "smaller shares lie in larger ones"


@pytest.mark.parametrize("how", ["eroded", "dilated", "jittered"])
def test_sectors_are_spoilt_to_an_iou(data: Data, how: str) -> None:
    rng = np.random.default_rng(0)
    true = cv2.resize(np.asarray(data.splits["train"].sectors[0]), (96, 96), interpolation=cv2.INTER_NEAREST)
    for iou in (0.9, 0.7):
        spoiled = spoilt(true, how, iou, rng)
        reached = (true & spoiled).sum() / (true | spoiled).sum()
        assert iou - 0.08 < reached <= iou
        assert how != "eroded" or not (spoiled & (1 - true)).any()
        assert how != "dilated" or not (true & (1 - spoiled)).any()


def test_a_soft_seam_keeps_nothing_of_the_old_background() -> None:
    sector = np.zeros((40, 40), np.uint8)
    sector[8:32, 8:32] = 1
    image, background = np.full((40, 40), 200, np.uint8), np.full((40, 40), 10, np.uint8)
    swapped = softly_swapped(image, sector, background)
    assert (swapped[sector == 0] == 10).all() and swapped[20, 20] == 200
    assert 10 < swapped[8, 20] < swapped[9, 20] <= 200


def test_donors_of_other_classes(data: Data) -> None:
    train = data.splits["train"]
    frames = Frames(Run("backmix-other"), training_split(Run("backmix-other"), train, None))
    frames.start(0)
    pools = [transform.transforms[-1].pool for transform in frames.transforms]
    assert [len(pool) for pool in pools] == [72] * 4
    image, label, mixed, sector = frames[5]
    assert sector.shape == (32, 32)
    assert image.shape == (1, 32, 32) and label == train.labels[5] and mixed


def test_p_may_rise(data: Data) -> None:
    frames = Frames(Run("backmix-ramp"), training_split(Run("backmix-ramp"), data.splits["train"], None))
    frames.start(0, 0.25)
    shares = np.mean([frames[i][2] for i in range(96)])
    assert 0.1 < shares < 0.4


def test_workers_draw_what_differs_and_repeats(data: Data) -> None:
    run = Run("backmix")
    frames = Frames(run, training_split(run, data.splits["train"], None))

    def epoch(seed: int) -> Any:
        torch.manual_seed(seed)
        loader = torch.utils.data.DataLoader(frames, 48, num_workers=2, worker_init_fn=start_worker)
        return torch.cat([images for images, *_ in loader])

    first, again, other = epoch(1), epoch(1), epoch(2)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_runs_are_parsed_and_named() -> None:
    run = parse_run("wbackmix@0.05,lam=2,seed=1")
    assert run == Run("wbackmix", 0.05, 2.0, seed=1)
    assert run.name == "wbackmix f=0.05 lam=2" and run.file == "wbackmix_f=0.05_lam=2_seed1"
    assert parse_run("backmix-match,jitter=1").jitter
    with pytest.raises(SystemExit, match="'magic' is in no run; expected one of baseline, "):
        parse_run("magic")
    with pytest.raises(SystemExit, match="'hue=1' is no part of a run"):
        parse_run("backmix,hue=1")
    assert len(runs_of(TABLES["table1"], range(3))) == 27
    assert len(runs_of(TABLES["samples"], range(3))) == 7
    assert [row.name for row in sweep((0.2, 1.0), (0.0, 2.0))] == [
        "backmix f=0.2",
        "wbackmix f=0.2 lam=2",
        "backmix f=1",
    ]
