"""Every example runs at its smallest size, and a killed training run ends with the same table."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALLEST = ("--images", "64", "--size", "48", "--width", "16")
SMALL = ("--images", "96", "--size", "48", "--width", "16", "--runs", "baseline", "wbackmix@0.5", "noise@1")

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

TWO_RANKS = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def command(name: str, *arguments: object, launcher: tuple[str, ...] = ()) -> list[str]:
    return [sys.executable, *launcher, str(EXAMPLES / name), *map(str, arguments)]


def run(name: str, *arguments: object, launcher: tuple[str, ...] = ()) -> str:
    done = subprocess.run(
        command(name, *arguments, launcher=launcher),
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    return done.stdout


@pytest.fixture
def run_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """`run` in this process, which has imported most of it already."""
    before = os.umask(0o077)
    modules = set(sys.modules)

    def run_here(name: str, *arguments: object) -> str:
        path = EXAMPLES / name
        monkeypatch.syspath_prepend(path.parent)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run_here
    os.umask(before)
    plt.close("all")
    for name in set(sys.modules) - modules:  # other examples have modules of the same names
        if str(EXAMPLES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def test_plot_backmix(tmp_path: Path, run_here: Callable[..., str]) -> None:
    said = run_here("plot_backmix.py", "--out", tmp_path, "--epochs", 1)
    assert "pixels changed inside a sector      0" in said
    assert cv2.imread(str(tmp_path / "backmix.png")).std() > 10


def test_train_resnet18_killed_and_resumed_gives_the_same_table(
    tmp_path: Path, run_here: Callable[..., str]
) -> None:
    said = run_here("train_resnet18.py", *SMALL, "--epochs", 2, "--out", tmp_path / "whole")
    whole = (tmp_path / "whole" / "table.md").read_text()
    assert whole.strip() in said
    for row in ("baseline", "wbackmix f=0.5", "noise f=1"):
        for test in ("i.d.", "o.o.d.", "other sites"):
            assert f"| {row} | {test} |" in whole
    results = json.loads((tmp_path / "whole" / "results.json").read_text())["results"]
    assert results["baseline"]["i.d."][0]["grid"] == "3x3"
    for picture in ("swaps", "heatmaps", "curves"):
        assert cv2.imread(str(tmp_path / "whole" / f"{picture}.png")).std() > 10

    again = command("train_resnet18.py", *SMALL, "--epochs", 2, "--out", tmp_path / "killed")
    process = subprocess.Popen(again, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = tmp_path / "killed" / "runs" / "wbackmix-f0.5-seed0.pt"
    while not first.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "table.md").exists()
    said = run_here("train_resnet18.py", *SMALL, "--epochs", 2, "--out", tmp_path / "killed")
    assert (tmp_path / "killed" / "table.md").read_text() == whole
    assert whole.strip() in said


ON_THE_DEVICE = (*SMALLEST, "--epochs", "2", "--runs", "baseline", "backmix@0.5", "--augment", "gpu")


@pytest.mark.parametrize("n_processes", [1, 2])
def test_train_resnet18_augments_batches_on_the_device(
    tmp_path: Path, n_processes: int, run_here: Callable[..., str]
) -> None:
    if n_processes == 1:
        said = run_here("train_resnet18.py", *ON_THE_DEVICE, "--out", tmp_path)
    else:
        said = run("train_resnet18.py", *ON_THE_DEVICE, "--out", tmp_path, launcher=TWO_RANKS)
    assert (" x 2, 48x48" in said) == (n_processes == 2)
    assert said.count("| backmix f=0.5 | o.o.d. |") == 1, "one rank reports"
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["settings"]["augment"] == "gpu"


def test_refine_sectors_stopped_and_resumed_gives_the_same_report(
    tmp_path: Path, run_here: Callable[..., str]
) -> None:
    pytest.importorskip("monai")
    small = ("--sequences", 30, "--drawn", 6, "--bad", 9, "--size", 64, "--width", 4)
    small += ("--frames", 2, "--epochs", 1, "--refine-epochs", 1, "--runs", 2)
    shards = [run("refine_sectors/refine.py", *small, "--shard", f"{k}/2", "--out", tmp_path) for k in (0, 1)]
    assert "3 of 6 runs are still missing" in shards[0]
    said = shards[1]
    report = (tmp_path / "report.md").read_text()
    assert report.strip() in said
    for method in ("threshold", "filled", "hull"):
        assert f"| {method} | (the masks themselves) |" in report
        assert f"| {method} | 3rd |" in report
        assert f"| {method} | more |" in report
        assert re.search(rf"^\| {method} \| 2nd \| \d+ of 180 ", report, re.MULTILINE), "burned-in pixels"
    assert report.count("base vs. 2nd") == 2
    for picture in ("masks", "curves"):
        assert cv2.imread(str(tmp_path / f"{picture}.png")).std() > 10
    kept = {path: path.read_bytes() for path in (tmp_path / "runs").iterdir()}
    assert len(kept) == 6
    gone = sorted(kept)[1]
    gone.unlink()
    clips = {path: path.stat() for path in (tmp_path / "cache").iterdir()}
    assert len(clips) == 30
    assert not any(about.st_mode & 0o077 for about in clips.values())
    lost, *others = clips
    lost.unlink()
    run_here("refine_sectors/refine.py", *small, "--out", tmp_path)
    assert lost.exists()
    assert all(path.stat().st_mtime_ns == clips[path].st_mtime_ns for path in others)
    assert (tmp_path / "report.md").read_text() == report
    assert {path: path.read_bytes() for path in kept} == kept, "the lost run came out as before"


def test_refine_sectors_takes_a_folder_of_clips(tmp_path: Path, run_here: Callable[..., str]) -> None:
    pytest.importorskip("monai")
    for part in ("clips", "drawn"):
        (tmp_path / part).mkdir()
    for i in range(18):
        clip = sa.phantom.make_clip(seed=i, frames=6, size=(48, 48))
        np.save(tmp_path / "clips" / f"{i:02}.npy", clip.frames)
        if i < 9:
            cv2.imwrite(str(tmp_path / "drawn" / f"{i:02}.png"), clip.sector * np.uint8(255))
    small = ("--drawn", 6, "--size", 64, "--width", 4, "--frames", 2, "--epochs", 1, "--refine-epochs", 1)
    small += ("--runs", 1, "--pass-share", 0.8)
    said = run_here("refine_sectors/refine.py", "--root", tmp_path, *small, "--out", tmp_path / "out")
    assert "one run: nothing to compare" in said


def test_refine_sectors_holds_each_source_out(tmp_path: Path, run_here: Callable[..., str]) -> None:
    pytest.importorskip("monai")
    listed = [{"file": "pydicom:ybr_color", "sector": "elsewhere.png"}]
    for i in range(6):
        clip = sa.phantom.make_clip(seed=i, frames=6, size=(48, 48))
        listed.append({"file": f"{'ab'[i % 2]}/{i}.npy", "sector": f"{i}.png"})
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        np.save(tmp_path / listed[-1]["file"], clip.frames)
        cv2.imwrite(str(tmp_path / f"{i}.png"), clip.sector * np.uint8(255))
    (tmp_path / "sectors.json").write_text(json.dumps(listed))
    (tmp_path / "sources.csv").write_text("file,source\na/0.npy,c\n")
    small = ("--phantoms", 8, "--size", 64, "--width", 4, "--frames", 2, "--epochs", 1, "--seeds", 2)
    small += ("--root", tmp_path, "--sources", tmp_path / "sources.csv", "--out", tmp_path / "out")
    said = run_here("refine_sectors/real.py", *small)
    assert [line.split(" | ")[:2] for line in said.splitlines()[2:6]] == [
        ["| c", "1"],
        ["| b", "3"],
        ["| a", "2"],
        ["| all", "6"],
    ]
    assert run_here("refine_sectors/real.py", *small) == said
    with pytest.raises(SystemExit, match="other settings; choose another --out"):
        run_here("refine_sectors/real.py", *small, "--method", "filled")


def test_train_resnet18_refuses_to_mix_settings(tmp_path: Path, run_here: Callable[..., str]) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"size": "112"}))
    with pytest.raises(SystemExit, match="other settings; choose another --out"):
        run_here("train_resnet18.py", *SMALL, "--out", tmp_path)


@pytest.mark.parametrize("layout", ["folder", "tmed2"])
def test_train_resnet18_on_layouts_of_real_data(
    tmp_path: Path, layout: str, run_here: Callable[..., str]
) -> None:
    root, sectors = tmp_path / "data", tmp_path / "sectors"
    rows = ["query_key,SourceFolder,view_label,view_classifier_split"]
    for number, split in enumerate(("train", "val", "test", "ood")):
        data = sa.phantom.make_dataset(96 if split == "train" else 16, seed=number, size=(48, 48))
        for i, (image, sector, label) in enumerate(zip(data.images, data.sectors, data.labels, strict=True)):
            view = sa.phantom.VIEWS[label]
            if layout == "folder":
                for folder, pixels in ((root / split, image), (root / "masking2" / split, sector)):
                    folder.mkdir(parents=True, exist_ok=True)
                    np.save(folder / f"{i:04d}_{view}.npy", pixels.astype(np.uint8))
            elif split != "ood":
                (root / "labeled").mkdir(parents=True, exist_ok=True)
                sectors.mkdir(exist_ok=True)
                cv2.imwrite(str(root / "labeled" / f"{number}s1_{i}.png"), image)
                if i % 4:  # some images have no sector
                    cv2.imwrite(str(sectors / f"{number}s1_{i}.png"), sector * np.uint8(255))
                rows.append(f"{number}s1_{i}.png,labeled,{view},{split}")
    rows.append("9s1_0.png,labeled,A4CorA2CorOther,train")
    if layout == "tmed2":
        (root / "DEV479").mkdir()
        (root / "DEV479" / "TMED2_fold0_labeledpart.csv").write_text("\n".join(rows))
    arguments = ("--data", layout, "--root", root, "--sectors", sectors, "--epochs", 1)
    arguments += ("--size", 48, "--width", 16)
    run_here("train_resnet18.py", *arguments, "--runs", "backmix@1", "--seeds", 0, "--out", tmp_path / "out")
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| backmix f=1 | i.d. |" in table
    assert ("| backmix f=1 | o.o.d. |" in table) == (layout == "folder")


def test_plot_sectors(tmp_path: Path, run_here: Callable[..., str]) -> None:
    said = run_here("plot_sectors.py", "--out", tmp_path)
    assert re.search(r"real clip, fan: phased, quality 0\.[67]", said)
    assert "noise, fan: refused: neighbouring pixels are unrelated" in said
    assert "side by side, fan: refused: two areas stand side by side" in said
    assert cv2.imread(str(tmp_path / "sectors.png")).std() > 10
