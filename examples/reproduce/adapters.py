"""Real data as one table: an image or clip, its label, its patient, its split, and its sector if any."""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from chunks import SPLITS, shrunk
from data import Data, cached, check_patients
from sector_files import find_sector
from splits import read_grey
from tqdm import tqdm

import sectoraug as sa

COLUMNS: dict[str, dict[str, str]] = {
    # ours: theirs, for --columns OURS=THEIRS
    "tmed2": {
        "image": "query_key",
        "folder": "SourceFolder",
        "label": "view_label",
        "split": "view_classifier_split",
    },
    "mimic": {"image": "dicom_filepath", "patient": "subject_id", "label": "view"},
}
TMED2_CSV = Path("DEV479") / "TMED2_fold0_labeledpart.csv"
MIMIC_CSV = "echo-record-list.csv"
TMED2_CLASSES = ("PLAX", "PSAX", "A2C", "A4C")
SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "test": "i.d.", "ood": "o.o.d."}
SHARES = (0.8, 0.1)
"""Of the patients in train and val, where the data name no split; the rest is the i.d. test."""


@dataclass(frozen=True)
class Row:
    image: Path
    label: str
    patient: str
    """Empty where the data do not say."""
    split: str
    """One of SPLITS."""
    sector: Path | None = None


@dataclass(frozen=True)
class Source:
    """Where a data set is and how its columns are called."""

    root: Path
    labels: Path | None = None
    sectors: Path | None = None
    columns: dict[str, str] | None = None


# -- one small function a layout --------------------------------------------------------------------


def authors(source: Source) -> list[Row]:
    """ROOT/{train,val,test,ood}/NNNN_LABEL.npy, sectors in ROOT/masking2/ alike; it names no patients."""
    rows = []
    for folder, split in SPLIT_NAMES.items():
        for path in sorted((source.root / folder).glob("*_*.npy")):
            sector = source.root / "masking2" / folder / path.name
            rows.append(
                Row(path, path.stem.rsplit("_", 1)[1], "", split, sector if sector.exists() else None)
            )
    return rows


def tmed2(source: Source) -> list[Row]:
    """TMED-2's release: its CSV names image, folder, view and split; the patient is in the image's name."""
    rows = []
    for row in table(source, source.labels or source.root / TMED2_CSV, "tmed2"):
        if row["label"] not in TMED2_CLASSES or row["split"] not in SPLIT_NAMES:
            continue
        found = re.fullmatch(r"(\d+)s\d+_\d+\.\w+", row["image"])
        if found is None:
            raise SystemExit(
                f"an image of {TMED2_CSV.name} is not called PATIENTsSTUDY_NUMBER.png; expected TMED-2's "
                "names: check --columns image=..."
            )
        image = source.root / row["folder"] / row["image"]
        rows.append(Row(image, row["label"], found[1], SPLIT_NAMES[row["split"]], beside(source, image)))
    return rows


