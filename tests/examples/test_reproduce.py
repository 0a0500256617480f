"""The paper's comparison: end to end at its smallest size, resumed, on two ranks, on layouts of real data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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
import chunks as chunks_module  # noqa: E402
from chunks import make_clips  # noqa: E402
from comparison import main  # noqa: E402
from data import (  # noqa: E402
    PHANTOMS,
    SIZES,
    Data,
    check_patients,
    load_phantom,
)
from methods import Run, training_split  # noqa: E402
from train import finish  # noqa: E402

del sys.path[:2]  # the modules' names are common ones
from reproduce_parts import COUNTS, CPU, TINY, make_tmed2  # noqa: E402

CHUNK = 5
SMALLEST = ("--images", "96", "--size", "32", "--epochs", "2", "--layer", "layer2", "--seeds", "0")


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    """All of a result but the times."""
    return {
        key: value for key, value in result.items() if key not in ("forward_ratio", "seconds_since_start")
    }


def test_the_benchmark_is_frozen(data: Data) -> None:
    assert PHANTOMS["phantom"] == {"preset": "benchmark-v1", "shortcut": 0.9, "outline_shortcut": 0.0}
    assert tuple(SIZES["paper"].values()) == (14_569, 1_670, 1_815, 2_565)
    sums = [int(each.images.astype(np.int64).sum()) for each in data.splits.values()]
    assert sums == FROZEN_SUMS


def test_the_overlay_tells_the_label_where_one_trains_and_not_elsewhere() -> None:
    what = PHANTOMS["phantom"]
    for domain, shortcut, low, high in (("train", what["shortcut"], 0.85, 1.0), ("shifted", 0.0, 0.1, 0.4)):
        made = sa.phantom.make_dataset(
            200, shortcut=shortcut, size=(32, 32), domain=domain, preset=what["preset"]
        )
        assert low < (made.layouts == made.labels).mean() < high
    ranges = sa.phantom.PRESETS["benchmark-v1"]
    for key in ("layouts", "sites", "geometries", "half_openings_deg", "gain"):
        assert ranges["train"][key] != ranges["shifted"][key]


def test_data_are_made_once_and_for_their_owner_only(tmp_path: Path, data: Data) -> None:
    first = load_phantom("phantom", COUNTS, 32, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    stamps = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = load_phantom("phantom", COUNTS, 32, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == stamps
    assert first.key == again.key == data.key
    np.testing.assert_array_equal(first.splits["train"].images, data.splits["train"].images)


def test_patients_are_in_one_split(data: Data) -> None:
    patients = [set(each.patients.tolist()) for each in data.splits.values()]
    assert len(set.union(*patients)) == sum(map(len, patients))
    with pytest.raises(SystemExit, match="1 patients are in both i.d. and train"):
        check_patients({"train": {"7", "8"}, "i.d.": {"8"}})


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the processes that make clips."""
    monkeypatch.syspath_prepend(SCRIPT.parent)
    monkeypatch.syspath_prepend(EXAMPLES)


