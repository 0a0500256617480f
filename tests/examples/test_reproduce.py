"""The paper's comparison: end to end at its smallest size, resumed, on two ranks, on layouts of real data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
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

import data as data_module  # noqa: E402
from adapters import ADAPTERS, COLUMNS, Row, Source, checked, split_of  # noqa: E402
from data import (  # noqa: E402
    PHANTOMS,
    SIZES,
    Data,
    Patients,
    cached,
    check_patients,
    load_phantom,
    make_clips,
)
from grids import TABLES, runs_of, sweep  # noqa: E402
from methods import METHODS, Frames, Run, parse_run, softly_swapped, spoilt, start_worker, training_split  # noqa: E402
from networks import NETWORKS, make_network  # noqa: E402
from reproduce import main  # noqa: E402
from sma import SMA  # noqa: E402
from tables import based_on, differences, monotone, printed, read, report  # noqa: E402
from train import SETTINGS, Setting, finish, layer_of, model_of  # noqa: E402

del sys.path[:2]  # the modules' names are common ones

CHUNK = 5
COUNTS = {"train": 96, "val": 16, "i.d.": 16, "o.o.d.": 24}
TINY = replace(SETTINGS["small"], size=32, epochs=2, layer="layer2")
CPU = torch.device("cpu")
SMALLEST = ("--images", "96", "--size", "32", "--epochs", "2", "--layer", "layer2", "--seeds", "0")


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return load_phantom("phantom", COUNTS, 32, tmp_path_factory.mktemp("data"))


def lasting(result: dict[str, Any]) -> dict[str, Any]:
    """All of a result but the times."""
    return {
        key: value for key, value in result.items() if key not in ("forward_ratio", "seconds_since_start")
    }


# -- data -----------------------------------------------------------------------------------------


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
    monkeypatch.setattr(data_module, "ProcessPoolExecutor", lambda mp_context: ThreadPoolExecutor(1))
    monkeypatch.setattr(data_module, "CHUNK", CHUNK)
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


# -- adapters: a tiny tree of each layout -----------------------------------------------------------


def pixels(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 255, (40, 44), dtype=np.uint8)


def make_authors(root: Path) -> Source:
    for i, folder in enumerate(("train", "train", "val", "test", "ood")):
        for where in (root / folder, root / "masking2" / folder):
            where.mkdir(parents=True, exist_ok=True)
            np.save(where / f"{i:04d}_{'PLAX' if i % 2 else 'A4C'}.npy", pixels(i))
    return Source(root)


def make_tmed2(root: Path) -> Source:
    lines = ["query_key,SourceFolder,view_label,diagnosis_label,view_classifier_split"]
    (root / "labeled").mkdir()
    (root / "sectors").mkdir()
    for i, split in enumerate(("train", "train", "val", "test", "unlabeled", "train")):
        view = "A4CorA2CorOther" if i == 5 else ("PLAX", "PSAX")[i % 2]
        lines.append(f"{40 + i}s1_{i}.png,labeled,{view},no_AS,{split}")
        cv2.imwrite(str(root / "labeled" / f"{40 + i}s1_{i}.png"), pixels(i))
        cv2.imwrite(str(root / "sectors" / f"{40 + i}s1_{i}.png"), np.eye(40, 44, dtype=np.uint8))
    (root / "DEV479").mkdir()
    (root / "DEV479" / "TMED2_fold0_labeledpart.csv").write_text("\n".join(lines))
    return Source(root, sectors=root / "sectors")


def make_folders(root: Path) -> Source:
    for i in range(60):
        (root / ("A4C", "PLAX")[i % 2]).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / ("A4C", "PLAX")[i % 2] / f"p{i // 2}_{i}.png"), pixels(i))
    return Source(root)


def make_mimic(root: Path) -> Source:
    records, views = ["subject_id,study_id,acquisition_datetime,dicom_filepath"], ["dicom_filepath,view"]
    for i in range(60):
        path = f"files/p10/p{100 + i // 2}/s{i}/{i}_0001.dcm"
        records.append(f"{100 + i // 2},{i},2017-01-01,{path}")
        views.append(f"{path},{('A4C', 'PLAX')[i % 2]}")
        if i != 59:  # people download a part
            (root / path).parent.mkdir(parents=True)
            (root / path).write_bytes(b"")
    (root / "echo-record-list.csv").write_text("\n".join(records))
    (root / "views.csv").write_text("\n".join(views))
    return Source(root, root / "views.csv")


MAKERS = {"authors": make_authors, "tmed2": make_tmed2, "folders": make_folders, "mimic": make_mimic}


@pytest.mark.parametrize("layout", ADAPTERS)
def test_adapters_give_one_table(tmp_path: Path, layout: str) -> None:
    rows = checked(ADAPTERS[layout](MAKERS[layout](tmp_path)), layout)
    assert {row.label for row in rows} <= {"PLAX", "PSAX", "A4C"}
    assert len({row.image for row in rows}) == len(rows) and all(row.image.exists() for row in rows)
    first = rows[0]
    if layout == "authors":
        assert [row.split for row in rows] == ["train", "train", "val", "i.d.", "o.o.d."]
        assert first.label == "A4C" and first.patient == "" and first.sector.parent.parent.name == "masking2"
    elif layout == "tmed2":
        assert first == Row(
            tmp_path / "labeled" / "40s1_0.png", "PLAX", "40", "train", tmp_path / "sectors" / "40s1_0.png"
        )
        assert [row.split for row in rows] == ["train", "train", "val", "i.d."]
    else:
        assert len(rows) == (60 if layout == "folders" else 59)
        splits: dict[str, set[str]] = {}
        for row in rows:
            splits.setdefault(row.patient, set()).add(row.split)
        assert len(splits) == 30 and all(len(each) == 1 for each in splits.values())


def test_own_folders_may_name_their_splits(tmp_path: Path) -> None:
    for i, split in enumerate(("train", "val", "test")):
        (tmp_path / split / "A4C").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / split / "A4C" / f"p{i % 2}_{i}.png"), pixels(i))
    rows = ADAPTERS["folders"](Source(tmp_path))
    assert [(row.split, row.label, row.patient) for row in rows] == [
        ("i.d.", "A4C", "p0"),
        ("train", "A4C", "p0"),
        ("val", "A4C", "p1"),
    ]
    with pytest.raises(SystemExit, match="1 patients are in both i.d. and train; expected each in one split"):
        checked(rows, "here")


@pytest.mark.parametrize("layout", COLUMNS)
def test_unknown_columns_are_named_in_one_sentence(tmp_path: Path, layout: str) -> None:
    source = MAKERS[layout](tmp_path)
    table = source.labels or tmp_path / "DEV479" / "TMED2_fold0_labeledpart.csv"
    theirs = COLUMNS[layout]["label"]
    table.write_text(table.read_text().replace(theirs, "aspect"))
    with pytest.raises(SystemExit, match=f"but not {theirs}; expected .*: use --columns label=NAME") as error:
        ADAPTERS[layout](source)
    assert "\n" not in str(error.value)
    assert ADAPTERS[layout](replace(source, columns={"label": "aspect"}))


def test_split_of_a_patient_is_about_80_10_10() -> None:
    splits = [split_of(str(patient)) for patient in range(2000)]
    assert 0.77 < splits.count("train") / 2000 < 0.83
    assert 0.08 < splits.count("val") / 2000 < 0.12


# -- methods ------------------------------------------------------------------------------------------


def test_each_method_trains_a_step(tmp_path: Path, data: Data) -> None:
    once = replace(TINY, epochs=1)
    for method in METHODS:
        run = Run(method, fraction=0.5, lam=1.0 if method == "wbackmix" else 0.0, jitter=method == "baseline")
        result = finish(run, data, once, tmp_path, CPU)
        assert np.isfinite(result["losses"]).all(), method
        assert set(result["tests"]) == {"i.d.", "o.o.d."}
    sizes = {result[0]["parameters"] for name, result in read(tmp_path / "runs").items() if "sma" not in name}
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
    image, label, mixed = frames[5]
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
        return torch.cat([images for images, _, _ in loader])

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


# -- running ------------------------------------------------------------------------------------------


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


# -- tables -------------------------------------------------------------------------------------------


def made_up(folder: Path, run: Run, accuracy: float) -> None:
    scores = dict.fromkeys(("accuracy", "precision", "recall", "f1", "energy", "focus"), accuracy)
    test = {**scores, "coverage": 40.0, "n_empty": 1.0, "grid": "4x4"}
    result = {
        "run": asdict(run),
        "name": run.name,
        "setting": asdict(SETTINGS["small"]),
        "data": "made-up",
        "tests": {"i.d.": test, "o.o.d.": test},
        "parameters": 10,
        "forward_ratio": 1.0,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{run.file}.json").write_text(json.dumps(result))


def test_tables_claim_an_order_only_where_runs_tell_rows_apart(tmp_path: Path) -> None:
    for seed, jitter in enumerate((-1.0, 0.0, 1.0)):
        made_up(tmp_path, Run("baseline", seed=seed), 70 + jitter)
        made_up(tmp_path, Run("black", seed=seed), 89 + 4 * jitter)
        made_up(tmp_path, Run("backmix", seed=seed), 90 - jitter)
        made_up(tmp_path, Run("backmix", 0.05, seed=seed), 91 + jitter)
    made_up(tmp_path, Run("backmix", 0.05, sample=1), 93.0)
    made_up(tmp_path, Run("backmix-soft"), 90.0)
    text = report(tmp_path)
    assert "A small setting, not the paper's: 64x64 pixels, 8 epochs" in text
    assert "| baseline | 3 | 70.0 ± 1.0 [97.7] |" in text
    assert (
        "BackMix is number 1 of 3 by its mean (first: backmix f=1), +20.0 [+3.7] over the baseline." in text
    )
    told, open_ = (
        next(line for line in text.splitlines() if line.startswith(f"| backmix f=1 minus {other}"))
        for other in ("baseline", "black")
    )
    assert told.count("+20.0\\*") == 4
    assert "+1.0 (p" in open_ and "\\*" not in open_
    assert "accuracy: the means do not always fall with f (90.0, 91.0)." in text
    assert "2 samples, one seed, o.o.d. [printed]: accuracy 91.5 ± 2.1 [± 0.55]" in text
    assert "| backmix-soft f=1 | 1 | 90.0 |" in text, "one seed: shown, not compared"
    assert "backmix-soft f=1 minus" not in text
    assert differences(read(tmp_path), [("backmix f=1", "sma")], ["backmix f=1", "sma"]) == ""


@pytest.mark.parametrize(("step", "seen"), [(4.0, True), (0.0, False)])
def test_tables_test_the_trend_in_f(tmp_path: Path, step: float, seen: bool) -> None:
    for seed, noise in enumerate(np.random.default_rng(0).normal(0, 1, (5, 4))):
        for k, (f, jitter) in enumerate(zip((1.0, 0.5, 0.2, 0.1), noise, strict=True)):
            made_up(tmp_path, Run("backmix", f, seed=seed), 90 - step * k + float(jitter))
    line = next(x for x in monotone(read(tmp_path)).splitlines() if x.startswith("- accuracy"))
    assert (float(line.rstrip(".").split("p ")[1]) < 0.01) == seen


def test_tables_refuse_to_mix_settings(tmp_path: Path) -> None:
    made_up(tmp_path, Run("baseline"), 70.0)
    made_up(tmp_path, Run("black"), 70.0)
    path = tmp_path / "black_seed0.json"
    path.write_text(path.read_text().replace('"made-up"', '"others"'))
    with pytest.raises(SystemExit, match="1 settings on 2 data sets; expected one"):
        report(tmp_path)
    assert report(tmp_path / "none").startswith("no run has ended")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("baseline jitter=True", "baseline"),
        ("backmix f=0.3", "baseline"),
        ("wbackmix f=0.2 lam=1", "baseline"),
        ("backmix f=1 network=vit-tiny", "baseline network=vit-tiny"),
        ("baseline network=vit-tiny", "baseline"),
        ("backmix-soft f=1", "backmix f=1"),
        ("backmix f=1 masks=eroded iou=0.9", "backmix f=1"),
        ("backmix f=1 jitter=True", "backmix f=1"),
    ],
)
def test_rows_are_compared_with_what_they_change(name: str, base: str) -> None:
    assert based_on(name) == base


def test_printed_numbers_are_the_papers() -> None:
    assert printed("backmix f=1", "o.o.d.")["precision"] == 92.9
    assert printed("cutmix", "i.d.") == {"accuracy": 97.9, "f1": 97.7, "energy": 70.3, "focus": 87.6}
    assert printed("backmix-soft f=1", "o.o.d.") == {}


def test_cached_arrays_without_an_unseen_hospital(tmp_path: Path) -> None:
    arrays = {}
    for split in ("train", "val", "i.d."):
        arrays[f"{split}-images"] = arrays[f"{split}-sectors"] = np.zeros((2, 32, 32), np.uint8)
        arrays[f"{split}-labels"] = np.arange(2)
        arrays[f"{split}-patients"] = np.array([f"{split} a", f"{split} b"])
    made = cached(tmp_path, "own", {}, ("A", "B"), lambda _: arrays)
    assert list(made.splits) == ["train", "val", "i.d."] and isinstance(made.splits["val"], Patients)


FROZEN_SUMS = [4_725_540, 822_892, 825_151, 1_230_274]
