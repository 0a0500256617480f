"""The sorting page: nothing decided is lost, nobody else gets in, and keys and mouse do what they say."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa

pytest.importorskip("typer")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from review_masks import N, sectoraug, serving

from sectoraug.workbench.jobs.kept import kept_sector
from sectoraug.workbench.review.journal import NAME, Change, Journal, decisions, listing
from sectoraug.workbench.review.sorting import Review
from sectoraug.workbench.review.tiles import masks_in
from sectoraug.workbench.run.manifest import NAME as MANIFEST


def change(k: int, verdict: str | None, *only_from: str | None) -> Change:
    return Change(f"clip{k}", "mask", verdict, only_from or (None, "in", "out"))


def verdicts(journal: Journal) -> dict[str, str | None]:
    journal.refresh()
    return {clip: decision.verdict for clip, decision in journal.latest.items()}


def test_clips_without_a_mask_are_counted(masks: Path) -> None:
    assert Review(masks).without_mask == 0
    with open(masks / MANIFEST, "a") as file:
        for name, sha256 in (("a", "1"), ("moved/a", "1"), ("unreadable", None)):
            file.write(json.dumps({"source": name, "visit": name, "sha256": sha256, "error": "No."}) + "\n")
    assert Review(masks).without_mask == 2
    assert len(Review(masks).masks) == N
    with serving(masks) as running:
        assert json.loads(running.ask("/state")[1])["withoutMask"] == 2


def test_the_last_line_counts_and_nothing_is_written_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([change(1, "in"), change(2, "out")], "hand", "a")
    journal.append([change(1, "in")], "hand", "a")
    journal.append([change(2, "in"), change(1, None)], "hand", "b")
    assert verdicts(Journal(tmp_path)) == {"clip1": None, "clip2": "in"}
    lines = (tmp_path / NAME).read_text().splitlines()
    assert len(lines) == 4
    assert [json.loads(line)["session"] for line in lines] == ["a", "a", "b", "b"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_two_sessions_keep_each_others_decisions(tmp_path: Path) -> None:
    one, two = Journal(tmp_path), Journal(tmp_path)
    one.append([change(1, "out")], "hand", "one")
    two.append([change(k, "in", None) for k in range(3)], "page", "two")  # it has not seen the other's
    assert verdicts(one) == verdicts(two) == {"clip1": "out", "clip0": "in", "clip2": "in"}
    one.append([change(0, "out")], "hand", "one")
    two.append([change(k, None, "in") for k in range(3)], "undo", "two")
    assert verdicts(two) == {"clip1": "out", "clip0": "out", "clip2": None}


def test_a_torn_line_is_left_out_and_cut_off_at_every_byte(tmp_path: Path) -> None:
    Journal(tmp_path).append([change(1, "in"), change(2, "out")], "hand", "a")
    whole = (tmp_path / NAME).read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        (tmp_path / NAME).write_bytes(whole[:cut])
        journal = Journal(tmp_path)
        assert verdicts(journal) == {"clip1": "in"}
        journal.append([change(3, "out")], "hand", "b")
        assert verdicts(Journal(tmp_path)) == verdicts(journal) == {"clip1": "in", "clip3": "out"}


def test_a_damaged_line_says_so(tmp_path: Path) -> None:
    Journal(tmp_path).append([change(1, "in")], "hand", "a")
    with open(tmp_path / NAME, "a") as file:
        file.write("no json\n")
    with pytest.raises(ValueError, match=r"line 2 of .* is no decision; expected .* remove that line"):
        Journal(tmp_path)


WRITER = """
import sys
from pathlib import Path
from sectoraug.workbench.review.journal import Change, Journal
journal = Journal(Path(sys.argv[1]))
for k in range(int(sys.argv[3])):
    journal.append([Change(f"{sys.argv[2]}{k}-{j}", "m", "in") for j in range(20)], "page", sys.argv[2])
    print(k, flush=True)
