"""A full disk ends a run in one sentence, and no clip is recorded as failed for it. Workers take a core."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sectoraug as sa

pytest.importorskip("typer")
pytest.importorskip("filelock")
from archive_command import command, entries, make_clips, number, sectoraug

from sectoraug.workbench.run.engines import attempt
from sectoraug.workbench.run.sources import Source


def starved(most_file_bytes: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes,) * 2)


def test_a_full_disk_is_no_clips_fault(tmp_path: Path) -> None:
    clips, m, a = make_clips(tmp_path / "c", 2), tmp_path / "m", tmp_path / "a"
    noise = np.random.default_rng(0).integers(0, 255, (8, 64, 64), dtype=np.uint8)
    static = sa.phantom.make_clip(frames=8, size=(64, 64)).frames
    np.savez(clips / "large.npz", frames=np.where(static > 0, noise, 0).astype(np.uint8))
    sectoraug("masks", clips, "--out", m, "--workers", 1)
    words = ("apply", m, clips, "--out", a, "--workers", 1, "--quality-at-least", 0)
    # Room for the lines of the manifest, and for no copy.
    done = subprocess.run(command(*words), capture_output=True, text=True, preexec_fn=starved(2_000))
    assert done.returncode == 2
    assert f"{a} cannot be written to (File too large); expected a disk with room" in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(entry["error"] for entry in entries(a))
    assert number(sectoraug(*words), "copies done") == 3
    assert not any(entry["error"] for entry in entries(a))


def test_an_export_without_room_leaves_nothing(tmp_path: Path) -> None:
    clips, m, out = make_clips(tmp_path / "c", 2), tmp_path / "m", tmp_path / "nifti"
    sectoraug("masks", clips, "--out", m, "--workers", 1)
    words = command("export", m, "--nifti", out)
    done = subprocess.run(words, capture_output=True, text=True, preexec_fn=starved(50))
    assert done.returncode == 2
    assert "nifti cannot be written to (File too large)" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"c", "m"}
    sectoraug("export", m, "--nifti", out)
    assert len([path for path in out.rglob("*") if path.is_file()]) == 2
    assert not list(out.rglob(".*"))


THREADS = """
import os, sys
from pathlib import Path
from sectoraug.workbench.run.engines import attempt
from sectoraug.workbench.run.sources import Source

def job(source, sha256):
    import cv2, torch
    print(torch.get_num_threads(), cv2.getNumThreads())
    return []

attempt(job, Source(sys.argv[1], "clip", "visit"))
"""


def test_a_worker_keeps_to_one_core(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"clip")
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    words = [sys.executable, "-c", THREADS, str(tmp_path / "clip")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["1", "1"]


def test_what_a_disk_refuses_is_raised_and_what_a_clip_does_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"clip")
    source = Source(str(tmp_path / "clip"), "clip", "visit")

    def raises(error: Exception) -> Any:
        def job(*_: object) -> Any:
            raise error

        return job

    from sectoraug.pool.disk import DiskError

    with pytest.raises(DiskError):
        attempt(raises(DiskError("full")), source)
    (entry,) = attempt(raises(OSError("clip is truncated")), source)
    assert entry.error == "clip is truncated"
