"""A shortcut planted on a folder of real images, here of the phantom: its splits, its rivals, its tables."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa

for name in ("matplotlib", "torchvision", "torchmetrics", "tqdm", "sklearn"):
    pytest.importorskip(name)
EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path[:0] = [str(EXAMPLES / "reproduce"), str(EXAMPLES)]
torch = pytest.importorskip("torch")
from comparison import main, parse  # noqa: E402
from methods import Frames, Run, few_clean, training_split  # noqa: E402
from natural import load_natural  # noqa: E402
from networks import make_network  # noqa: E402
from planted import PARTS, Planted, load_planted  # noqa: E402
from planted_table import report_planted  # noqa: E402
from rivals import Distilled, EnergyGuided, errors_again, retrain_last_layer  # noqa: E402
from splits import Split  # noqa: E402
from train import SETTINGS, finish  # noqa: E402

del sys.path[:2]  # the modules' names are common ones

N = 160


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LABEL/PATIENT_NUMBER.png and sectors/PATIENT_NUMBER.png; four images a patient."""
    root = tmp_path_factory.mktemp("planted")
    data = sa.phantom.make_dataset(N, shortcut=0.0, size=(40, 48))
    for i, (image, sector, label) in enumerate(zip(data.images, data.sectors, data.labels, strict=True)):
        for folder, plane in ((root / "images" / f"view{label}", image), (root / "sectors", sector * 255)):
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"p{i // 4:02d}_{i}.png"), plane.astype(np.uint8))
    return root


def arguments(root: Path, out: Path, *more: str) -> list[str]:
    given = ("--data", "planted", "--root", root / "images", "--sectors", root / "sectors", "--size", 32)
    return ["reproduce.py", *map(str, given), "--epochs", "1", "--layer", "layer2", "--out", str(out), *more]


