"""An archive in any order of events: runs that are killed, reviews, drawn masks, copies, pools, exports.

Clips say in their first pixels what their sector is, so that no network has to find it.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import sectoraug as sa

pytest.importorskip("filelock")
pytest.importorskip("pycocotools")
from sectoraug.sectors.parts import Group
from sectoraug.workbench.jobs.donors import build_pool
from sectoraug.workbench.jobs.exported import chosen_masks, to_coco
from sectoraug.workbench.jobs.masked_copies import MaskClip
from sectoraug.workbench.jobs.masks import FindSector
from sectoraug.workbench.review.journal import Journal, mask_digest
from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.run.archive import Outcome, run
from sectoraug.workbench.run.drawn import with_drawn
from sectoraug.workbench.run.engines import Engine, Job, attempt
from sectoraug.workbench.run.manifest import Entry, read_entries
from sectoraug.workbench.run.sources import Source, find_sources, sha256_of

SIDE = 48
NAMES = st.sampled_from(["a.npy", "b.npy", "p/a.npy", "p/c.npy"])
BOXES = st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(4, 24), st.integers(4, 24))
QUALITIES = st.sampled_from([0, 90, 200])  # of 255; 0 for no sector at all
DIES = st.sampled_from([None, None, 0, 1, 2])


def box_of(box: tuple[int, ...]) -> np.ndarray:
    top, left, height, width = box
    sector = np.zeros((SIDE, SIDE), bool)
    sector[top : top + height, left : left + width] = True
    return sector


def as_it_says(group: Group, *options: Any) -> sa.SectorEstimate:
    """What stands in for finding a sector."""
    *box, quality = np.rint(group.statistics.mean[0, :5]).astype(int).tolist()
    if quality == 0:
        raise sa.SectorNotFound("this clip says that it has no sector; expected one that says where it is.")
    return sa.SectorEstimate(box_of(tuple(box)), None, quality / 255, overlay_inside_percent=0.0)


def dying(after: int | None) -> Engine:
    """In this process; it dies where a clip's file is written and its line is not."""

    def work(job: Job, sources: Iterable[Source]) -> Iterator[tuple[Source, list[Entry] | None]]:
        for n, source in enumerate(sources):
            entries = attempt(job, source)
            if n == after:
                raise KeyboardInterrupt
            yield source, entries

    return work