def folders(source: Source) -> list[Row]:
    """ROOT/LABEL/PATIENT_ANYTHING, or ROOT/{train,val,test,ood}/LABEL/..., stills or clips."""
    rows = []
    names = {path.name for path in source.root.iterdir() if path.is_dir()} if source.root.is_dir() else set()
    given = bool(names) and names <= set(SPLIT_NAMES)
    for path in sorted(source.root.glob("*/*/*" if given else "*/*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        patient = path.name.split("_", 1)[0].split(".", 1)[0]
        split = SPLIT_NAMES[path.parts[-3]] if given else split_of(patient)
        rows.append(Row(path, path.parent.name, patient, split, beside(source, path)))
    return rows


def mimic(source: Source) -> list[Row]:
    """MIMIC-IV-ECHO's clips with ECHOVIEW's views; split by patient, since neither names a split."""
    patients = {
        row["image"]: row["patient"]
        for row in table(source, source.root / MIMIC_CSV, "mimic", ("image", "patient"))
    }
    if source.labels is None:
        raise SystemExit("--data mimic needs --labels FILE, ECHOVIEW's table of views.")
    rows = []
    for row in table(source, source.labels, "mimic", ("image", "label")):
        patient = patients.get(row["image"])
        if patient is None:
            raise SystemExit(
                f"{source.labels.name} names a clip that {MIMIC_CSV} does not; expected the same paths: use "
                "tables of one version."
            )
        image = source.root / row["image"]
        if image.exists():  # people download parts of it
            rows.append(Row(image, row["label"], patient, split_of(patient), beside(source, image)))
    return rows


def mmotu(source: Source) -> list[Row]:
    """MMOTU's 2D set as ROOT/images/CLASS/NUMBER.jpg; it names no patients, and neighbours are often one.

    So images of 20 numbers that follow each other, over all classes, count as one patient.
    """
    rows = []
    for path in sorted(source.root.glob("images/*/*.jpg")):
        patient = f"block {int(path.stem) // 20}"
        rows.append(Row(path, path.parent.name, patient, split_of(patient), beside(source, path)))
    return rows


ADAPTERS: dict[str, Callable[[Source], list[Row]]] = {
    "authors": authors,
    "tmed2": tmed2,
    "folders": folders,
    "mimic": mimic,
    "mmotu": mmotu,
}


# -- what they share ----------------------------------------------------------------------------------


def table(source: Source, path: Path, name: str, ours: Iterable[str] = ()) -> list[dict[str, str]]:
    """The rows of a CSV under our names, by COLUMNS or --columns."""
    columns = {**COLUMNS[name], **(source.columns or {})}
    wanted = {key: columns[key] for key in ours or COLUMNS[name]}
    if not path.exists():
        raise SystemExit(f"{path} is missing; expected the table of labels there: use --root or --labels.")
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        missing = sorted(set(wanted.values()) - set(reader.fieldnames or ()))
        if missing:
            raise SystemExit(
                f"{path.name} has the columns {', '.join(reader.fieldnames or ())} but not "
                f"{', '.join(missing)}; expected {', '.join(wanted.values())}: use --columns "
                f"{' '.join(f'{key}=NAME' for key, value in wanted.items() if value in missing)}."
            )
        return [{key: row[value] for key, value in wanted.items()} for row in reader]


def split_of(patient: str) -> str:
    """By a hash, so that a patient stays where he is when data are added."""
    share = int(hashlib.sha256(patient.encode()).hexdigest()[:8], 16) / 2**32
    return "train" if share < SHARES[0] else "val" if share < sum(SHARES) else "i.d."


def beside(source: Source, image: Path) -> Path | None:
    return None if source.sectors is None else find_sector(source.sectors, image)


def checked(rows: list[Row], where: str, splits: Iterable[str] = SPLITS[:3]) -> list[Row]:
    """Rows of every split needed, and no patient in two of them."""
    for split in splits:
        if not any(row.split == split for row in rows):
            raise SystemExit(
                f"{where} gave {len(rows)} images and none for {split}; expected some: see the layouts in "
                "docs/how-to/reproduce.md."
            )
    check_patients({split: {row.patient for row in rows if row.split == split} - {""} for split in SPLITS})
    return rows


def source_of(arguments: argparse.Namespace) -> Source:
    """What --root and the options beside it say."""
    columns = dict(text.split("=", 1) for text in arguments.columns)
    return Source(arguments.root, arguments.labels, _folder(arguments.sectors), columns)


def load_tables(arguments: argparse.Namespace, size: int, folder: Path) -> Data:
    """The images of --data, and those of --ood as the o.o.d. test, at one size."""
    source = source_of(arguments)
    rows = checked(ADAPTERS[arguments.data](source), str(arguments.root))
    found = [arguments.sectors == "auto"] * len(rows)
    if arguments.ood:
        far = Source(arguments.ood_root, arguments.ood_labels, _folder(arguments.ood_sectors), source.columns)
        others = [Row(r.image, r.label, r.patient, "o.o.d.", r.sector) for r in ADAPTERS[arguments.ood](far)]
        checked(others, str(arguments.ood_root), ("o.o.d.",))
        rows = [row for row in rows if row.split != "o.o.d."]
        found = found[: len(rows)] + [arguments.ood_sectors == "auto"] * len(others)
        rows += others
    classes = tuple(arguments.classes or sorted({row.label for row in rows}))
    kept = [(row, auto) for row, auto in zip(rows, found, strict=True) if row.label in classes]
    what = {
        "rows": [[str(r.image), r.label, r.patient, r.split, str(r.sector), auto] for r, auto in kept],
        "size": size,
    }
    return cached(folder, arguments.data, what, classes, lambda _: _arrays(kept, classes, size))


def _folder(sectors: str | None) -> Path | None:
    return None if sectors in (None, "auto") else Path(sectors)


def _arrays(rows: list[tuple[Row, bool]], classes: tuple[str, ...], size: int) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for split in SPLITS:
        own = [(row, auto) for row, auto in rows if row.split == split]
        if not own:
            continue
        images, sectors = np.zeros((2, len(own), size, size), np.uint8)
        for i, (row, auto) in enumerate(tqdm(own, desc=f"reading, {split}")):
            images[i], sectors[i] = frame_of(row, auto, size)
        arrays[f"{split}-images"], arrays[f"{split}-sectors"] = images, sectors
        arrays[f"{split}-labels"] = np.array([classes.index(row.label) for row, _ in own])
        arrays[f"{split}-patients"] = np.array(
            [row.patient or f"{split} {i}" for i, (row, _) in enumerate(own)]
        )
    return arrays


def frame_of(row: Row, automatic: bool, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle frame (size, size) uint8, and its sector of 0/1, all zero where there is none."""
    frame, sector = whole_frame_of(row, automatic)
    return cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA), shrunk(sector, size)


def whole_frame_of(row: Row, automatic: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The same at the size that it has."""
    frames = sa.read_clip(row.image, grey=True)
    frame = frames[len(frames) // 2]
    sector = np.zeros(frame.shape, np.uint8)
    if row.sector is not None:
        sector = read_grey(row.sector)
    elif automatic:
        still = len(frames) == 1
        with suppress(sa.SectorNotFound):
            sector = (sa.sector_from_image(frame) if still else sa.sector_from_clip(frames)).sector
    return frame, sector