@pytest.fixture(scope="module")
def planted(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", arguments(root, root, "--strength", "1"))
        return load_planted(parse(""), 32, tmp_path_factory.mktemp("cache"))


def test_patients_stay_together_and_donors_apart(planted: Planted) -> None:
    parts = [set(planted.splits[part].patients.tolist()) for part in PARTS]
    assert len(set.union(*parts)) == sum(map(len, parts)) == N // 4
    assert [len(part) for part in parts] == [32, 4, 4]
    tested = np.zeros(len(planted.splits["content"].labels), int)
    for seed in range(5):
        dealt = planted.dealt(seed)
        tested += dealt["test"]
        patients = [set(planted.splits["content"].patients[rows].tolist()) for rows in dealt.values()]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 32
    assert (tested == 1).all(), "five seeds test every image once"


def test_backgrounds_tell_the_label_where_they_should(planted: Planted) -> None:
    splits, content = planted.at(3).splits, planted.splits["content"]
    assert set(planted.at(3).tests) == {
        "i.d.", "neutral", "neutral, other donors", "reversed", "own", "outline",
    }  # fmt: skip
    own = splits["own"]
    np.testing.assert_array_equal(own.images, content.images[planted.dealt(3)["test"]])
    inside = own.sectors != 0
    for name in ("i.d.", "neutral", "reversed"):
        np.testing.assert_array_equal(splits[name].images[inside], own.images[inside])
        assert (splits[name].images[~inside] != own.images[~inside]).mean() > 0.05
    assert (splits["i.d."].images != splits["reversed"].images).any((1, 2)).mean() > 0.8
    assert not np.array_equal(splits["neutral"].images, splits["neutral, other donors"].images)
    assert set(np.unique(splits["outline"].images)) == {0, 100}
    again = planted.at(3).splits["train"].images
    np.testing.assert_array_equal(again, splits["train"].images)
    assert len(planted.at(4).splits["train"].images) != 0 and planted.at(3).key == planted.at(4).key


def test_outlines_come_along(planted: Planted) -> None:
    train = planted.at(0).splits["train"]
    for sector, outline in list(zip(train.sectors, train.outlines, strict=True))[:10]:
        drawn = outline.rasterise((32, 32))
        assert (drawn & (sector != 0)).sum() > 0.9 * (drawn | (sector != 0)).sum()
    run = Run("reshape")
    frames = Frames(run, training_split(run, train, None))
    frames.start(0)
    image, _, mixed, sector = frames[0]
    assert not mixed and (sector.numpy() != train.sectors[0]).any() and image.shape == (1, 32, 32)


def test_command_ends_with_tables(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    runs = ("--runs", "baseline", "backmix", "dfr@0.2", "--seeds", "0", "1")
    monkeypatch.setattr(sys, "argv", arguments(root, tmp_path, *runs))
    main()
    text = (tmp_path / "tables.md").read_text()
    assert text.strip() in capsys.readouterr().out
    assert cv2.imread(str(tmp_path / "planted.png")).std() > 10
    assert "| dfr f=0.2 |" in text and "| backmix f=1 minus baseline |" in text and "3 pairs of" in text
    result = json.loads((tmp_path / "runs" / "backmix_f=1_seed0.json").read_text())
    assert len(result["answers"]["neutral"]) == len(result["answers"]["own"])
    assert set(result["tests"]) == set(result["answers"])


def test_report_uses_the_seeds_that_all_methods_have(planted: Planted, tmp_path: Path) -> None:
    tiny = replace(SETTINGS["small"], size=32, epochs=1, layer="layer2")
    assert report_planted(tmp_path / "runs", planted) == f"no run has ended in {tmp_path / 'runs'} yet"
    for run in (Run("baseline"), Run("baseline", seed=1), Run("black", seed=1)):
        finish(run, planted, tiny, tmp_path, torch.device("cpu"))
    assert "seeds 1." in report_planted(tmp_path / "runs", planted)


def test_natural_cells_are_label_and_text(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge = (
        "--merge",
        "a=view0,view1",
        "b=view2,view3",
        "--runs",
        "baseline",
        "backmix",
        "--seeds",
        "0",
        "1",
    )
    monkeypatch.setattr(sys, "argv", arguments(root, tmp_path, *merge, "--data", "natural"))
    made = load_natural(parse(""), 32, tmp_path / "data")
    assert made.classes == ("a", "b") and 0.4 < made.has_text.mean() < 0.6
    content, parts = made.splits["content"], made.at(1).splits
    brightness = (content.images * (content.sectors == 0)).mean((1, 2))
    assert brightness[made.has_text].mean() > brightness[~made.has_text].mean()
    for seed, sign in ((0, True), (1, False)):
        rows = made.tested(seed, "same cells")
        assert (made.has_text[rows] == ((content.labels[rows] == 0) == sign)).all()
        other = made.tested(seed, "other cells")
        assert (made.has_text[other] == ((content.labels[other] == 1) == sign)).all()
        assert not (rows & other).any() and len(parts["train"].labels) + len(parts["val"].labels) > 20
    seen = replace(made, only="background").at(0).splits["train"]
    assert not seen.images[seen.sectors != 0].any() and seen.images.any()
    main()
    text = (tmp_path / "tables.md").read_text()
    assert "other cells balanced accuracy" in text and "| backmix f=1 minus baseline |" in text
    monkeypatch.setattr(sys, "argv", arguments(root, tmp_path / "four", "--data", "natural"))
    with pytest.raises(SystemExit, match="found 4 labels; expected two: use --classes, and --merge"):
        main()


def test_no_sectors_is_one_sentence(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "none").mkdir()
    given = arguments(root, tmp_path)
    given[given.index(str(root / "sectors"))] = str(tmp_path / "none")
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit, match="gave no image with a sector; expected some"):
        main()


def test_dfr_replaces_the_last_layer_only(planted: Planted) -> None:
    clean = few_clean(Run("dfr", 0.5), planted.at(0))
    model = make_network("resnet18", 4, 32, "torchvision", 16).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    retrain_last_layer(model, clean)
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {"fc.weight", "fc.bias"}
    two = Split(
        clean.images[clean.labels < 2], clean.sectors[clean.labels < 2], clean.labels[clean.labels < 2]
    )
    retrain_last_layer(model, two)
    from frames import standardised

    with torch.no_grad():
        guesses = model(standardised(torch.from_numpy(two.images)[:, None])).argmax(1)
    assert set(guesses.tolist()) <= {0, 1}


def test_jtt_repeats_what_is_wrong(planted: Planted) -> None:
    train = planted.at(0).splits["train"]
    run = Run("jtt")
    frames = Frames(run, training_split(run, train, None))
    frames.start(0)
    torch.manual_seed(0)
    rows = errors_again(make_network("resnet18", 4, 32, "torchvision", 16), frames, train, 2)
    times = np.bincount(rows)
    assert set(times.tolist()) == {1, 5} and len(times) == len(train.labels)


def test_energy_loss_falls_where_maps_move_inside() -> None:
    torch.manual_seed(0)
    model = EnergyGuided(make_network("resnet18", 2, 64, "torchvision", 16))
    images, labels = torch.randn(16, 1, 64, 64), torch.arange(16) % 2
    sectors = torch.zeros(16, 64, 64, dtype=torch.uint8)
    sectors[:, 16:48, 16:48] = 1
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    plain = torch.nn.functional.cross_entropy

    def outside() -> float:
        model.train()
        with torch.enable_grad():
            return (model(images, labels, 0, sectors) - plain(model(images), labels)).item()

    first = outside()
    for _ in range(30):
        loss = model(images, labels, 0, sectors)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert 0 < outside() < 0.6 * first
    none = model(images, labels, 0, torch.zeros_like(sectors))
    assert none.item() == pytest.approx(plain(model(images), labels).item(), abs=1e-4)


def test_a_student_nears_its_frozen_teacher(planted: Planted) -> None:
    torch.manual_seed(0)
    make = [make_network("resnet18", 4, 32, "torchvision", 16) for _ in range(2)]
    model = Distilled(*make, 4)
    run = Run("black", 0.5)
    frames = Frames(run, training_split(run, planted.at(0).splits["train"], None))
    frames.start(0)
    model.teach(frames, 3)
    taught = [p.clone() for p in model.teacher.parameters()]
    loss = model(torch.randn(4, 1, 32, 32), torch.arange(4))
    loss.backward()
    assert all(p.grad is None for p in model.teacher.parameters())
    assert model.probes[0].weight.grad is not None and model.trunk.fc.weight.grad is not None
    assert all(torch.equal(a, b) for a, b in zip(taught, model.teacher.parameters(), strict=True))


def test_audits_of_the_runs_stand_in_the_tables(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments(root, tmp_path, "--runs", "baseline", "backmix", "--seeds", "0", "--audit")
    monkeypatch.setattr(sys, "argv", given)
    main()
    text = (tmp_path / "tables.md").read_text()
    assert "## Audit" in text and "| follows background | i.d. minus neutral |" in text
    audits = sorted((tmp_path / "audits").glob("*.json"))
    assert len(audits) == 2 and set(json.loads(audits[0].read_text())["flips"]) >= {"black", "other label"}
    assert "Kendall's tau" in text
