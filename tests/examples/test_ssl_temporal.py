"""The temporal example: what its tasks ask, that no outline answers, what it learns, keeps and reports."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

TASKS = ("random", "sorting", "rotation", "pace", "supervised")


def test_pretext_tasks_ask_what_they_say(ssl: Any) -> None:
    tasks = ssl.temporal_tasks
    clips = torch.arange(24)[None, :, None, None].repeat(16, 1, 4, 4) + 0.0
    clips[:, :, 0, 0] += 0.25
    labels = torch.arange(16)
    torch.manual_seed(0)
    shown, answers = tasks.posed("pace", clips, 8, labels)
    assert (shown[:, 1, 1, 1] - shown[:, 0, 1, 1]).tolist() == [[1, 2, 3][k] for k in answers]
    shown, answers = tasks.posed("sorting", clips, 8, labels)
    for clip, answer in zip(shown[:, :, 1, 1], answers, strict=True):
        assert torch.equal(clip.unflatten(0, (4, 2))[:, 0].argsort().argsort(), tasks.PIECES[answer])
    orders = {tuple(order.tolist()) for order in tasks.PIECES}
    assert len(orders) == 12
    assert not orders & {order[::-1] for order in orders}
    shown, answers = tasks.posed("rotation", clips, 8, labels)
    corners = [(0, 0), (3, 0), (3, 3), (0, 3)]
    for clip, answer in zip(shown, answers, strict=True):
        row, column = corners[int(answer)]
        assert clip[0, row, column] % 1 == 0.25
    assert torch.equal(tasks.posed("supervised", clips, 8, labels)[1], labels)


def test_the_largest_square_is_inside_and_none_is_larger(ssl: Any) -> None:
    rng = np.random.default_rng(0)
    for share in (0.3, 0.7, 0.95):
        sector = rng.random((9, 12)) < share
        row, column, side = ssl.temporal_tasks.largest_square(sector)
        assert sector[row : row + side, column : column + side].all()
        larger = side + 1
        places = product(range(9 - larger + 1), range(12 - larger + 1))
        assert not any(sector[r : r + larger, c : c + larger].all() for r, c in places)
    assert ssl.temporal_tasks.largest_square(np.ones((5, 9), bool)) == (0, 2, 5), "in the middle"
    with pytest.raises(ValueError, match="find the sector first"):
        ssl.temporal_tasks.largest_square(np.zeros((4, 4), bool))


def test_an_outline_tells_rotation_and_its_crop_does_not(ssl: Any) -> None:
    clips = ssl.clips.phantom_clips(n=8, frames=9, size=64, seed=0, shortcut=0.0)
    outlines = np.repeat(200 * clips.sectors[:, None].astype(np.uint8), 9, 1)
    bare = ssl.clips.Clips(outlines, clips.sectors, clips.labels, clips.patients)

    def told(shown: torch.Tensor, straight: torch.Tensor) -> torch.Tensor:
        """By the turn that fits the mean straight outline best."""
        turns = torch.stack([torch.rot90(straight, k) for k in range(4)])
        return (shown[:, 0, None].float() - turns).square().mean((2, 3)).argmin(1)

    for seed in range(3):
        torch.manual_seed(seed)
        whole, answers = ssl.temporal_tasks.posed("rotation", torch.from_numpy(outlines), 8, answersless(8))
        assert torch.equal(told(whole, torch.from_numpy(outlines[:, 0]).float().mean(0)), answers)
    cropped = torch.from_numpy(ssl.temporal_tasks.cropped(bare, 32).frames)
    shown, _ = ssl.temporal_tasks.posed("rotation", cropped, 8, answersless(8))
    assert (shown == 200).all(), "the same picture whichever way it is turned"


def answersless(n: int) -> torch.Tensor:
    return torch.full((n,), -1)


def test_edges_tell_which_axis_is_depth_and_no_more(ssl: Any) -> None:
    """What a square crop leaves open: speckle is wider than deep, so rotation is not anatomy alone."""
    clips = ssl.clips.phantom_clips(n=80, frames=9, size=64, seed=0, shortcut=0.0)
    frames = torch.from_numpy(ssl.temporal_tasks.cropped(clips, 32).frames)
    torch.manual_seed(0)
    shown, answers = ssl.temporal_tasks.posed("rotation", frames, 8, answersless(80))
    down, across = (shown.float().diff(dim=axis).abs().mean((1, 2, 3)) for axis in (2, 3))
    # The rule tells 0 and 180 degrees from 90 and 270.
    assert ((across > down) == (answers % 2 == 1)).float().mean() > 0.9


def test_a_crop_shows_nothing_from_outside_the_sector(ssl: Any) -> None:
    clips = ssl.clips.phantom_clips(n=4, frames=2, size=64, seed=0, shortcut=0.0)
    noise = np.random.default_rng(0).integers(0, 255, clips.frames.shape, np.uint8)
    inside = clips.sectors[:, None]
    changed = ssl.clips.Clips(
        np.where(inside, clips.frames, noise), clips.sectors, clips.labels, clips.patients
    )
    crops = [ssl.temporal_tasks.cropped(some, 20) for some in (clips, changed)]
    assert np.array_equal(crops[0].frames, crops[1].frames)
    assert crops[0].frames.shape == (4, 2, 20, 20)
    assert crops[0].sectors.all()


def test_networks_take_frames_and_their_changes(ssl: Any) -> None:
    clips = torch.randint(255, (2, 16, 32, 32), dtype=torch.uint8)
    video = ssl.temporal.as_video(clips)
    assert video.shape == (2, 2, 16, 32, 32)
    changes = clips.float().diff(dim=1)
    assert np.corrcoef(video[0, 1, 1:].flatten(), changes[0].flatten())[0, 1] > 0.999
    for name, least in (("narrow4", 1e4), ("r3d_18", 3e7)):
        network = ssl.networks.make_clip_network(name, 3).eval()
        assert network(video).shape == (2, 3)
        assert sum(weights.numel() for weights in network.parameters()) > least


def test_the_rate_goes_up_once_and_down_once(ssl: Any) -> None:
    rates = [ssl.temporal.rate(done) for done in np.linspace(0, 1, 101)]
    assert rates[0] == 0
    assert max(rates) == rates[30] == 1
    assert rates[-1] == pytest.approx(0)


def test_nothing_is_said_of_a_task_that_chance_solves_as_well(ssl: Any) -> None:
    report = ssl.temporal_report
    runs = {
        "sorting": [{"solved": [True] * 30 + [False] * 70}, {"solved": [True] * 9 + [False] * 91}],
        "pace": [{"solved": [True] * 60 + [False] * 40}, {"solved": [True] * 55 + [False] * 45}],
    }
    assert report.solved_by_chance("sorting", runs["sorting"][0]) < 1e-8
    assert report.learned(runs) == ["pace"]


def test_holm_is_statsmodels(ssl: Any) -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    for p_values in ([0.03, 0.01, 0.02], [0.5, 0.001, 0.9], [0.04]):
        expected = multitest.multipletests(p_values, method="holm")[1]
        np.testing.assert_allclose(ssl.temporal_report.holm(p_values), expected)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([0.1, 0.2, 0.3], "met (3 of 3)"),
        ([0.1, 0.9, 0.3], "undecided (2 of 3"),
        ([0.9, 0.92, 0.93], "refuted (0 of 3"),
    ],
)
def test_a_claim_is_met_refuted_or_undecided(ssl: Any, scores: list[float], verdict: str) -> None:
    runs = {"random": scores, "pace": [0.5, 0.5, 0.5], "sorting": [0.5, 0.52, 0.51]}
    found = {name: [{"silhouette": score} for score in values] for name, values in runs.items()}
    assert ssl.temporal_report.mark(found, "silhouette", "random", ["pace", "sorting"], -1).startswith(
        verdict
    )


def test_five_models_in_the_same_order_have_p_of_two_orders_in_120(ssl: Any) -> None:
    alike = ssl.temporal_report.ranked_alike
    assert alike([1, 2, 3, 4, 5], [2, 4, 6, 7, 9]) == pytest.approx((1, 2 / 120))
    assert alike([1, 2, 3, 4, 5], [9, 7, 6, 4, 2]) == pytest.approx((-1, 2 / 120))
    assert alike([1, 2, 3], [4, 4, 4]) == (0, 1)


def run(ssl: Any, out: Path, monkeypatch: pytest.MonkeyPatch, *more: Any) -> None:
    small = ("--n-clips", 60, "--length", 4, "--frames", 12, "--epochs", 1, "--tune-epochs", 1)
    small += ("--network", "narrow4", "--size", 32, "--seeds", 0, 1, "--out", out, *more)
    monkeypatch.setattr(sys, "argv", ["temporal.py", *map(str, small)])
    ssl.temporal.main()


def test_temporal_learns_clusters_tests_in_three_folds_and_goes_on(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ssl.temporal_report, "learned", lambda results: ["sorting", "pace"])
    run(ssl, tmp_path, monkeypatch)
    said = capsys.readouterr().out
    for text in (*(f"| {task} |" for task in TASKS), "Spearman", "| pace, F1 |", "random is worst"):
        assert text in said
    found = json.loads((tmp_path / "sorting-seed0.json").read_text())
    assert len(found["f1"]) == 3
    assert len(found["solved"]) == len(found["right"]) == 12
    assert -1 <= found["silhouette"] <= 1
    assert not list((tmp_path / "checkpoints").glob("*fold*"))

    def scores(path: Path) -> dict[str, Any]:
        return {key: value for key, value in json.loads(path.read_text()).items() if key != "seconds"}

    lost = tmp_path / "pace-seed1.json"
    before = scores(lost)
    lost.unlink()
    with monkeypatch.context() as killed:
        killed.setattr(ssl.temporal, "f1_score", lambda *given, **more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(ssl, tmp_path, killed)
    assert len(list((tmp_path / "checkpoints").glob("*fold*"))) == 1
    run(ssl, tmp_path, monkeypatch)
    assert scores(lost) == before
    with pytest.raises(SystemExit, match="other settings"):
        run(ssl, tmp_path, monkeypatch, "--lr", 1)


def test_no_patient_is_pretrained_on_and_tested(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(ssl.temporal, "result_of", lambda *given: asked.append(given) or {})
    monkeypatch.setattr(ssl.temporal, "report", lambda results: "")
    run(ssl, tmp_path, monkeypatch, "--tasks", "random")
    (_, first, held, *_), (_, second, *_) = asked
    assert not set(first.patients) & set(held.patients)
    assert len(set(first.patients) | set(held.patients)) == 60
    assert not np.array_equal(first.frames[0], second.frames[0]), "each seed has its own clips"
