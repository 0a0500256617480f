"""Runs over an archive that are killed, or whose decoders die: each clip is done once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("typer")
psutil = pytest.importorskip("psutil")
pytest.importorskip("filelock")
from archive_command import assert_each_once, command, entries, make_clips, number, sectoraug  # noqa: E402

SCRIPT = Path(__file__).with_name("archive_runs.py")
FULL = pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])


def test_ctrl_c_ends_a_run_at_once_and_it_goes_on(tmp_path: Path) -> None:
    clips, out = make_clips(tmp_path / "c", 4), tmp_path / "m"
    run = started("processes", str(clips), str(out), "600")
    workers: list[Any] = []
    while len(workers) < 2:
        workers = [p for p in psutil.Process(run.pid).children() if p.num_threads() > 2]
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    try:
        assert run.wait(30) != 0
    finally:
        run.kill()
    assert not psutil.wait_procs(workers, timeout=10)[1], "workers outlive their run"
    assert not (out / ".part").exists()
    assert number(sectoraug("masks", clips, "--out", out, "--workers", 2), "masks done") == 4


def started(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(SCRIPT), *words], stderr=subprocess.DEVNULL)


def wait_for_lines(manifest: Path, n: int) -> None:
    for _ in range(12_000):
        if manifest.exists() and manifest.read_bytes().count(b"\n") >= n:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {n} lines after ten minutes")


@pytest.fixture(scope="module", params=[40, FULL])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    return make_clips(tmp_path_factory.mktemp("many"), request.param, side=32), request.param


def test_killed_and_started_again_each_clip_is_done_once(many: tuple[Path, int], tmp_path: Path) -> None:
    clips, n = many
    out = tmp_path / "m"
    run = started("processes", str(clips), str(out), "0.02")
    wait_for_lines(out / "manifest.jsonl", n // 4)
    workers = psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    done_before = (out / "manifest.jsonl").read_bytes().count(b"\n")
    assert n // 4 <= done_before < n
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive, "workers outlive their run"
    table = sectoraug("masks", clips, "--out", out, "--workers", 2)
    assert number(table, "skipped, as in the manifest before") == done_before
    assert number(table, "masks done") == n - done_before
    assert_each_once(out, n)


def test_a_killed_dask_worker_loses_and_repeats_no_clip(many: tuple[Path, int], tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    clips, n = many
    out = tmp_path / "m"
    run = started("dask", str(clips), str(out), "0.02")
    wait_for_lines(out / "manifest.jsonl", n // 4)
    workers = [
        child
        for child in psutil.Process(run.pid).children(recursive=True)
        if any("spawn_main" in word for word in child.cmdline())
    ]
    assert len(workers) == 2
    workers[0].kill()
    assert (out / "manifest.jsonl").read_bytes().count(b"\n") < n
    assert run.wait(1500) == 0
    assert_each_once(out, n)


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_a_decoder_that_dies_or_hangs_costs_one_clip(engine: str, tmp_path: Path) -> None:
    if engine == "dask":
        pytest.importorskip("distributed")
    clips, out = make_clips(tmp_path / "c", 10, side=32), tmp_path / "m"
    for which, name in ((4, "deadly"), (7, "hanging")):
        victim = clips / "patient000" / f"clip{which:04d}.npz"
        victim.rename(victim.with_name(f"{name}.npz"))
    assert started(engine, str(clips), str(out), "0").wait(120) == 0
    errors = {e["source"]: e["error"] for e in entries(out)}
    assert len(errors) == len(entries(out)) == 10
    bad = {name: error for name, error in errors.items() if error}
    assert sorted(bad) == ["patient000/deadly.npz", "patient000/hanging.npz"]
    assert all("ended its process twice" in error for error in bad.values())


def test_a_lost_dask_scheduler_is_one_sentence_and_the_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    clips, out = make_clips(tmp_path / "c", 24, side=64), tmp_path / "m"
    start = "from distributed import LocalCluster; import time\n" + (
        "if __name__ == '__main__':\n"
        "    cluster = LocalCluster(1, threads_per_worker=1, host='127.0.0.1', dashboard_address=None)\n"
        "    print(cluster.scheduler_address, flush=True); time.sleep(600)\n"
    )
    (tmp_path / "cluster.py").write_text(start)
    words = [sys.executable, str(tmp_path / "cluster.py")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        run = subprocess.Popen(
            command(
                "masks", clips, "--out", out, "--engine", "dask", "--scheduler", address, "--no-progress"
            ),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        wait_for_lines(out / "manifest.jsonl", 1)
        cluster.kill()
    said = run.communicate(timeout=120)[1]
    assert run.returncode == 2, said
    assert said.startswith(f"the Dask scheduler at {address} is gone; expected") and said.count("\n") == 1
    sectoraug("masks", clips, "--out", out, "--workers", 1)
    assert_each_once(out, 24)
