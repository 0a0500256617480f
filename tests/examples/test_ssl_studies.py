"""The self-supervised example's studies: what is swapped, damaged and pointed at, how runs are compared."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import sectoraug as sa

SMALL = ("--size", 32, "--encoder", "narrow4", "--n-clips", 12, "--frames", 6, "--every", 3, "--epochs", 1)
SMALL += ("--batch", 8, "--seeds", 0, 1)


def run(module: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: Any) -> str:
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, arguments)])
    module.main()
    return str(capsys.readouterr().out)


def test_a_swap_keeps_the_sector_and_takes_the_background_of_another_label(ssl: Any) -> None:
    frames = ssl.labelled.phantom_frames(16, 64, 0, 1.0)
    swapped = ssl.labelled.swapped(frames, 0)
    backgrounds = np.stack(
        [sa.blacken_sector(i, s) for i, s in zip(frames.images, frames.sectors, strict=True)]
    )
    for k, (image, sector, label) in enumerate(
        zip(swapped.images, frames.sectors, frames.labels, strict=True)
    ):
        assert np.array_equal(image[sector], frames.images[k][sector])
        donors = (backgrounds[:, ~sector] == image[~sector]).all(1)
        assert donors.any()
        assert label not in frames.labels[donors]


def test_landmarks_of_the_phantom_lie_between_a_chamber_and_its_wall(ssl: Any) -> None:
    for settings in ssl.clips.phantom_settings(n=8, seed=3, shortcut=0.5):
        points = ssl.anatomy.wall_landmarks(settings, 256, n=6)
        unhidden = {**settings, **ssl.anatomy.UNHIDDEN}
        clip = sa.phantom.make_clip(frames=1, size=(256, 256), **unhidden)
        smooth = cv2.GaussianBlur(cv2.medianBlur(clip.frames[0], 7), (0, 0), 3).astype(float)
        middle = points.mean(0)

        def level(points: np.ndarray, smooth: np.ndarray = smooth) -> float:
            return float(np.mean([smooth[tuple(p)] for p in np.rint(points).astype(int).clip(0, 255)]))

        inwards, outwards = (points + share * (points - middle) for share in (-0.4, 0.4))
        assert level(inwards) < level(points) < level(outwards), settings
        np.testing.assert_allclose(ssl.anatomy.wall_landmarks(settings, 64), (points + 0.5) / 4 - 0.5)


def test_damage_stays_in_the_sector_grows_and_is_alike_over_a_clip(ssl: Any) -> None:
    frames = ssl.labelled.phantom_frames(16, 64, 0, 1.0)
    images, sectors = ssl.views.as_images(torch.from_numpy(frames.images)), torch.from_numpy(frames.sectors)
    clips = torch.zeros(16, dtype=torch.int64)
    for kind in ssl.acoustics.KINDS:
        losses = []
        for strength in (0.0, 0.5, 1.0):
            after = ssl.acoustics.damaged(images, sectors, kind, strength, clips)
            assert torch.equal(after[:, 0][~sectors], images[:, 0][~sectors])
            losses.append(float((images - after).mean()))
        assert losses[0] == pytest.approx(0, abs=1e-7)
        assert losses[0] < losses[1] < losses[2]
    white = torch.ones(2, 1, 64, 64)
    same = sectors[:1].repeat(2, 1, 1)
    one, other = ssl.acoustics.damaged(white, same, "shadow", 1.0, torch.tensor([0, 0]))
    assert torch.equal(one, other)
    one, other = ssl.acoustics.damaged(white, same, "shadow", 1.0, torch.tensor([0, 1]))
    assert not torch.equal(one, other)
    darker = ssl.acoustics.damaged(white, same, "attenuation", 1.0, torch.tensor([0, 0]))[0, 0]
    rows = [float(darker[k][same[0, k]].mean()) for k in range(64) if same[0, k].any()]
    assert rows[0] > 0.95
    assert all(np.diff(rows) < 0)
    assert rows[-1] == pytest.approx(1 - ssl.acoustics.ATTENUATION, abs=0.01)


def test_reconstruction_counts_inside_alone_where_it_says_so(ssl: Any) -> None:
    encoder = ssl.networks.make_encoder("narrow4")
    inside = torch.zeros(2, 32, 32, dtype=torch.bool)
    inside[:, 8:24, 8:24] = True
    for name, backmix, everywhere in (
        ("autoencoder", False, True),
        ("autoencoder", True, False),
        ("inpainting-inside", False, False),
    ):
        method = ssl.methods.make_method(name, encoder, backmix)
        assert method.everywhere == everywhere
    method = ssl.methods.make_method("autoencoder-inside", encoder, False)
    images = torch.rand(2, 1, 32, 32, requires_grad=True)
    method.encoder.maps = lambda x: torch.ones(len(x), 32, 1, 1)
    method([images[:1], images[1:]], [inside[:1], inside[1:]], torch.zeros(2)).backward()
    assert images.grad is not None
    assert (images.grad[:, 0] != 0).equal(inside)


def test_pairs_are_compared_seed_by_seed_and_corrected_over_rows(ssl: Any) -> None:
    seeds = np.random.default_rng(0).normal(50, 20, 8)
    better, other = seeds + [1.0, 1.2] * 4, seeds[::-1]
    pairs = {"better": (seeds.tolist(), better.tolist()), "none": (seeds.tolist(), other.tolist())}
    lines = ssl.report.paired(pairs, ("plain", "backmix"))
    assert lines[2].endswith("| 0.0000 | differs |")
    assert "+1.1 ± 0.1" in lines[2]
    assert lines[3].endswith("| 1.0000 |  |")


def test_rank_correlation_is_scipys_and_its_interval_holds_it(ssl: Any) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 5, (2, 12))
    assert float(ssl.report.rank_correlation(x, y)) == pytest.approx(spearmanr(x, y).statistic)
    encoders = [
        [{"wall": {"silhouette": k + rng.normal(0, 0.1)}, "f1": k + rng.normal(0, 0.1)} for _ in range(8)]
        for k in range(6)
    ]
    assert ssl.report.correlation(encoders, "wall/silhouette", "f1", 1) == "1.00 (1.00 to 1.00)"
    assert ssl.report.correlation(encoders, "wall/silhouette", "f1", -1) == "-1.00 (-1.00 to -1.00)"


def test_variance_epochs_and_robustness_and_their_tables(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = (*SMALL, "--labelled", 64)
    monkeypatch.setattr(ssl.variance, "CLIPS", (4, 8))
    said = run(
        ssl.variance, monkeypatch, capsys, *small, "--method", "vicreg", "--out", tmp_path / "variance"
    )
    assert "| 24 | 4 | 6 |" in said
    assert "| 24 | 24 | 1 |" in said
    assert "24 of many, 48 of few" in said
    said = run(ssl.epochs, monkeypatch, capsys, *small, "--lengths", 1, 2, "--out", tmp_path / "epochs")
    assert "| byol | plain | 2 |" in said
    said = run(ssl.robust, monkeypatch, capsys, *small, "--methods", "vicreg", "--out", tmp_path / "robust")
    assert "| vicreg | backmix + acoustic |" in said
    assert "## shadow@1, acoustic against plain" in said


def test_real_stills_hold_blocks_out(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = sa.phantom.make_dataset(48, seed=0, size=(64, 64))
    masks = {}
    for k, (image, sector, label) in enumerate(zip(data.images, data.sectors, data.labels, strict=True)):
        path = tmp_path / "stills" / sa.phantom.VIEWS[label] / f"{k:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
        if k:  # one has no good mask
            mask = tmp_path / "masks" / f"{k}.png"
            mask.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(mask), sector * np.uint8(255))
            masks[hashlib.sha256(path.read_bytes()).hexdigest()] = mask
    monkeypatch.setattr(ssl.real, "kept_masks", lambda folder: masks)
    np.save(tmp_path / "clip_1.npy", sa.phantom.make_clip(seed=1, frames=6, size=(64, 64)).frames)
    clips = tmp_path / "clips"
    clips.mkdir()
    (tmp_path / "clip_1.npy").rename(clips / "clip_1.npy")
    where = ("--root", tmp_path / "stills", "--sectors", tmp_path / "masks", "--clips", clips)
    small = (*where, "--block", 4, "--methods", "barlow", *SMALL, "--out", tmp_path / "out")
    said = run(ssl.real, monkeypatch, capsys, *small)
    assert "47 of 48 images have a good mask." in said
    assert "| barlow | backmix |" in said
    with pytest.raises(SystemExit, match=r"no folders \['Liver'\]; expected --classes among"):
        run(ssl.real, monkeypatch, capsys, *small, "--classes", "Liver")
    unnumbered = tmp_path / "stills" / "A2C" / "scan.png"
    unnumbered.write_bytes(mask.read_bytes())
    masks[hashlib.sha256(unnumbered.read_bytes()).hexdigest()] = mask
    with pytest.raises(SystemExit, match="no FOLDER/LABEL/NUMBER"):
        run(ssl.real, monkeypatch, capsys, *small[:-1], tmp_path / "again")
    blocks = np.repeat(np.arange(20), 4)
    tests = [ssl.real.held_out(blocks, seed) for seed in range(5)]
    assert (np.sum(tests, 0) == 1).all(), "each image is held out once"
    assert all(len(set(test.reshape(20, 4).sum(1))) == 2 for test in tests), "whole blocks"
