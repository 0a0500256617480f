"""Donor draws differ across batches, workers, epochs and ranks, and repeat under torch.manual_seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import pytest
import torch

import sectoraug as sa
from sectoraug.draws import Draws

SCRIPT = Path(__file__).with_name("loader_draws.py")


def has(module: str) -> bool:
    return find_spec(module) is not None


def drawn(*calls: Any) -> Any:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(calls)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def runs() -> dict[tuple[Any, ...], Any]:
    """Two runs of each case that spawns no process, by its arguments."""
    cases: list[tuple[Any, ...]] = [
        (context, persistent, [("albumentations", seed)])
        for context, persistent in (("fork", False), ("fork", True), (None, False))
        for seed in (None, 7)
    ]
    cases.append((None, False, [("albumentations", 8)]))
    if has("torchvision"):
        cases += [("fork", False, [("torchvision", 7)]), (None, False, [("torchvision", None)])]
    if has("monai"):
        cases += [("fork", False, [("monai", 7)]), ("fork", True, [("monai", 7)], True)]
        cases += [(None, False, [("monai", seed)]) for seed in (7, 8)]
    calls = [("two_runs", *case) for case in cases]
    calls += [
        ("two_runs_as_rank", rank, "fork", False, [("albumentations", seed)])
        for seed in (None, 7)
        for rank in (0, 1)
    ]
    answers = drawn(*calls)
    return {key(*call): of_plug(answer, 0) for call, answer in zip(calls, answers, strict=True)}


def key(*words: Any) -> tuple[Any, ...]:
    """The words of a call, flat: its only plug by name and seed."""
    return tuple(part for word in words for part in (word[0] if isinstance(word, list) else [word]))


def of_plug(runs: list[Any], k: int) -> list[Any]:
    return [run[k] for run in runs]


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


def assert_workers_differ_and_repeat(runs: list[Any]) -> None:
    first, again, other = runs
    assert first == again, "torch.manual_seed does not repeat the donors"
    sequences = [s for run in (first, other) for epoch in run for s in by_worker(epoch)]
    assert len(sequences) == 8  # two seeds, two epochs, two workers
    assert_all_different(sequences)
    batches = [tuple(first[0][0][i : i + 4]) for i in range(0, 24, 4)]
    assert len(set(batches)) == len(batches)


@pytest.mark.parametrize("compose_seed", [None, 7])
@pytest.mark.parametrize("persistent", [False, True])
def test_forked_workers_and_epochs(runs: Any, persistent: bool, compose_seed: int | None) -> None:
    assert_workers_differ_and_repeat(runs["two_runs", "fork", persistent, "albumentations", compose_seed])


@pytest.mark.parametrize("persistent", [False, True])
def test_spawned_workers_and_epochs(persistent: bool) -> None:
    plugs: list[tuple[str, int | None]] = [("albumentations", None), ("albumentations", 7)]
    if persistent and has("torchvision"):
        plugs.append(("torchvision", 7))
    (answer,) = drawn(("two_runs", "spawn", persistent, plugs))
    for k in range(len(plugs)):
        assert_workers_differ_and_repeat(of_plug(answer, k))


@pytest.mark.parametrize(
    ("plug", "host", "persistent"),
    [("torchvision", False, False), ("monai", False, False), ("monai", True, True)],
)
def test_other_plugs(runs: Any, plug: str, host: bool, persistent: bool) -> None:
    """`host`: in MONAI's own DataLoader."""
    pytest.importorskip(plug)
    assert_workers_differ_and_repeat(runs[("two_runs", "fork", persistent, plug, 7) + (True,) * host])


def test_without_workers_torchvision_follows_torch(runs: Any) -> None:
    pytest.importorskip("torchvision")
    first, again, other = runs["two_runs", None, False, "torchvision", None]
    assert first == again
    assert_all_different([epoch[0] for run in (first, other) for epoch in run])


def test_without_workers_monai_follows_its_own_seed(runs: Any) -> None:
    pytest.importorskip("monai")
    first, again, other = runs["two_runs", None, False, "monai", 7]
    assert first == again == other
    assert_all_different([epoch[0] for epoch in first])
    assert_all_different([first[0][0], runs["two_runs", None, False, "monai", 8][0][0][0]])


def test_without_workers_an_unseeded_compose_follows_torch(runs: Any) -> None:
    first, again, other = runs["two_runs", None, False, "albumentations", None]
    assert first == again
    assert_all_different([epoch[0] for run in (first, other) for epoch in run])


def test_without_workers_a_seeded_compose_follows_its_own_seed(runs: Any) -> None:
    first, again, other = runs["two_runs", None, False, "albumentations", 7]
    assert first == again == other
    assert_all_different([epoch[0] for epoch in first])
    assert_all_different([first[0][0], runs["two_runs", None, False, "albumentations", 8][0][0][0]])


def test_ranks_of_torch_distributed() -> None:
    (ranks,) = drawn(("two_ranks",))
    for context, n_plugs in (("no workers", 1), ("fork", 2), ("spawn", 2)):
        for plug in range(n_plugs):
            sequences = [s for rank in ranks for epoch in rank[context][plug] for s in by_worker(epoch)]
            assert len(sequences) == (4 if context == "no workers" else 8)
            assert_all_different(sequences)


@pytest.mark.parametrize("compose_seed", [None, 7])
def test_ranks_named_by_the_environment(runs: Any, compose_seed: int | None) -> None:
    ranks = [
        runs["two_runs_as_rank", rank, "fork", False, "albumentations", compose_seed][0] for rank in (0, 1)
    ]
    assert_all_different([s for rank in ranks for epoch in rank for s in by_worker(epoch)])


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


def test_draws_differ_between_threads_and_outlive_inference_mode() -> None:
    draws = Draws()
    with ThreadPoolExecutor(4) as threads:
        with torch.inference_mode():
            first = list(threads.map(lambda _: draws.bits(), range(500)))
            here = draws.bits()
        later = list(threads.map(lambda _: draws.bits(), range(500)))
    assert len({*first, here, *later, draws.bits()}) == 1002
