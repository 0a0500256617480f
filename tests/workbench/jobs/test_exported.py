"""`sectoraug export`, and what it gave out taken in again by `masks --drawn`."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from archive_command import entries, number, sectoraug
from clip_files import make_nifti
from dicom_clips import NAME, make_dicom
from typer.testing import CliRunner

import sectoraug as sa
from sectoraug.workbench.cli import app
from sectoraug.workbench.jobs import exported
from sectoraug.workbench.review.journal import Change, Journal, mask_digest

pytest.importorskip("pycocotools")
pytest.importorskip("highdicom")
from pydicom.uid import generate_uid

SCANNER = {"Manufacturer": "Maker", "ManufacturerModelName": "Model"}
N_MASKS = 4


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("exchange") / "clips"
    (top / "Invented").mkdir(parents=True)
    frames = [sa.phantom.make_clip(frames=8, size=(64, 64), seed=seed).frames for seed in range(N_MASKS)]
    for k in range(2):
        uids = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
        make_dicom(top / "Invented" / f"view{k}.dcm", frames[k], **uids, **SCANNER)
    make_nifti(top / "scan.nii.gz", frames[2])
    np.savez(top / "Invented" / "raw.npz", frames=frames[3])
    np.savez(top / "static.npz", frames=np.zeros((4, 64, 64), np.uint8))
    return top


@pytest.fixture(scope="module")
def masks(clips: Path) -> Path:
    out = clips.parent / "masks"
    assert number(sectoraug("masks", clips, "--out", out, "--workers", 1, status=1), "masks done") == N_MASKS
    return out


def masks_in(folder: Path) -> dict[str, np.ndarray]:
    return {
        e["source"]: cv2.imread(str(folder / e["file"]), 0)
        for e in entries(folder)
        if e["drawn"] or e["file"]
    }


def test_all_formats_go_out_and_come_back(clips: Path, masks: Path, tmp_path: Path) -> None:
    targets = {
        "--coco": tmp_path / "a.json",
        "--slicer-ultrasound": tmp_path / "slicer",
        "--dicom-seg": tmp_path / "seg",
        "--nifti": tmp_path / "nifti",
        "--deid": tmp_path / "deid.dicom",
        "--ctp": tmp_path / "ctp.script",
    }
    said = sectoraug("export", masks, *(word for pair in targets.items() for word in pair))
    assert "1 of 5 clips not exported: 1 without a mask." in said
    for name, n in (("COCO", 4), ("SlicerUltrasound", 4), ("DICOM SEG", 2), ("NIfTI", 4), ("deid", 2)):
        assert f"{name + ' masks':<28}{n} in " in said
    assert "left out                  2: no DICOM" in said
    assert NAME not in said
    assert "Invented" not in said
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3 + 4 + 2 + 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}

    found = masks_in(masks)
    for option, n, least in (
        ("--coco", 4, 1),
        ("--nifti", 4, 1),
        ("--dicom-seg", 2, 1),
        ("--slicer-ultrasound", 4, 0.98),
    ):
        again = tmp_path / f"masks{option}"
        sectoraug("masks", clips, "--out", again, "--drawn", targets[option], "--workers", 1, status=1)
        drawn = [e for e in entries(again) if e["drawn"]]
        assert len(drawn) == n
        for entry in drawn:
            mask, own = cv2.imread(str(again / entry["file"]), 0) > 0, found[entry["source"]] > 0
            assert (mask & own).sum() / (mask | own).sum() >= least, (option, entry["source"])


def chosen(folder: Path, **more: Any) -> exported.Chosen:
    return exported.chosen_masks(folder, **more)


def test_what_apply_would_take_is_exported(clips: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    some = (clips / "Invented", "--out", masks, "--workers", 1)
    sectoraug("masks", *some)
    journal = Journal(masks)
    first, second, third = sorted(entries(masks), key=lambda entry: entry["source"])
    for entry, verdict in ((first, "out"), (second, "in")):
        journal.append([Change(entry["sha256"], mask_digest(masks / entry["file"]), verdict)], "hand", "s")
    assert [m.name for m in chosen(masks).masks] == [second["source"], third["source"]]
    assert chosen(masks).left_out == {"sorted out, or not good enough": 1}
    assert [m.name for m in chosen(masks, quality_at_least=1.0).masks] == [second["source"]]
    assert [m.name for m in chosen(masks, reviewed_only=True).masks] == [second["source"]]

    cv2.imwrite(str(tmp_path / "raw.png"), np.eye(64, dtype=np.uint8))
    sectoraug("masks", *some, "--drawn", tmp_path)
    (drawn,) = [m for m in chosen(masks).masks if m.drawn]
    assert (drawn.name, drawn.geometry) == ("raw.npz", None)
    assert np.array_equal(drawn.sector, np.eye(64))


def test_clips_that_moved_are_found_and_those_that_changed_are_not(
    clips: Path, masks: Path, tmp_path: Path
) -> None:
    (tmp_path / "Invented").mkdir()
    for name in ("Invented/view0.dcm", "Invented/view1.dcm"):
        (tmp_path / name).write_bytes((clips / name).read_bytes() + b"\0" * (name[-5] == "1"))
    lines = (masks / "manifest.jsonl").read_text().replace(str(clips), "/gone")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "masks").symlink_to(masks / "masks")
    (elsewhere / "manifest.jsonl").write_text(lines)
    found = {mask.name: mask.clip for mask in chosen(elsewhere, moved_to=[tmp_path]).masks}
    assert found["Invented/view0.dcm"] == tmp_path / "Invented/view0.dcm"
    assert found["Invented/view1.dcm"] is None
    with pytest.raises(ValueError, match="none of 4 masks gives a rule .*; expected DICOM clips where"):
        exported.to_deid(chosen(elsewhere).masks, tmp_path / "deid", False)
    assert not (tmp_path / "deid").exists()


def test_clips_in_parts_are_counted(masks: Path, tmp_path: Path) -> None:
    found = [entry for entry in entries(masks) if entry["file"]]
    (tmp_path / "masks").symlink_to(masks / "masks")
    parts = [found[0] | {"part": [k, 2], "spans": [[4 * k - 4, 4 * k - 1]]} for k in (1, 2)]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(e) + "\n" for e in [*parts, *found[1:]]))
    assert chosen(tmp_path).left_out == {"in parts, with several masks": 1}
    assert len(chosen(tmp_path).masks) == N_MASKS - 1


def test_two_clips_of_one_name_are_one_sentence(clips: Path, tmp_path: Path) -> None:
    for k in range(2):
        (tmp_path / str(k)).mkdir()
        (tmp_path / str(k) / "a.dcm").write_bytes((clips / "Invented" / f"view{k}.dcm").read_bytes())
    masks = tmp_path / "masks"
    sectoraug("masks", tmp_path / "0", tmp_path / "1", "--out", masks, "--workers", 1)
    assert "two clips in the manifest have one name" in sectoraug(
        "export", masks, "--coco", tmp_path / "x", status=2
    )
    (tmp_path / "1" / "a.dcm").unlink()
    assert len(chosen(masks).masks) == 1


@pytest.mark.parametrize("name", ["../escaped.dcm", "a/../../escaped.dcm", "{top}/escaped.dcm"])
def test_a_name_that_leads_elsewhere_is_refused(masks: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "masks").mkdir()
    whole = [{**e, "source": name.format(top=tmp_path)} for e in entries(masks) if e["file"]][:1]
    shutil.copytree(masks / "masks", tmp_path / "masks" / "masks")
    (tmp_path / "masks" / "manifest.jsonl").write_text(json.dumps(whole[0]) + "\n")
    said = sectoraug("export", tmp_path / "masks", "--nifti", tmp_path / "out", status=2)
    assert "names a clip outside the folder" in said
    assert not list(tmp_path.rglob("escaped*"))


BAD: list[tuple[Callable[[Path], list[object]], str]] = [
    (lambda m: [m], "no format came; expected --coco"),
    (lambda m: [m, "--polygons", "--nifti", "n"], "--polygons came without --coco"),
    (lambda m: [m, "--coco", m / "manifest.jsonl"], "is there already; expected a new name"),
    (lambda m: [m, "--nifti", m], "is there already; expected a new name"),
    (
        lambda m: [m, "--coco", m / "no" / "a.json"],
        "is no folder; expected one that the file can be written to",
    ),
    (lambda m: [m.parent, "--nifti", "n"], "holds no manifest.jsonl"),
    (lambda m: [m, "--nifti", "n", "--reviewed-only"], "none of 5 clips in .* has a mask to export"),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[said[:30] for _, said in BAD])
def test_bad_arguments_are_one_sentence(
    masks: Path, words: Callable[[Path], list[object]], said: str
) -> None:
    done = CliRunner().invoke(app, ["export", *map(str, words(masks))])
    assert done.exit_code == 2
    assert re.search(said, done.output.splitlines()[-1])
    assert not Path("n").exists()


def test_a_library_that_is_missing_is_one_sentence(
    masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library, extra, to in (
        ("pycocotools", "coco", lambda found, name: exported.to_coco(found, name, False)),
        ("highdicom", "seg", lambda found, name: exported.to_dicom_seg(found, name, False)),
        ("nibabel", "nifti", lambda found, name: exported.to_nifti(found, name, False)),
    ):
        with monkeypatch.context() as without:
            without.setitem(__import__("sys").modules, library, None)
            with pytest.raises(ImportError, match=rf'needs? {library}: pip install "sectoraug\[{extra}\]"'):
                to(chosen(masks).masks[:1], tmp_path / extra)
    assert not (tmp_path / "coco").exists()


def test_drawn_masks_are_told_apart(clips: Path, masks: Path, tmp_path: Path) -> None:
    """Several for one clip, one for several, of no clip, and files that are no masks."""
    run = ("masks", clips, "--out", tmp_path / "m", "--workers", 1, "--drawn")
    drawn = tmp_path / "drawn"
    (drawn / "Invented").mkdir(parents=True)
    cv2.imwrite(str(drawn / "Invented" / "view0.png"), np.eye(64, dtype=np.uint8))
    (drawn / "Invented" / "view0.nii.gz").write_bytes(b"")
    assert "Invented/view0.dcm has 2 drawn masks, such as" in sectoraug(*run, drawn, status=2)
    (drawn / "Invented" / "view0.nii.gz").rename(
        drawn / "scan.nii.gz"
    )  # no mask of the clip's name, but broken
    (drawn / "about.txt").write_text("no mask")
    (drawn / "stranger.json").write_text("{}")
    said = sectoraug(*run, drawn, status=1)
    assert f"1 masks in {drawn} have no clip here" in said
    assert f"1 files in {drawn} are no masks, such as about.txt; expected .seg.dcm, .dcm, .nii.gz" in said
    ends = {entry["source"]: entry for entry in entries(tmp_path / "m")}
    assert ends["Invented/view0.dcm"]["drawn"]
    assert "the drawn mask is no readable NIfTI" in ends["scan.nii.gz"]["error"]
    assert "is no folder and no COCO file" in sectoraug(*run, drawn / "about.txt", status=2)
    assert "is no COCO file of instances" in sectoraug(*run, drawn / "stranger.json", status=2)


def test_coco_of_other_tools_by_the_names_of_frames(clips: Path, tmp_path: Path) -> None:
    box = [[10.0, 10.0, 50.0, 10.0, 50.0, 40.0, 10.0, 40.0]]
    images = [
        ("Invented/view0.png", 64),
        ("Invented/view1.dcm", 60),
        ("Invented/other.png", 64),
        ("raw.png", 64),
    ]
    about = {
        "images": [{"id": k, "file_name": n, "height": s, "width": 64} for k, (n, s) in enumerate(images)],
        "annotations": [
            {"id": k, "image_id": image, "category_id": 1, "segmentation": box}
            for k, image in enumerate((0, 1, 2, 3, 3))
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(about))
    said = sectoraug(
        "masks", clips, "--out", tmp_path / "m", "--workers", 1, "--drawn", tmp_path / "a.json", status=1
    )
    assert f"2 masks in {tmp_path / 'a.json'} have no clip here" in said
    ends = {entry["source"]: entry for entry in entries(tmp_path / "m")}
    assert masks_in(tmp_path / "m")["Invented/view0.dcm"].sum() == 255 * 40 * 30
    assert "the drawn mask is 60 x 64 pixels but a frame 64 x 64" in ends["Invented/view1.dcm"]["error"]