def test_clips_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a thread; the next test makes clips in processes."""
    monkeypatch.setattr(chunks_module, "ProcessPoolExecutor", lambda mp_context: ThreadPoolExecutor(1))
    monkeypatch.setattr(chunks_module, "CHUNK", CHUNK)
    what = {**PHANTOMS["phantom-clips"], "size": 32, "seed": 1, "found_at_px": 32}
    what["counts"] = {"train": CHUNK + 1, "val": 1}
    first = make_clips(what, tmp_path)
    done = tmp_path / "train-0.npz"
    arrays = dict(np.load(done))
    np.savez(done, **{**arrays, "images": np.full_like(arrays["images"], 7)})
    (tmp_path / f"train-{CHUNK}.npz").unlink()
    again = make_clips(what, tmp_path)
    assert (again["train-images"][:CHUNK] == 7).all()
    np.testing.assert_array_equal(again["train-images"][CHUNK:], first["train-images"][CHUNK:])


def test_sectors_are_found_in_clips(
    tmp_path: Path, importable: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # one process, which mostly imports
    counts = {"train": 6, "val": 1, "i.d.": 1, "o.o.d.": 1}
    made = load_phantom("phantom-clips", counts, 48, tmp_path)
    true, found = made.splits["train"].sectors, made.found_sectors
    here = found.any((1, 2))
    assert here.sum() >= 5
    assert (true & found).sum((1, 2))[here].min() > 0.5 * (true | found).sum((1, 2))[here].max()
    split = training_split(Run("backmix", masks="found"), made.splits["train"], found)
    np.testing.assert_array_equal(split.sectors, found)


def test_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    arguments = (
        "--fractions",
        "1",
        "0.05",
        "--lams",
        "0",
        "2",
        "--runs",
        "baseline",
        "black",
        "--out",
        str(tmp_path),
    )
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *SMALLEST, *arguments])
    main()
    text = (tmp_path / "tables.md").read_text()
    assert text.strip() in capsys.readouterr().out
    assert "| wbackmix f=0.05 lam=2 | 1 |" in text and "[92.4]" in text and "## Cost" in text
    assert len(list((tmp_path / "runs").glob("*.json"))) == 5
    for picture in ("maps-id", "maps-ood"):
        assert cv2.imread(str(tmp_path / f"{picture}.png")).std() > 10
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    main()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()} == stamps
    assert not list((tmp_path / "checkpoints").iterdir())
    monkeypatch.setattr(sys, "argv", ["reproduce.py", *SMALLEST, *arguments, "--epochs", "1"])
    with pytest.raises(SystemExit, match="was made with another setting or other data; choose another --out"):
        main()


def test_killed_and_resumed_gives_the_same(tmp_path: Path) -> None:
    counts = {split: max(8, round(n * 96 / SIZES["small"]["train"])) for split, n in SIZES["small"].items()}
    long = replace(TINY, epochs=6)
    data = load_phantom("phantom", counts, 32, tmp_path / "data")
    run = Run("backmix", 0.5)
    whole = finish(run, data, long, tmp_path / "whole", CPU)

    out = tmp_path / "killed"
    command = [sys.executable, str(SCRIPT), *SMALLEST, "--epochs", "6", "--runs", "backmix@0.5"]
    process = subprocess.Popen(
        [*command, "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    saved = out / "checkpoints" / f"{run.file}.pt"
    while not saved.exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "runs").exists() and saved.stat().st_mode & 0o077 == 0
    done = torch.load(saved, weights_only=True)["epoch"]
    assert 1 <= done < 6
    with pytest.raises(SystemExit, match="another setting"):
        finish(run, data, replace(long, epochs=7), out, CPU)
    assert lasting(finish(run, data, long, out, CPU)) == lasting(whole)


def test_two_ranks_give_the_same_kind_of_result(tmp_path: Path, data: Data) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    arguments = (str(SCRIPT), *SMALLEST, "--runs", "backmix@0.5", "sma")
    done = subprocess.run(
        [sys.executable, *launcher, *arguments, "--out", str(tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.count("cpu x 2") == 1 and done.stdout.count("## Cost") == 1, "one rank reports"
    one = finish(Run("backmix", 0.5), data, TINY, tmp_path / "one", CPU)
    two = json.loads((tmp_path / "two" / "runs" / "backmix_f=0.5_seed0.json").read_text())
    assert two["ranks"] == 2 and one["ranks"] == 1
    assert two.keys() == one.keys() and two["tests"].keys() == one["tests"].keys()
    assert two["tests"]["i.d."].keys() == one["tests"]["i.d."].keys()


def test_real_layouts_run_through_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, other = tmp_path / "tmed2", tmp_path / "other"
    root.mkdir()
    make_tmed2(root)
    for i, view in enumerate(("PLAX", "PSAX")):
        (other / "ood" / view).mkdir(parents=True)
        np.save(other / "ood" / view / f"p{i}_0.npy", sa.phantom.make_clip(seed=i, frames=8).frames)
    arguments = ["reproduce.py", "--data", "tmed2", "--root", root, "--sectors", root / "sectors"]
    arguments += [
        "--ood",
        "folders",
        "--ood-root",
        other,
        "--ood-sectors",
        "auto",
        "--classes",
        "PSAX",
        "PLAX",
    ]
    arguments += ["--size", 32, "--epochs", 1, "--seeds", 0, "--runs", "backmix", "--out", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    main()
    result = json.loads((tmp_path / "out" / "runs" / "backmix_f=1_seed0.json").read_text())
    assert set(result["tests"]) == {"i.d.", "o.o.d."} and result["data"].startswith("tmed2-")
    (folder,) = (tmp_path / "out" / "data").iterdir()
    assert np.load(folder / "train-labels.npy").tolist() == [1, 0], "in the order of --classes"
    assert np.load(folder / "o.o.d.-patients.npy").tolist() == ["p0", "p1"]
    sectors = np.load(folder / "o.o.d.-sectors.npy")
    assert sectors.shape == (2, 32, 32) and 0.2 < sectors.mean() < 0.7, "found in the clips"


FROZEN_SUMS = [4_725_540, 822_892, 825_151, 1_230_274]