class Archive(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp())
        self.clips, self.masks, self.copies = (self.top / name for name in ("clips", "masks", "copies"))
        self.drawn = self.top / "drawn"
        self.clips.mkdir()
        self.drawn.mkdir()
        self.at = 0
        self.verdicts: dict[tuple[str, str], str] = {}
        """By clip and by digest of the mask that was looked at."""
        self.by_hand: dict[str, bytes] = {}
        """PNGs that people drew, by name of the clip."""
        self.finder = mock.patch("sectoraug.workbench.jobs.masks.sector_of_group", as_it_says)
        self.finder.start()

    def teardown(self) -> None:
        self.finder.stop()
        shutil.rmtree(self.top)

    # What people do

    @initialize(boxes=st.tuples(BOXES, BOXES, BOXES), drawn=BOXES)
    def begin(self, boxes: tuple[tuple[int, ...], ...], drawn: tuple[int, ...]) -> None:
        """Most archives have clips: a good one, a poor one, and one with a drawn mask."""
        for seed, (name, box) in enumerate(zip(("a.npy", "b.npy", "p/a.npy"), boxes, strict=True)):
            self.put_clip(name, box, (200, 90, 0)[seed], seed)
        self.draw_mask("p/a.npy", drawn)
        self.run_masks(None, True)

    @rule(name=NAMES, box=BOXES, quality=QUALITIES, seed=st.integers(0, 2))
    def put_clip(self, name: str, box: tuple[int, ...], quality: int, seed: int) -> None:
        """Add a clip, or change one."""
        path = self.clips / name
        path.parent.mkdir(exist_ok=True)
        frames = np.random.default_rng(seed).integers(1, 256, (3, SIDE, SIDE), dtype=np.uint8)
        frames[:, 0, :5] = *box, quality
        np.save(path, frames)
        self.at += 1
        os.utime(path, ns=(self.at, self.at))  # clocks of file systems are coarse

    @precondition(lambda self: any(self.clips.rglob("*.npy")))
    @rule(data=st.data())
    def remove_clip(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(sorted(self.clips.rglob("*.npy")))).unlink()

    @rule(name=NAMES, box=BOXES)
    def draw_mask(self, name: str, box: tuple[int, ...]) -> None:
        path = self.drawn / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".png", box_of(box) * np.uint8(255))[1].tobytes())
        self.by_hand[name] = path.read_bytes()

    @precondition(lambda self: self.has_masks())
    @rule(data=st.data(), verdict=st.sampled_from(["in", "out"]))
    def sort_a_mask(self, data: st.DataObject, verdict: str) -> None:
        review = Review(self.masks)
        k = data.draw(st.integers(0, len(review.masks) - 1))
        review.decide({"session": "a", "how": "hand", "changes": [[k, verdict, [None, "in", "out"]]]})
        for key in [key for key in self.verdicts if key[0] == review.masks[k].clip]:
            del self.verdicts[key]  # a verdict on another mask of the clip counts no more
        self.verdicts[review.masks[k].clip, review.masks[k].digest] = verdict

    @rule(dies=DIES, by_hand=st.booleans())
    def run_masks(self, dies: int | None, by_hand: bool) -> None:
        outcome = self.try_masks(dies, by_hand)
        if outcome is None:
            return
        sources, _ = find_sources([self.clips])
        self.check_masks(sources)
        assert outcome.done + outcome.skipped + self.failed(sources) >= len(sources)
        before = tree(self.masks)
        again = self.try_masks(None, False)
        assert again is not None
        assert again.done == 0
        assert tree(self.masks) == before, "a run without changes has changed something"

    @precondition(lambda self: (self.masks / "manifest.jsonl").exists())
    @rule(dies=DIES, reviewed_only=st.booleans())
    def apply(self, dies: int | None, reviewed_only: bool) -> None:
        sources, _ = find_sources([self.clips])
        job = MaskClip(str(self.masks), str(self.copies), 0.5, reviewed_only)
        try:
            run(job, sources, self.copies, dying(dies), progress=False)
        except KeyboardInterrupt:
            self.break_off(self.copies)
        for source in sources:
            sha256 = sha256_of(Path(source.path))
            name = f"clips/{sha256[:2]}/{sha256}.npz"
            sector = self.good_sector(sha256, reviewed_only)
            if dies is None:
                assert (self.copies / name).exists() == (sector is not None)
            if dies is None and sector is not None:
                with np.load(self.copies / name) as copy:
                    assert np.array_equal(copy["frames"], np.load(source.path) * sector)
        before = tree(self.copies)
        if dies is None:
            again = run(job, sources, self.copies, dying(None), progress=False)
            assert again.done == 0
            assert {**tree(self.copies), "manifest.jsonl": b""} == {**before, "manifest.jsonl": b""}

    @precondition(lambda self: (self.masks / "manifest.jsonl").exists())
    @rule(reviewed_only=st.booleans())
    def pool(self, reviewed_only: bool) -> None:
        sources, _ = find_sources([self.clips])
        good = [self.good_sector(sha256_of(Path(s.path)), reviewed_only) is not None for s in sources]
        folder = self.top / f"pool{self.count()}"
        if any(good):
            options: dict[str, Any] = {"reviewed_only": reviewed_only, "progress": False}
            assert len(build_pool(self.masks, sources, folder, (16, 16), **options)) == sum(good)
        else:
            with pytest.raises(ValueError, match="empty"):
                build_pool(self.masks, sources, folder, (16, 16), reviewed_only=reviewed_only, progress=False)
            assert not folder.exists()

    @precondition(lambda self: self.has_masks())
    @rule()
    def export(self) -> None:
        file = self.top / f"masks{self.count()}.json"
        try:
            chosen = chosen_masks(self.masks)
        except ValueError as error:
            assert "has a mask to export" in str(error) or "have one name" in str(error)
            return
        to_coco(chosen.masks, file, progress=False)
        assert len(json.loads(file.read_text())["annotations"]) == len(chosen.masks)
        for each in chosen.masks:
            sha256 = each.file.name.split(".")[0].removesuffix("-drawn")
            sector = self.good_sector(sha256, False)
            assert sector is not None
            assert np.array_equal(each.sector != 0, sector)

    # What holds at any time

    @invariant()
    def every_file_is_whole(self) -> None:
        for path in self.masks.rglob("*.png"):
            if ".part" not in path.parts:
                assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape == (SIDE, SIDE)
        for path in self.copies.rglob("*.npz"):
            if ".part" not in path.parts:
                with np.load(path) as copy:
                    assert copy["frames"].shape == (3, SIDE, SIDE)
        parts = [*self.top.glob("pool*.part"), *self.top.glob(".*.part")]
        assert not parts

    @invariant()
    def nothing_that_people_did_is_lost(self) -> None:
        for name, content in self.by_hand.items():
            assert (self.drawn / f"{name}.png").read_bytes() == content
        if self.masks.exists():
            kept = {(d.clip, d.mask): d.verdict for d in Journal(self.masks).latest.values()}
            assert kept == self.verdicts

    # How it is looked at

    def count(self) -> int:
        self.at += 1
        return self.at

    def has_masks(self) -> bool:
        manifest = self.masks / "manifest.jsonl"
        return manifest.exists() and any(
            e.file and (self.masks / e.file).exists() for e in read_entries(self.masks)
        )

    def try_masks(self, dies: int | None, by_hand: bool) -> Outcome | None:
        sources, _ = find_sources([self.clips])
        if by_hand:
            sources, _ = with_drawn(sources, self.drawn)
        try:
            outcome = run(FindSector(str(self.masks)), sources, self.masks, dying(dies), progress=False)
        except KeyboardInterrupt:
            self.break_off(self.masks)
            return None
        assert not (self.masks / ".part").exists()
        return outcome

    def break_off(self, folder: Path) -> None:
        """What a machine that lost its power leaves: a torn line and a half-written file."""
        with open(folder / "manifest.jsonl", "a") as file:
            file.write('{"source": "a.np')
        (folder / ".part").mkdir(exist_ok=True)
        (folder / ".part" / "0123-half.png").write_bytes(b"\x89PNG")

    def failed(self, sources: list[Source]) -> int:
        return sum(np.load(source.path)[0, 0, 4] == 0 for source in sources)

    def check_masks(self, sources: list[Source]) -> None:
        latest: dict[str, Entry] = {entry.visit: entry for entry in read_entries(self.masks)}
        for source in sources:
            entry, frames = latest[source.visit], np.load(source.path)
            *box, quality = frames[0, 0, :5].tolist()
            if entry.drawn:
                assert (self.masks / str(entry.file)).exists()
            elif quality == 0:
                assert entry.error is not None
                assert entry.file is None
            else:
                assert np.array_equal(self.mask(str(entry.file)), box_of(tuple(box)))
        named = {entry.file for entry in latest.values() if entry.file}
        there = {str(p.relative_to(self.masks)) for p in self.masks.rglob("*.png")}
        assert named <= there, "the manifest names a file that is not there"

    def mask(self, name: str) -> np.ndarray:
        return np.asarray(cv2.imread(str(self.masks / name), cv2.IMREAD_UNCHANGED)) != 0

    def good_sector(self, sha256: str, reviewed_only: bool) -> np.ndarray | None:
        """By the rules of docs/how-to/review.md, from what this test knows."""
        entries = [entry for entry in read_entries(self.masks) if entry.sha256 == sha256]
        if not entries or entries[-1].file is None:
            return None
        name = entries[-1].file
        verdict = self.verdicts.get((sha256, mask_digest(self.masks / name)))
        verdict = verdict or ("in" if entries[-1].drawn else None)
        is_fine = entries[-1].quality is not None and entries[-1].quality >= 0.5
        if verdict == "out" or (verdict is None and (reviewed_only or not is_fine)):
            return None
        return self.mask(name)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(30, 25), pytest.param(300, 50, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_an_archive_in_any_order_of_events(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Archive,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