"""


def writer(folder: Path, name: str, n: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", WRITER, str(folder), name, str(n)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def test_killed_while_writing_loses_nothing_that_was_written(tmp_path: Path) -> None:
    for attempt in range(3):
        process = writer(tmp_path, name := f"w{attempt}x", 10**6)
        assert process.stdout is not None
        for _ in range(5 + attempt):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        said = max([said, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.wait()
        kept = verdicts(Journal(tmp_path))
        assert all(kept[f"{name}{k}-{j}"] == "in" for k in range(said + 1) for j in range(20))
        Journal(tmp_path).append([change(attempt, "out")], "hand", "after")
    assert {f"clip{k}" for k in range(3)} <= set(verdicts(Journal(tmp_path)))


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    processes = [writer(tmp_path, name, 25) for name in "ab"]
    for process in processes:
        process.communicate(timeout=60)
    assert len(verdicts(Journal(tmp_path))) == 2 * 25 * 20
    assert len((tmp_path / NAME).read_text().splitlines()) == 2 * 25 * 20


def sort_some(masks: Path) -> tuple[str, str, str]:
    """The worst is out, the best is in, the next is undecided: their digests."""
    found, _ = masks_in(masks)
    worst, best, other = found[0], found[-1], found[1]
    Journal(masks).append(
        [Change(worst.clip, worst.digest, "out"), Change(best.clip, best.digest, "in")], "hand", "a"
    )
    return worst.clip, best.clip, other.clip


def test_decisions_and_lists(masks: Path) -> None:
    worst, best, _ = sort_some(masks)
    assert decisions(masks) == {worst: "out", best: "in"}
    assert listing(masks, "out") == ["clip0000.npy"]
    done = sectoraug("review", masks, "--list", "in")
    assert done.stdout.splitlines() == [f"clip{N - 1:04d}.npy"]
    assert "expected one of 'in', 'out'" in sectoraug("review", masks, "--list", "maybe", status=2).stderr


def test_a_mask_that_changed_has_to_be_looked_at_again(masks: Path) -> None:
    worst, best, _ = sort_some(masks)
    (masks / f"{best}.png").write_bytes(cv2.imencode(".png", np.eye(60, 80) * 255)[1].tobytes())
    assert decisions(masks) == {worst: "out"}
    assert Review(masks).verdicts().count("i") == 0


def test_copies_and_pools_take_what_was_sorted_in(masks: Path) -> None:
    worst, best, other = sort_some(masks)
    assert kept_sector(masks, best, "it", 1.0).at(0).any()  # a person has the last word
    assert kept_sector(masks, other, "it", 0.0).at(0).any()
    with pytest.raises(ValueError, match="it has a sector that was sorted out; expected one sorted in"):
        kept_sector(masks, worst, "it", 0.0)
    with pytest.raises(ValueError, match="nobody has sorted.*sectoraug review"):
        kept_sector(masks, other, "it", 0.0, reviewed_only=True)
    (masks / NAME).unlink()
    assert kept_sector(masks, worst, "it", 0.0).at(0).any()


def test_commands_respect_decisions(masks: Path, tmp_path: Path) -> None:
    sort_some(masks)
    some = [masks / "clips" / f"clip{k:04d}.npy" for k in (0, 1, N - 1)]
    out = tmp_path / "pool"
    sectoraug("pool", masks, *some, "--out", out, "--size", 32, 32, "--reviewed-only")
    assert len(sa.BackgroundPool.open(out)) == 1
    sectoraug("apply", masks, *some, "--out", tmp_path / "a", "--quality-at-least", 0, status=1)
    assert len(list((tmp_path / "a" / "clips").rglob("*.npz"))) == 2


def test_what_is_sorted_in_later_is_copied_by_the_same_command(masks: Path, tmp_path: Path) -> None:
    sort_some(masks)
    some = [masks / "clips" / f"clip{k:04d}.npy" for k in (0, 1, N - 1)]
    command = ("apply", masks, *some, "--out", tmp_path / "a", "--reviewed-only")
    said = sectoraug(*command, status=1).stdout
    assert re.search(r"^refused +2$", said, re.MULTILINE) and re.search(r"^failed +0$", said, re.MULTILINE)
    assert "     1: has a sector that nobody has sorted; expected one sorted in" in said
    later = next(m for m in masks_in(masks)[0] if m.entry.source.endswith("clip0001.npy"))
    Journal(masks).append([Change(later.clip, later.digest, "in")], "hand", "b")
    said = sectoraug(*command, status=1).stdout
    assert re.search(r"^copies done +1$", said, re.MULTILINE) and re.search(
        r"^refused +1$", said, re.MULTILINE
    )
    assert len(list((tmp_path / "a" / "clips").rglob("*.npz"))) == 2
