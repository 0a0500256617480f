"""A machine that gives no locks between processes, as where /dev/shm is missing or nobody may write to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("typer")
pytest.importorskip("filelock")
from archive_command import assert_each_once, make_clips

WITHOUT_LOCKS = """
import _multiprocessing, os, sys

class SemLock(_multiprocessing.SemLock):
    def __new__(cls, *_):
        raise OSError(int(sys.argv[1]), os.strerror(int(sys.argv[1])))

_multiprocessing.SemLock = SemLock
if __name__ == "__main__":
    from sectoraug.workbench.cli import app
    app(sys.argv[2:])
"""
DENIED, MISSING, READ_ONLY = 13, 2, 30


def without_locks(error: int, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_LOCKS, str(error), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("engine", ["processes", "dask"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DENIED, "Permission denied"),
        (MISSING, "No such file or directory"),
        (READ_ONLY, "Read-only file system"),
    ],
)
def test_workers_without_locks_are_one_sentence(error: int, said: str, engine: str, tmp_path: Path) -> None:
    if engine == "dask":
        pytest.importorskip("distributed")
    clips, out = make_clips(tmp_path / "c", 1), tmp_path / "m"
    done = without_locks(error, "masks", clips, "--out", out, "--engine", engine, "--workers", 1)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(
        f"workers cannot share a lock here ({said}); expected, on Linux, a /dev/shm"
    )
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_a_dask_cluster_elsewhere_needs_no_locks_here(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    clips, out = make_clips(tmp_path / "c", 2), tmp_path / "m"
    with distributed.LocalCluster(
        1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        address = ("--engine", "dask", "--scheduler", cluster.scheduler_address)
        done = without_locks(DENIED, "masks", clips, "--out", out, *address)
    assert done.returncode == 0, done.stderr
    assert_each_once(out, 2)
