"""Runs over an archive: each clip once, whatever is killed; sentences for failures; yours only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.workbench.jobs.donors import n_nearly_black

pytest.importorskip("typer")
psutil = pytest.importorskip("psutil")
pytest.importorskip("filelock")
from archive_command import N_CLIPS, assert_each_once, entries, make_clips, number, sectoraug  # noqa: E402

from sectoraug.sectors.estimate import CLEAN_PERCENT  # noqa: E402
from sectoraug.workbench.jobs.kept import kept_sector  # noqa: E402
from sectoraug.workbench.review.journal import Change, Journal, listing, mask_digest  # noqa: E402
from sectoraug.workbench.run.sources import sha256_of  # noqa: E402


def test_masks_are_those_of_the_clips(clips: Path, tmp_path: Path) -> None:
    (clips / "notes.txt").write_text("no clip")
    table = sectoraug("masks", clips, "--out", tmp_path / "m", "--workers", 2)
    assert number(table, "masks done") == N_CLIPS
    assert number(table, "other files") == 1
    written = entries(tmp_path / "m")
    assert sorted(e["source"] for e in written) == sorted(
        p.relative_to(clips).as_posix() for p in clips.rglob("*.npz")
    )
    for entry in written[:3]:
        frames = sa.read_clip(clips / entry["source"])
        mask = cv2.imread(str(tmp_path / "m" / entry["file"]), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(mask, sa.sector_from_clip(frames).sector * np.uint8(255))
        assert (entry["size"], entry["frames"], entry["error"]) == ([64, 64], 8, None)
        assert 0 < entry["quality"] <= 1
        assert entry["overlay_inside_percent"] <= CLEAN_PERCENT
        assert entry["echoes_outside_percent"] < 3


def test_a_mask_with_text_inside_waits_for_a_person(tmp_path: Path) -> None:
    clip = sa.phantom.make_clip(frames=8, size=(240, 240), seed=2, vendor=None)
    frames = clip.frames.copy()
    for row in (110, 130):
        for frame in frames:
            cv2.putText(frame, "LV 4.7cm", (70, row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 1)
    (tmp_path / "c").mkdir()
    np.save(tmp_path / "c" / "written.npy", frames)
    np.save(tmp_path / "c" / "clean.npy", clip.frames)
    masks = tmp_path / "m"
    table = sectoraug("masks", tmp_path / "c", "--out", masks, "--workers", 1)
    assert (number(table, "quality at least 0.5"), number(table, "text or marks inside")) == (1, 1)
    found = {entry["source"]: entry for entry in entries(masks)}
    assert found["written.npy"]["overlay_inside_percent"] > 1
    assert "text or marks inside" in found["written.npy"]["note"]
    copies = ("apply", masks, tmp_path / "c", "--out", tmp_path / "a", "--workers", 1)
    table = sectoraug(*copies, status=1)
    assert (number(table, "copies done"), number(table, "refused")) == (1, 1)
    assert "text or marks on" in table
    mask = masks / found["written.npy"]["file"]
    change = Change(found["written.npy"]["sha256"], mask_digest(mask), "in", (None,))
    Journal(masks).append([change], "hand", "a")
    assert number(sectoraug(*copies), "copies done") == 1


def test_what_is_written_is_for_its_owner_only(clips: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        sectoraug("masks", clips, "--out", tmp_path / "m", "--workers", 1)
        sectoraug("apply", tmp_path / "m", clips, "--out", tmp_path / "a", "--workers", 1)
        sectoraug("pool", tmp_path / "m", clips, "--out", tmp_path / "p", "--size", 32, 32)
    finally:
        os.umask(before)
    for top in "map":
        assert all(not path.stat().st_mode & 0o077 for path in [tmp_path / top, *(tmp_path / top).rglob("*")])


def test_only_burned_in_pixels_within_a_users_masks_survive_apply(tmp_path: Path) -> None:
    planted, masks = {}, tmp_path / "m"
    for i, vendor in enumerate(sa.phantom.VENDORS):
        clip = sa.phantom.make_clip(frames=12, size=(96, 96), seed=i, vendor=vendor)
        planted[f"{i}.npz"] = clip
        np.savez(tmp_path / f"{i}.npz", frames=clip.frames)
    clips = [tmp_path / name for name in planted]
    sectoraug("masks", *clips, "--out", masks, "--workers", 1)
    for entry in entries(masks):  # the user draws them all anew, the last one over everything but a corner
        clip = planted[entry["source"]]
        drawn = clip.sector.copy()
        if entry["source"] == clips[-1].name:
            drawn[:] = True
            drawn[:4, :4] = False
        cv2.imwrite(str(masks / entry["file"]), drawn * np.uint8(255))
    sectoraug("apply", masks, *clips, "--out", tmp_path / "a", "--workers", 1, "--quality-at-least", 0)
    kept = {}
    for entry in entries(tmp_path / "a"):
        clip, copy = planted[entry["source"]], sa.read_clip(tmp_path / "a" / entry["file"])
        assert np.array_equal(copy[:, clip.sector], clip.frames[:, clip.sector])
        still = clip.overlay.all(0)
        kept[entry["source"]] = [(copy[clip.overlay & where] > 0).sum() for where in (still, ~still)]
    spilled = kept.pop(clips[-1].name)
    assert spilled[0] > 100, "text"
    assert len(kept) == len(clips) - 1
    assert not np.any(list(kept.values()))
    assert any((clip.overlay.any(0) & ~clip.overlay.all(0)).any() for clip in planted.values()), (
        "an ECG moves"
    )


def test_a_second_run_does_only_what_is_new(tmp_path: Path) -> None:
    clips, out = make_clips(tmp_path / "c", 3), tmp_path / "m"
    (clips / "broken.npz").write_bytes(b"no archive")
    run = ("masks", clips, "--out", out, "--workers", 1)
    table = sectoraug(*run, status=1)
    assert (number(table, "masks done"), number(table, "failed")) == (3, 1)
    table = sectoraug(*run, status=1)
    assert (number(table, "masks done"), number(table, "skipped, as in the manifest before")) == (0, 4)
    assert number(table, "failed") == 1, "it still is"
    make_clips(tmp_path / "c", 4)  # the same again, later, and a new one
    (clips / "broken.npz").unlink()
    np.savez(clips / "broken.npz", frames=sa.phantom.make_clip(frames=8, size=(64, 64)).frames)
    assert number(sectoraug(*run), "masks done") == 5
    assert [e["error"] for e in entries(out) if e["source"] == "broken.npz"][1] is None


def test_failures_are_retried_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    np.savez(tmp_path / "c" / "static.npz", frames=np.zeros((4, 32, 32), np.uint8))
    run = ("masks", tmp_path / "c", "--out", tmp_path / "m", "--workers", 1)
    sectoraug(*run, status=1)
    table = sectoraug(*run, status=1)
    assert (number(table, "failed"), number(table, "skipped, as in the manifest before")) == (1, 1)
    assert re.search(r"^ +1: \w", table, re.MULTILINE), "says why"
    assert "static.npz" not in table
    table = sectoraug(*run, "--retry-failed", status=1)
    assert (number(table, "failed"), number(table, "skipped, as in the manifest before")) == (1, 0)
    first, second = entries(tmp_path / "m")
    assert first == second
    assert str(tmp_path) not in first["error"]
    assert first["file"] is None
    assert len(first["sha256"]) == 64


def test_a_drawn_mask_is_taken_kept_and_counts_as_sorted_in(tmp_path: Path) -> None:
    clips, m, drawn = make_clips(tmp_path / "c", 2), tmp_path / "m", tmp_path / "drawn"
    static, found = clips / "patient000" / "static.v2.npz", clips / "patient000" / "clip0000.npz"
    np.savez(static, frames=np.zeros((4, 64, 64), np.uint8))
    table = sectoraug("masks", clips, "--out", m, "--workers", 1, status=1)
    assert (number(table, "masks done"), number(table, "failed")) == (2, 1)
    assert "--drawn" in sectoraug("apply", m, static, "--out", tmp_path / "a", "--workers", 1, status=1)

    sector = np.zeros((64, 64), np.uint8)
    sector[20:40, 10:50] = 1
    (drawn / "patient000").mkdir(parents=True)
    cv2.imwrite(str(drawn / "patient000" / "static.v2.png"), sector)
    cv2.imwrite(str(drawn / "patient000" / "clip0000.npz.png"), sector.T * np.uint8(255))
    cv2.imwrite(str(drawn / "typo.png"), sector)
    table = sectoraug("masks", clips, "--out", m, "--drawn", drawn, "--workers", 1)
    assert (number(table, "masks done"), number(table, "skipped, as in the manifest before")) == (2, 1)
    assert f"1 masks in {drawn} have no clip here" in table
    os.utime(static)  # as a copy of the archive elsewhere would have: a new visit, without --drawn
    assert number(sectoraug("masks", clips, "--out", m, "--workers", 1), "masks done") == 1

    table = sectoraug("apply", m, clips, "--out", tmp_path / "a", "--reviewed-only", "--workers", 1, status=1)
    assert (number(table, "copies done"), number(table, "refused")) == (2, 1)
    for clip, mask in ((static, sector), (found, sector.T)):
        kept = kept_sector(m, sha256_of(clip), clip.name, 1.0, reviewed_only=True)
        assert np.array_equal(kept.at(0), mask)
        (entry,) = kept.entries
        assert (entry.quality, entry.drawn) == (1.0, True)
    assert listing(m, "in") == ["patient000/clip0000.npz", "patient000/static.v2.npz"]


def test_a_drawn_mask_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    clips, m, drawn = make_clips(tmp_path / "c", 1), tmp_path / "m", tmp_path / "drawn"
    run = ("masks", clips / "patient000", "--out", m, "--drawn", drawn, "--workers", 1)
    assert "is no folder" in sectoraug(*run, status=2)
    drawn.mkdir()
    for mask, said in (
        (np.ones((32, 64), np.uint8), "is 32 x 64 pixels but a frame 64 x 64"),
        (np.zeros((64, 64), np.uint8), "the drawn mask is missing"),
        (np.full((64, 64), 7, np.uint8), "0/1 or 0/255"),
    ):
        cv2.imwrite(str(drawn / "clip0000.png"), mask)
        sectoraug(*run, status=1)
        assert said in entries(m)[-1]["error"]
        assert str(tmp_path) not in entries(m)[-1]["error"]
        assert entries(m)[-1]["file"] is None


def test_a_drawn_mask_of_two_clips_is_refused(tmp_path: Path) -> None:
    for site in "ab":
        make_clips(tmp_path / site, 1)
    (tmp_path / "drawn" / "patient000").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "drawn" / "patient000" / "clip0000.png"), np.eye(64, dtype=np.uint8))
    run = ("--out", tmp_path / "m", "--drawn", tmp_path / "drawn", "--workers", 1)
    said = sectoraug("masks", tmp_path / "a", tmp_path / "b", *run, status=2)
    assert "and like another clip; expected one clip a mask" in said
    assert not (tmp_path / "m").exists()
    assert number(sectoraug("masks", tmp_path / "a", *run), "masks done") == 1


def test_excluded_folders_are_not_searched(clips: Path, tmp_path: Path) -> None:
    make_clips(tmp_path / "c", 22)
    run = ("masks", tmp_path / "c", "--out", tmp_path / "m", "--workers", 1)
    assert "nowhere is no folder" in sectoraug(*run, "--exclude", tmp_path / "nowhere", status=2)
    assert number(sectoraug(*run, "--exclude", tmp_path / "c" / "patient000"), "masks done") == 2


def test_a_torn_last_line_is_done_again(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    sectoraug("masks", clips, "--out", out, "--workers", 1)
    for cut in (1, 40, "whole line"):
        lines = (out / "manifest.jsonl").read_bytes()
        whole = lines[: lines[:-1].rindex(b"\n") + 1]
        (out / "manifest.jsonl").write_bytes(whole if cut == "whole line" else lines[: -int(cut)])
        assert number(sectoraug("masks", clips, "--out", out, "--workers", 1), "masks done") == 1, cut
        assert len({entry["visit"] for entry in entries(out)}) == N_CLIPS, cut
        assert len(entries(out)) == N_CLIPS, cut


def test_a_line_torn_anywhere_is_cut_off(tmp_path: Path) -> None:
    from sectoraug.workbench.run.manifest import Entry, Manifest

    kept = [Entry(f"sänger{i}.dcm", f"{i:016x}", quality=0.5) for i in range(3)]
    with Manifest(tmp_path) as manifest:
        for entry in kept:
            manifest.append([entry])
    whole = (tmp_path / "manifest.jsonl").read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for end in range(last, len(whole)):
        (tmp_path / "manifest.jsonl").write_bytes(whole[:end])
        with Manifest(tmp_path) as manifest:
            assert list(manifest.latest) == [entry.visit for entry in kept[:2]]
            manifest.append([kept[2]])
        assert (tmp_path / "manifest.jsonl").read_bytes() == whole


def test_a_damaged_line_is_named(clips: Path, tmp_path: Path) -> None:
    out = tmp_path / "m"
    sectoraug("masks", clips, "--out", out, "--workers", 1)
    lines = (out / "manifest.jsonl").read_text().splitlines()
    (out / "manifest.jsonl").write_text("\n".join([lines[0], "{torn", *lines[2:]]) + "\n")
    assert "line 2 of" in sectoraug("masks", clips, "--out", out, status=2)


def test_the_dask_engine_by_command(clips: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "m"
    with distributed.LocalCluster(
        2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        assert number(sectoraug("masks", clips, "--out", out, *address), "masks done") == N_CLIPS
    assert_each_once(out, N_CLIPS)
    assert "--engine dask" in sectoraug("masks", clips, "--out", out, "--scheduler", "tcp://x", status=2)


def test_one_writer_a_folder(clips: Path, tmp_path: Path) -> None:
    from sectoraug.workbench.run.out_folder import only_writer

    with only_writer(tmp_path / "m"):
        said = sectoraug("masks", clips, "--out", tmp_path / "m", status=2)
    assert re.search("another run is writing to .*: wait for it", said)
    sectoraug("masks", clips, "--out", tmp_path / "m", "--workers", 1)


def test_clips_of_the_same_name_and_folders_of_stills(tmp_path: Path) -> None:
    for study in "ab":
        make_clips(tmp_path / study, 1)
    frames = sa.phantom.make_clip(frames=8, size=(64, 64)).frames
    (tmp_path / "b" / "stills").mkdir()
    for t, frame in enumerate(frames):
        cv2.imwrite(str(tmp_path / "b" / "stills" / f"{t}.png"), frame)
    out = tmp_path / "m"
    inputs = (tmp_path / "a", tmp_path / "b", "--folders-are-clips", "--out", out, "--workers", 1)
    assert number(sectoraug("masks", *inputs), "masks done") == 3
    by_name = {e["source"]: e for e in entries(out)}
    assert by_name["stills"]["frames"] == 8
    assert len(by_name) == 2
    assert len({e["visit"] for e in entries(out)}) == 3


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    clips = make_clips(tmp_path / "c", 1)
    os.mkfifo(clips / "pipe.npz")
    (clips / "gone.npz").symlink_to(clips / "nowhere.npz")
    (clips / "patient000" / "out").mkdir()
    still = sa.phantom.make_clip(frames=1, size=(64, 64)).frames[0]
    cv2.imwrite(str(clips / "patient000" / "out" / "still.png"), still)
    table = sectoraug("masks", clips, "--out", clips / "patient000" / "out", "--workers", 1)
    assert (number(table, "masks done"), number(table, "other files")) == (1, 2)


def test_the_command_starts_light() -> None:
    code = (
        "import sys; sys.argv = ['sectoraug', '--help']\n"
        "from sectoraug.workbench.cli import app\n"
        "try: app()\n"
        "except SystemExit: print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & {"numpy", "cv2", "torch", "pydicom", "av", "distributed", "rich"}
    assert "masks" in done.stdout
    assert "de-" in done.stdout


def test_a_pool_from_an_archive(clips: Path, tmp_path: Path) -> None:
    masks, out = tmp_path / "m", tmp_path / "p"
    (clips / "later.npz").unlink(missing_ok=True)
    sectoraug("masks", clips, "--out", masks, "--workers", 1)
    np.savez(clips / "later.npz", frames=sa.phantom.make_clip(frames=8, size=(64, 64), seed=99).frames)
    try:
        said = sectoraug("pool", masks, clips, "--out", out, "--size", 48, 40, "--frames", 3)
    finally:
        (clips / "later.npz").unlink()
    assert number(said, "backgrounds") == 3 * N_CLIPS
    assert number(said, "clips skipped, named above") == 1
    assert number(said, "of them nearly black") == 0
    assert "later.npz has no entry" in said
    pool = sa.BackgroundPool.open(out)
    assert (len(pool), pool.size, pool.channels) == (3 * N_CLIPS, (48, 40), None)
    first = sorted(clips.rglob("*.npz"))[0]
    frames = sa.read_clip(first)
    sector = sa.sector_from_clip(frames).sector
    small = sa.BackgroundPool.from_arrays(frames[[0, 4, 7]], [sector] * 3, size=(48, 40), resize="stretch")
    assert all(np.array_equal(pool.background(k), small.background(k)) for k in range(3))


def test_nearly_black_backgrounds_are_counted() -> None:
    sector = np.zeros((100, 100), np.uint8)
    sector[20:80, 20:80] = 1
    images = np.full((4, 100, 100), 30, np.uint8)  # noise that nobody sees
    images[1, :, 0] = 200
    images[2, 0, :9] = 200
    images[3, 40:60, 40:60] = 200  # inside
    assert n_nearly_black(sa.BackgroundPool.from_arrays(images, [sector] * 4), progress=False) == 3
