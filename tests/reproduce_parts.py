"""The experiments' modules, and data small enough for a test."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

for name in ("matplotlib", "torchvision", "torchmetrics", "tqdm"):
    pytest.importorskip(name)
EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPT = EXAMPLES / "reproduce" / "reproduce.py"
sys.path[:0] = [str(SCRIPT.parent), str(EXAMPLES)]
torch = pytest.importorskip("torch")
from adapters import Source  # noqa: E402
from data import load_phantom as load_phantom  # noqa: E402
from train import SETTINGS  # noqa: E402

del sys.path[:2]  # the modules' names are common ones


COUNTS = {"train": 96, "val": 16, "i.d.": 16, "o.o.d.": 24}
TINY = replace(SETTINGS["small"], size=32, epochs=2, layer="layer2")
CPU = torch.device("cpu")


def pixels(i: int) -> np.ndarray:
    return np.random.default_rng(i).integers(0, 255, (40, 44), dtype=np.uint8)


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
