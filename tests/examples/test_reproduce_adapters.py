"""The layouts of real data that the experiments read."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

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
from adapters import ADAPTERS, COLUMNS, Row, Source, checked, split_of  # noqa: E402

del sys.path[:2]  # the modules' names are common ones
from reproduce_parts import make_tmed2, pixels  # noqa: E402


def make_authors(root: Path) -> Source:
    for i, folder in enumerate(("train", "train", "val", "test", "ood")):
        for where in (root / folder, root / "masking2" / folder):
            where.mkdir(parents=True, exist_ok=True)
            np.save(where / f"{i:04d}_{'PLAX' if i % 2 else 'A4C'}.npy", pixels(i))
    return Source(root)


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


def make_mmotu(root: Path) -> Source:
    for number in range(1, 60 * 10, 10):
        folder = root / "images" / ("A4C", "PLAX")[number // 10 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number:04d}.jpg"), pixels(number))
    return Source(root)


MAKERS = {
    "authors": make_authors,
    "tmed2": make_tmed2,
    "folders": make_folders,
    "mimic": make_mimic,
    "mmotu": make_mmotu,
}


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
        assert len(rows) == (59 if layout == "mimic" else 60)
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


def test_a_run_of_masks_gives_its_good_ones(tmp_path: Path) -> None:
    pytest.importorskip("filelock")
    pytest.importorskip("typer")
    from sectoraug.workbench.cli import app

    source = make_mmotu(tmp_path / "data")
    fans = sa.phantom.make_dataset(2, shortcut=0.0, size=(112, 112))
    images = sorted((tmp_path / "data" / "images").glob("*/*.jpg"))
    for path, image in zip(images[:2], fans.images, strict=True):
        cv2.imwrite(str(path), image)
    call = [
        "masks",
        *map(str, images[:3]),
        "--out",
        str(tmp_path / "masks"),
        "--no-progress",
        "--workers",
        "1",
    ]
    with pytest.raises(SystemExit):
        app(call)
    rows = {row.image: row.sector for row in ADAPTERS["mmotu"](replace(source, sectors=tmp_path / "masks"))}
    found = [path for path, sector in rows.items() if sector is not None]
    assert 1 <= len(found) <= 2 and set(found) <= set(images[:2])
    assert rows[found[0]].parent.parent.parent == tmp_path / "masks"
