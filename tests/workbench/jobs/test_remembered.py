"""`masks --remember`: outlines that a person has seen are tried on other clips of their screens."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.parts import chosen, groups_of_clip
from sectoraug.workbench.jobs.remembered import fitting, remembered_in
from sectoraug.workbench.run.manifest import Entry, read_entries
from sectoraug.workbench.run.sources import sha256_of, visit_of

pytest.importorskip("typer")
pytest.importorskip("filelock")
from archive_command import entries, sectoraug

from sectoraug.workbench.review.journal import Change, Journal, decisions, mask_digest

SIZE = (160, 200)


def clip(seed: int, vendor: str = "aster", **how: Any) -> sa.phantom.PhantomClip:
    return sa.phantom.make_clip(frames=6, size=SIZE, seed=seed, vendor=vendor, **how)


def folder_of(top: Path, *seeds: int, drawn: bool = False, found: bool = True) -> Path:
    """What `masks` leaves of a clip for each seed, with true sectors."""
    masks = top / "masks"
    masks.mkdir(parents=True)
    for seed in seeds:
        made, path = clip(seed), top / f"{seed}.npy"
        np.save(path, made.frames)
        digest = sha256_of(path)
        (masks / f"{digest}.png").write_bytes(cv2.imencode(".png", made.sector * np.uint8(255))[1].tobytes())
        outline = sa.fit_outline(made.sector).to_dict() if found else None
        entry = Entry(
            path.name,
            visit_of(path),
            digest,
            SIZE,
            6,
            f"{digest}.png",
            outline,
            0.9,
            path=str(path),
            drawn=drawn,
        )
        with open(masks / "manifest.jsonl", "a") as file:
            file.write(json.dumps(asdict(entry)) + "\n")
    return masks


def sort(masks: Path, verdict: str, how: str = "hand") -> None:
    changes = [Change(e.key, mask_digest(masks / str(e.file)), verdict) for e in read_entries(masks)]
    Journal(masks).append(changes, how, "a")


def statistics_of(made: sa.phantom.PhantomClip) -> Any:
    return chosen(groups_of_clip(made.frames), "one").statistics


@pytest.mark.parametrize("how", ["hand", "page"])
def test_what_was_sorted_in_fits_clips_of_its_screen_alone(tmp_path: Path, how: str) -> None:
    masks = folder_of(tmp_path, 1)
    sort(masks, "in", how)
    (known,), said = remembered_in(masks)
    assert said == []
    assert known.sha256 == read_entries(masks)[0].sha256
    assert fitting([known], statistics_of(clip(7))) == [known]
    assert fitting([known], statistics_of(clip(7, "boreal"))) == []
    assert fitting([], statistics_of(clip(7))) == []


def test_one_outline_a_screen_is_enough(tmp_path: Path) -> None:
    masks = folder_of(tmp_path, 1, 2)
    sort(masks, "in")
    known, _ = remembered_in(masks)
    assert len(known) == 1


def test_a_drawn_mask_counts_until_it_is_sorted_out(tmp_path: Path) -> None:
    masks = folder_of(tmp_path, 1, drawn=True, found=False)
    (known,), _ = remembered_in(masks)
    sector = clip(1).sector
    drawn = known.geometry.rasterise(SIZE)
    assert (drawn & sector).sum() > 0.96 * (drawn | sector).sum()
    sort(masks, "out")
    with pytest.raises(ValueError, match="no mask that a person sorted in or drew; expected one or more"):
        remembered_in(masks)


def test_a_mask_changed_by_hand_is_fitted_anew(tmp_path: Path) -> None:
    masks = folder_of(tmp_path, 1)
    sector = sa.SectorGeometry("rectangle", (40, 20, 150, 140)).rasterise(SIZE)
    cv2.imwrite(str(masks / str(read_entries(masks)[0].file)), sector * np.uint8(255))
    sort(masks, "in")
    (known,), _ = remembered_in(masks)
    assert known.geometry.kind == "rectangle"


def test_nothing_unsorted_is_remembered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="run `sectoraug review"):
        remembered_in(folder_of(tmp_path, 1))


def test_a_clip_that_is_gone_is_said(tmp_path: Path) -> None:
    masks = folder_of(tmp_path, 1)
    sort(masks, "in")
    (tmp_path / "1.npy").unlink()
    known, said = remembered_in(masks)
    assert known == ()
    assert said[0].startswith("1 clips sorted in are gone or changed")


def test_manifests_from_before_open(tmp_path: Path) -> None:
    masks = folder_of(tmp_path, 1)
    line = json.loads((masks / "manifest.jsonl").read_text())
    del line["remembered_from"]
    (masks / "manifest.jsonl").write_text(json.dumps(line) + "\n")
    assert read_entries(masks)[0].remembered_from is None


def test_the_command_remembers_and_leaves_the_mask_to_be_sorted(tmp_path: Path) -> None:
    masks = folder_of(tmp_path / "first", 1)
    more, out = tmp_path / "more", tmp_path / "second"
    more.mkdir()
    np.save(more / "dim.npy", clip(4, gain=0.6, reject=0.19, noise=0.5, shadow=0.9).frames)
    run = ("masks", more, "--out", out, "--remember", masks, "--workers", 1)
    assert "expected one or more: run `sectoraug review" in sectoraug(*run, status=2)
    assert not out.exists()
    sort(masks, "in")
    sectoraug(*run)
    (entry,) = entries(out)
    assert entry["remembered_from"] == read_entries(masks)[0].sha256
    assert entry["note"].startswith("remembered outline")
    assert decisions(out) == {}, "it waits to be sorted, as any other"
