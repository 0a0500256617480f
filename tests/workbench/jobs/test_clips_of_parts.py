"""Clips whose sector changes midway, or that hold other frames than their header says, in an archive."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("typer")
from archive_command import entries, number, sectoraug  # noqa: E402
from dicom_clips import make_dicom  # noqa: E402

from sectoraug.workbench.jobs.kept import kept_sector  # noqa: E402
from sectoraug.workbench.review.journal import decisions, listing  # noqa: E402
from sectoraug.workbench.review.sorting import Review  # noqa: E402
from sectoraug.workbench.run.manifest import SectorRefused  # noqa: E402
from sectoraug.workbench.run.sources import sha256_of  # noqa: E402

SIZE = (160, 200)
SHALLOW = sa.phantom.make_clip(seed=4, frames=20, size=SIZE)
DEEP = sa.phantom.make_clip(seed=4, frames=16, size=SIZE, depth_share=0.62)
WHITE = np.full((1, *SIZE), 255, np.uint8)  # of neither part
CHANGED = np.concatenate([SHALLOW.frames, WHITE, DEEP.frames])
N = len(CHANGED)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A clip that changes, and the masks of its parts."""
    top = tmp_path_factory.mktemp("archive")
    clip = make_dicom(top / "a.dcm", CHANGED)
    refused = sectoraug("masks", clip, "--out", top / "m", "--workers", 1, status=1)
    assert "the sector changes at frame 21" in refused
    assert "--parts each" in refused
    again = ("masks", clip, "--out", top / "m", "--workers", 1, "--parts", "each", "--retry-failed")
    assert number(sectoraug(*again), "masks done") == 2
    assert number(sectoraug(*again), "masks done") == 0  # the manifest has both
    return clip, top / "m"


def test_each_part_has_an_entry_and_a_mask(archive: tuple[Path, Path]) -> None:
    clip, masks = archive
    first, second = entries(masks)[-2:]
    assert (first["part"], second["part"]) == ([1, 2], [2, 2])
    assert (first["spans"], second["spans"]) == ([[0, 19]], [[21, 36]])
    assert first["note"] == "frames 0 to 19 of 37 alone, as the sector changes"
    kept = kept_sector(masks, sha256_of(clip), "it", 0.5)
    for frame, true in ((0, SHALLOW.sector), (19, SHALLOW.sector), (21, DEEP.sector), (36, DEEP.sector)):
        found = kept.at(frame) > 0
        assert (found & true).sum() > 0.97 * (found | true).sum()
    assert not kept.at(20).any()
    assert kept.covered == [*range(20), *range(21, 37)]
    assert kept.frames == N


def test_a_copy_has_each_part_behind_its_own_mask(archive: tuple[Path, Path], tmp_path: Path) -> None:
    clip, masks = archive
    table = sectoraug("apply", masks, clip, "--out", tmp_path / "o", "--workers", 1)
    assert number(table, "copies done") == 1
    (entry,) = entries(tmp_path / "o")
    assert (entry["part"], entry["note"], entry["frames"]) == (None, "by the masks of 2 parts", N)
    copied = sa.read_clip(tmp_path / "o" / entry["file"])
    kept = kept_sector(masks, sha256_of(clip), "it", 0.5)
    assert all(np.array_equal(copied[t], CHANGED[t] * kept.at(t)) for t in range(N))
    assert not copied[20].any()


def test_donors_come_from_frames_that_have_a_mask(archive: tuple[Path, Path], tmp_path: Path) -> None:
    clip, masks = archive
    sectoraug("pool", masks, clip, "--out", tmp_path / "p", "--size", *SIZE, "--frames", N - 1)
    pool = sa.BackgroundPool.open(tmp_path / "p")
    assert len(pool) == N - 1
    assert max(pool.background(k).mean() for k in range(N - 1)) < 100  # not the white frame


def test_parts_are_sorted_one_by_one(archive: tuple[Path, Path]) -> None:
    clip, masks = archive
    review = Review(masks)
    with review.sprites:
        tiles = review.tiles(0)
    assert {tile["name"] for tile in tiles} == {"a.dcm, part 1 of 2", "a.dcm, part 2 of 2"}
    assert not any(tile["trouble"] for tile in tiles)
    where = [mask.entry.part for mask in review.masks].index([2, 2])
    review.decide({"session": "s", "how": "hand", "changes": [[where, "out", [None]]]})
    assert decisions(masks) == {f"{sha256_of(clip)}-2of2": "out"}
    assert listing(masks, "out") == ["a.dcm"]
    with pytest.raises(SectorRefused, match="it, part 2 of 2, has a sector that was sorted out"):
        kept_sector(masks, sha256_of(clip), "it", 0.5)
    review.decide({"session": "s", "how": "undo", "changes": [[where, None, ["out"]]]})


def test_without_one_part_there_is_no_sector(archive: tuple[Path, Path], tmp_path: Path) -> None:
    clip, masks = archive
    lines = (masks / "manifest.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "manifest.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(SectorRefused, match="of some parts only"):
        kept_sector(tmp_path, sha256_of(clip), "it", 0.5)


def test_a_clip_of_one_sector_has_one_entry(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", SHALLOW.frames)
    sectoraug("masks", clip, "--out", tmp_path / "m", "--workers", 1, "--parts", "each")
    (entry,) = entries(tmp_path / "m")
    assert (entry["part"], entry["spans"], entry["error"]) == (None, None, None)


def test_a_miscounted_clip_is_refused_or_noted_and_used(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", SHALLOW.frames, NumberOfFrames=30)
    run = ("masks", clip, "--out", tmp_path / "m", "--workers", 1, "--retry-failed")
    assert "holds 20 whole frames where its header says 30" in sectoraug(*run, status=1)
    assert number(sectoraug(*run, "--miscounted", "keep"), "masks done") == 1
    last = entries(tmp_path / "m")[-1]
    assert (last["frames"], last["note"]) == (20, "20 frames where the header says 30")
    sectoraug("apply", tmp_path / "m", clip, "--out", tmp_path / "o", "--workers", 1)
    copy = tmp_path / "o" / entries(tmp_path / "o")[-1]["file"]
    assert pydicom.dcmread(copy).NumberOfFrames == 20
    assert len(sa.read_clip(copy)) == 20
    sectoraug("pool", tmp_path / "m", clip, "--out", tmp_path / "p", "--size", *SIZE, "--frames", 3)
    assert len(sa.BackgroundPool.open(tmp_path / "p")) == 3


@pytest.mark.parametrize("option", ["--parts", "--miscounted"])
def test_an_unknown_choice_is_refused(option: str, tmp_path: Path) -> None:
    said = sectoraug("masks", tmp_path, "--out", tmp_path / "m", option, "both", status=2)
    assert re.search(rf"{option} is 'both'; expected one of", said)
