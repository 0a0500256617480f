"""The tables, from made-up runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

for name in ("matplotlib", "torchvision", "torchmetrics", "tqdm"):
    pytest.importorskip(name)
EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPT = EXAMPLES / "reproduce" / "reproduce.py"
sys.path[:0] = [str(SCRIPT.parent), str(EXAMPLES)]
torch = pytest.importorskip("torch")
from data import (  # noqa: E402
    Patients,
    cached,
)
from methods import Run  # noqa: E402
from tables import based_on, differences, monotone, printed, read, report  # noqa: E402
from train import SETTINGS  # noqa: E402

del sys.path[:2]  # the modules' names are common ones


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
