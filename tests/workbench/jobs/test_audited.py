"""`sectoraug audit` on files: matched, left out and counted, or one sentence."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import sectoraug as sa
from sectoraug.workbench.cli import app

N = 80


class Level(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        level = images.mean((1, 2, 3))
        return torch.stack([level, level * 2 - 0.1, level * 3 - 0.3, level * 0], 1)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive")
    data = sa.phantom.make_dataset(N, 0.95, size=(64, 64))
    rows = []
    for i in range(N):
        name = f"p{data.patients[i]}/view {i}.png"
        for folder, pixels in (("images", data.images[i]), ("sectors", data.sectors[i] * np.uint8(255))):
            (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / folder / name), pixels)
        split = "train" if data.patients[i] % 2 else "test"
        label = sa.phantom.VIEWS[data.labels[i]]
        rows.append({"file": name, "view": label, "patient": data.patients[i], "split": split, "site": "a"})
    with open(root / "labels.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    torch.jit.save(torch.jit.script(Level()), str(root / "model.ts"))
    shapes = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(Level(), (torch.rand(2, 3, 48, 48),), dynamic_shapes=shapes)
    torch.export.save(exported, str(root / "model.pt2"))
    return root


def run(archive: Path, out: Path, *more: str, labels: Path | None = None, **changes: Any) -> Any:
    given = ["--image-column", "file", "--label-column", "view", "--groups", "patient", "--no-progress"]
    sectors = str(changes.get("sectors", archive / "sectors"))
    folders = ["--images", str(archive / "images"), "--sectors", sectors, "--out", str(out)]
    return CliRunner().invoke(
        app, ["audit", *folders, "--labels", str(labels or archive / "labels.csv"), *given, *more]
    )


def test_files_give_what_arrays_give(archive: Path, tmp_path: Path) -> None:
    found = run(archive, tmp_path / "out", "--split", "split", "--attribute", "site")
    assert found.exit_code == 0, found.output
    assert "The background alone tells the label" in found.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    data = sa.phantom.make_dataset(N, 0.95, size=(64, 64))
    paths = [f"p{p}/view {i}.png" for i, p in enumerate(data.patients)]
    order = sorted(range(N), key=lambda i: (paths[i].split("/")[0], paths[i]))
    names = [sa.phantom.VIEWS[label] for label in data.labels[order]]
    groups = [f"{p}" for p in data.patients[order]]
    direct = sa.audit(data.images[order], data.sectors[order], names, groups, progress=False)
    assert report["scores"]["background"] == direct.to_dict()["scores"]["background"]
    names_of_attributes = {each["name"] for each in report["attributes"]}
    assert "file bytes" in names_of_attributes and "file format" not in names_of_attributes  # all are PNGs
    assert "<img" not in (tmp_path / "out" / "report.html").read_text()
    for path in (tmp_path / "out").glob("report.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("model.ts", ("--model-channels", "3", "--mean", "0.5", "--std", "0.25")),
        ("model.pt2", ("--model-size", "48", "48", "--model-channels", "3")),
    ],
)
def test_models_without_pickle(archive: Path, tmp_path: Path, model: str, more: tuple[str, ...]) -> None:
    found = run(archive, tmp_path / "out", "--model", str(archive / model), "--thumbnails", *more)
    assert found.exit_code == 0, found.output
    assert "gives every image the same answer" in found.stdout or "of the model (95%" in found.stdout
    assert "data:image/png;base64," in (tmp_path / "out" / "report.html").read_text()


def test_sectors_are_found_or_taken_from_a_run(archive: Path, tmp_path: Path) -> None:
    first = run(archive, tmp_path / "out", sectors="auto")
    assert (tmp_path / "out" / "masks" / "manifest.jsonl").exists()
    assert "masks done" in first.stdout
    again = run(archive, tmp_path / "again", sectors=tmp_path / "out" / "masks")
    assert first.exit_code == again.exit_code, again.output


def labels(tmp_path: Path, text: str) -> Path:
    (tmp_path / "labels.csv").write_text(text)
    return tmp_path / "labels.csv"


def test_what_is_left_out_is_counted(archive: Path, tmp_path: Path) -> None:
    lines = (archive / "labels.csv").read_text().splitlines()
    found = run(archive, tmp_path / "out", labels=labels(tmp_path, "\n".join(lines[:-20])))
    sentence = "20 images have no label in the table, and are left out."
    assert found.exit_code == 0 and sentence in found.stderr
    assert sentence in (tmp_path / "out" / "report.html").read_text()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["left_out"] == [sentence]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image,view,patient\na.png,A4C,1", "has the columns image, view, patient but not file"),
        ("file,view,patient\nother.png,A4C,1", "none of 1 files in the table is among 80 images"),
        ("file,view,patient\na,x,1\na,y,1", "names a twice"),
    ],
)
def test_a_bad_table_is_one_sentence(archive: Path, tmp_path: Path, text: str, sentence: str) -> None:
    found = run(archive, tmp_path / "out", labels=labels(tmp_path, text))
    assert found.exit_code == 2 and sentence in found.stderr and not (tmp_path / "out").exists()


def test_a_file_of_the_table_that_is_gone_is_named(archive: Path, tmp_path: Path) -> None:
    text = (archive / "labels.csv").read_text() + "gone.png,A4C,1,train,a\n"
    found = run(archive, tmp_path / "out", labels=labels(tmp_path, text))
    assert found.exit_code == 2 and "such as gone.png" in found.stderr


def test_other_files_are_no_models(archive: Path, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "weights.pth")
    (tmp_path / "broken.pt2").write_bytes(b"PK")
    for name, sentence in (
        ("weights.pth", "pickles can run anything"),
        ("broken.pt2", "could not be loaded"),
        ("none.ts", "does not exist"),
    ):
        found = run(archive, tmp_path / "out", "--model", str(tmp_path / name))
        assert found.exit_code == 2 and sentence in found.stderr


def test_no_good_sector_is_one_sentence(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = run(archive, tmp_path / "out", sectors=tmp_path / "empty")
    assert found.exit_code == 2 and "none of 80 labelled images has a good sector" in found.stderr
