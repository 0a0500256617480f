"""The self-supervised example at its smallest size: what it asks, learns, logs, keeps and reports."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import sectoraug as sa


@pytest.fixture(scope="module")
def frames(ssl: Any) -> Any:
    return ssl.clips.every_kth(ssl.clips.phantom_clips(n=12, frames=6, size=32, seed=0, shortcut=0.95), 3)


def tiny(ssl: Any, method: str, seed: int = 0, epochs: int = 2) -> Any:
    return ssl.pretrain.Run(method, True, seed, "narrow4", epochs, 8)


# -- views and methods ----------------------------------------------------------------------------


def test_views_keep_shape_and_backmix_changes_the_background_alone(ssl: Any, frames: Any) -> None:
    images = ssl.views.as_images(torch.from_numpy(frames.images))
    sectors = torch.from_numpy(frames.sectors)
    drawn = []
    for backmix in (False, True):
        torch.manual_seed(0)
        view, own = ssl.views.Views(backmix)(images, sectors)
        assert view.shape == images.shape
        drawn.append((view, own))
    (plain, _), (mixed, own) = drawn
    # Standardised image by image, so equal inside up to a scale and an offset.
    for a, b, inside in zip(plain, mixed, own, strict=True):
        if inside.sum() > 50:
            assert np.corrcoef(a[0][inside], b[0][inside])[0, 1] > 0.999
    assert (np.corrcoef(plain[:, 0][~own], mixed[:, 0][~own])[0, 1]) < 0.9


def test_every_method_learns_logs_and_does_not_collapse(ssl: Any, frames: Any, tmp_path: Path) -> None:
    assert len(ssl.methods.SELF_SUPERVISED) == 7
    for method in ssl.methods.METHODS:
        run = tiny(ssl, method, epochs=1)
        torch.manual_seed(run.seed)
        before = ssl.networks.make_encoder(run.encoder).state_dict()["layer4.conv1.weight"]
        after = ssl.pretrain.pretrain(run, frames, tmp_path).state_dict()["layer4.conv1.weight"]
        assert not torch.equal(before, after), method
        log = json.loads((tmp_path / "logs" / f"{run.name}.json").read_text())
        assert np.isfinite(log["epochs"][0]["loss"])
        assert not log["collapsed"], method
        encoder = tmp_path / "encoders" / f"{run.name}.safetensors"
        assert encoder.exists()
        if os.name == "posix":
            assert encoder.stat().st_mode & 0o077 == 0


def test_a_collapse_is_told(ssl: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    alive = torch.randn(64, 16, generator=generator)
    assert not ssl.pretrain.spread(alive).collapsed
    assert ssl.pretrain.spread(alive).std == pytest.approx(1, abs=0.05)
    assert ssl.pretrain.spread(torch.ones(64, 16) + 1e-4 * alive).collapsed, "one point"
    assert ssl.pretrain.spread(alive[:, :1] * torch.ones(16)).collapsed, "one line"
    assert ssl.pretrain.spread(alive * torch.nan).collapsed


@pytest.mark.parametrize("method", ["moco", "byol"])
def test_a_killed_run_goes_on_to_the_same_weights(
    ssl: Any, frames: Any, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These two have most to keep: followers, and a queue that lightly leaves out of its state dict."""
    run = tiny(ssl, method)
    whole = ssl.pretrain.pretrain(run, frames, tmp_path / "whole").state_dict()
    write = ssl.resume.write_whole

    def write_and_die(*arguments: Any) -> None:
        write(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(ssl.resume, "write_whole", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        ssl.pretrain.pretrain(run, frames, tmp_path / "killed")
    monkeypatch.setattr(ssl.resume, "write_whole", write)
    torch.randn(7)  # another process would stand elsewhere in its random numbers
    resumed = ssl.pretrain.pretrain(run, frames, tmp_path / "killed").state_dict()
    logs = [
        json.loads((tmp_path / kind / "logs" / f"{run.name}.json").read_text())["epochs"]
        for kind in ("whole", "killed")
    ]
    assert [e["loss"] for e in logs[0]] == [e["loss"] for e in logs[1]]
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    other = ssl.pretrain.pretrain(tiny(ssl, method, seed=1), frames, tmp_path / "whole").state_dict()
    assert not torch.equal(whole["conv1.weight"], other["conv1.weight"])


def test_imagenet_weights_load_by_torchvisions_names(ssl: Any, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    colour = resnet18().eval()
    torch.save(colour.state_dict(), tmp_path / "weights.pth")
    encoder = ssl.networks.imagenet_encoder(tmp_path / "weights.pth").eval()
    colour.fc = nn.Identity()
    grey = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder(grey), colour(grey.repeat(1, 3, 1, 1)), rtol=1e-3, atol=1e-4)


# -- evaluation -----------------------------------------------------------------------------------


def test_labels_are_drawn_by_patient_and_hold_every_class(ssl: Any) -> None:
    frames = ssl.labelled.phantom_frames(64, 32, 0, 0.0)
    few = ssl.probe.few_patients(frames, 0.1, 0)
    assert set(few.labels) == {0, 1, 2, 3}
    assert len(few.labels) == 8 * len(set(few.patients)), "all frames of a patient or none"
    clips = ssl.clips.phantom_clips(n=8, frames=2, size=32, seed=0, shortcut=0.0)
    first, second = ssl.clips.split_by_patient(clips, 0.25, 0)
    assert len(second.patients) == 2
    assert not set(first.patients) & set(second.patients)


def test_the_probe_on_top_of_its_encoder_is_the_probe(ssl: Any) -> None:
    frames = ssl.labelled.phantom_frames(32, 32, 0, 0.0)
    encoder = ssl.networks.make_encoder("narrow4").eval()
    features = ssl.pretrain.embed(encoder, frames.images).numpy()
    probe = ssl.probe.LinearProbe(features, frames.labels)
    scores = ssl.pretrain.embed(probe.on_top_of(encoder), frames.images)
    np.testing.assert_array_equal(scores.argmax(1), probe.predict(features))


def test_own_clips_are_read_once_and_split_from_those_without_a_sector(ssl: Any, tmp_path: Path) -> None:
    for i, label in enumerate(("A4C", "A4C", "PLAX")):
        (tmp_path / "own" / label).mkdir(parents=True, exist_ok=True)
        clip = sa.phantom.make_clip(label, seed=i, frames=6, size=(64, 64))
        np.save(tmp_path / "own" / label / f"p{i % 2}_{i}.npy", clip.frames)
    noise = np.random.default_rng(0).integers(0, 255, (6, 64, 64), np.uint8)
    np.save(tmp_path / "own" / "PLAX" / "p9_9.npy", noise)
    first, again = (
        ssl.clips.cached(tmp_path / "cache", ssl.clips.own_clips, folder=tmp_path / "own", frames=8, size=32)
        for _ in range(2)
    )
    assert first.frames.shape == (3, 8, 32, 32)
    assert first.labels.tolist() == [0, 0, 1]
    assert first.patients.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(first.frames, again.frames)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def command(name: str, monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])


SMALL = ("--size", 32, "--encoder", "narrow4", "--n-clips", 12, "--frames", 6, "--every", 3, "--epochs", 1)
SMALL += ("--batch", 8)


def test_the_table_has_every_column_and_goes_on(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ssl.table, "STEPS", dict.fromkeys(ssl.table.FRACTIONS, 2))
    small = (*SMALL, "--methods", "barlow", "autoencoder", "--seeds", 0, 1)
    small += ("--labelled", 64, "--out", tmp_path)
    command("table.py", monkeypatch, *small)
    ssl.table.main()
    said = capsys.readouterr().out
    for text in (
        "tuned 1%",
        "silhouette",
        "compactness (energy)",
        "uniqueness (energy)",
        "| barlow | backmix |",
        "Spearman",
        "%E",
        "swapped 100%",
        "| autoencoder-inside | plain |",
        "silhouette (wall)",
    ):
        assert text in said
    assert (tmp_path / "tsne.png").stat().st_size > 1000
    scores = {path: path.read_bytes() for path in (tmp_path / "scores").iterdir()}
    assert len(scores) == 2 + 2 + 6 * 2
    (tmp_path / "table.md").unlink()
    gone = sorted(scores)[0]
    gone.unlink()
    ssl.table.main()
    assert {path: path.read_bytes() for path in scores} == scores, "the lost scores came out as before"
    with pytest.raises(SystemExit, match="other settings"):
        command("table.py", monkeypatch, *small, "--epochs", 3)
        ssl.table.main()


def test_the_table_of_own_clips_splits_patients(
    ssl: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(12):
        label = sa.phantom.VIEWS[i % 2]
        (tmp_path / "own" / label).mkdir(parents=True, exist_ok=True)
        clip = sa.phantom.make_clip(label, seed=i, frames=6, size=(64, 64))
        np.save(tmp_path / "own" / label / f"p{i // 2}_{i}.npy", clip.frames)
    small = (*SMALL, "--methods", "simclr", "--seeds", 0, "--no-tune", "--clips", tmp_path / "own")
    command("table.py", monkeypatch, *small, "--out", tmp_path / "out")
    given: list[Any] = []
    data_of = ssl.table.data_of
    monkeypatch.setattr(ssl.table, "data_of", lambda *each: given.append(each) or data_of(*each))
    ssl.table.main()
    assert "| simclr | backmix |" in capsys.readouterr().out
    frames, data = data_of(*given[0])
    assert not set(frames.patients) & set(data.test.patients)
    assert set(frames.patients) | set(data.test.patients) == set(range(6))


def test_arguments_default_to_the_reduced_size(ssl: Any, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    ssl.pretrain.add_arguments(parser)
    small = ssl.pretrain.parse(parser, ["--out", str(tmp_path / "small")])
    full = ssl.pretrain.parse(parser, ["--full", "--out", str(tmp_path / "full")])
    chosen = ssl.pretrain.parse(parser, ["--full", "--n-clips", "7", "--out", str(tmp_path / "chosen")])
    assert small.n_clips < full.n_clips
    assert (chosen.n_clips, chosen.size) == (7, full.size)
    assert full.encoder == "resnet18"
    assert full.size % 32 == 0
