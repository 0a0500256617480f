"""Donor draws differ across batches, workers, epochs and ranks, and repeat under torch.manual_seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch

import sectoraug as sa

SCRIPT = Path(__file__).with_name("loader_draws.py")


def drawn(*call: Any, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(call)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def by_worker(epoch: list[list[int]]) -> list[list[int]]:
    donors, workers = epoch
    return [
        [d for d, w in zip(donors, workers, strict=True) if w == worker] for worker in sorted(set(workers))
    ]


def assert_all_different(sequences: list[list[int]]) -> None:
    """Sequences of 12 draws among 250 agree by chance in hardly any place."""
    for i, a in enumerate(sequences):
        assert len(set(a)) > 0.8 * len(a), "the draws of one sequence repeat"
        for b in sequences[i + 1 :]:
            agreeing = sum(x == y for x, y in zip(a, b, strict=True))
            assert agreeing <= 2, "two sequences that should differ are alike"


@pytest.mark.parametrize("compose_seed", [None, 7])
@pytest.mark.parametrize(
    ("context", "persistent"), [("fork", False), ("fork", True), ("spawn", False), ("spawn", True)]
)
def test_workers_and_epochs(context: str, persistent: bool, compose_seed: int | None) -> None:
    first, again, other = drawn("two_runs", context, persistent, compose_seed)
    assert first == again, "torch.manual_seed does not repeat the donors"
    sequences = [s for run in (first, other) for epoch in run for s in by_worker(epoch)]
    assert len(sequences) == 8  # two seeds, two epochs, two workers
    assert_all_different(sequences)
    batches = [tuple(first[0][0][i : i + 4]) for i in range(0, 24, 4)]
    assert len(set(batches)) == len(batches)


@pytest.mark.parametrize(
    ("plug", "host", "context", "persistent"),
    [
        ("torchvision", False, "fork", False),
        ("torchvision", False, "spawn", True),
        ("monai", False, "fork", False),
        ("monai", True, "fork", True),
    ],
)
def test_other_plugs(plug: str, host: bool, context: str, persistent: bool) -> None:
    """`host`: in MONAI's own DataLoader."""
    pytest.importorskip(plug)
    first, again, other = drawn("two_runs", context, persistent, 7, plug, host)
    assert first == again, "torch.manual_seed does not repeat the donors"
    assert_all_different([s for run in (first, other) for epoch in run for s in by_worker(epoch)])


def test_without_workers_other_plugs_follow_their_hosts() -> None:
    """torch's seed for torchvision, the transform's own for MONAI."""
    for plug in ("torchvision", "monai"):
        pytest.importorskip(plug)
    first, again, other = drawn("two_runs", None, False, None, "torchvision")
    assert first == again
    assert_all_different([epoch[0] for run in (first, other) for epoch in run])
    first, again, other = drawn("two_runs", None, False, 7, "monai")
    assert first == again == other
    assert_all_different([epoch[0] for epoch in first])
    assert_all_different([first[0][0], drawn("two_runs", None, False, 8, "monai")[0][0][0]])


def test_without_workers_an_unseeded_compose_follows_torch() -> None:
    first, again, other = drawn("two_runs", None, False, None)
    assert first == again
    assert_all_different([epoch[0] for run in (first, other) for epoch in run])


def test_without_workers_a_seeded_compose_follows_its_own_seed() -> None:
    first, again, other = drawn("two_runs", None, False, 7)
    assert first == again == other
    assert_all_different([epoch[0] for epoch in first])
    assert_all_different([first[0][0], drawn("two_runs", None, False, 8)[0][0][0]])


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_ranks_of_torch_distributed(context: str) -> None:
    ranks = drawn("two_ranks", context)
    for case in range(3):
        assert_all_different([s for rank in ranks for epoch in rank[case] for s in by_worker(epoch)])


@pytest.mark.parametrize("compose_seed", [None, 7])
def test_ranks_named_by_the_environment(compose_seed: int | None) -> None:
    ranks = [drawn("two_runs", "fork", False, compose_seed, RANK=str(rank)) for rank in (0, 1)]
    assert_all_different([s for rank in ranks for epoch in rank[0] for s in by_worker(epoch)])


def test_fills_are_drawn_like_donors(images: np.ndarray, sectors: np.ndarray) -> None:
    for fill in (sa.NoiseBackground(), sa.ShuffleBackground()):
        transform = A.Compose([fill])
        runs = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            runs.append([transform(image=images[0], mask=sectors[0])["image"] for _ in range(2)])
        assert np.array_equal(runs[0], runs[1])
        assert not np.array_equal(runs[0], runs[2])
        assert not np.array_equal(runs[0][0], runs[0][1])


def test_every_donor_is_drawn(images: np.ndarray, sectors: np.ndarray) -> None:
    levels = np.empty_like(images)
    levels[:] = np.arange(1, 13, dtype=np.uint8)[:, None, None]
    transform = sa.BackMix(sa.BackgroundPool.from_arrays(levels, sectors))
    torch.manual_seed(0)
    donors = [int(transform(image=images[0], mask=sectors[0])["image"][0, 0]) for _ in range(6000)]
    counts = np.bincount(donors, minlength=13)[1:]
    assert counts.min() > 400
    assert counts.max() < 600
