"""Pools on disks that fail and in folders that change: whole or absent, told in a sentence, never mixed."""

from __future__ import annotations

import pickle
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sectoraug as sa
from sectoraug.pool.disk import DiskError, append_all, under_way, writing_to


def test_every_bit_of_the_manifest_is_noticed(
    tmp_path: Path, images: np.ndarray, sectors: np.ndarray
) -> None:
    pool = sa.BackgroundPool.from_arrays(images.astype(np.float32), sectors)
    pool.save(tmp_path / "p", progress=False)
    path = tmp_path / "p" / "pool.json"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):  # one makes "<f4" another byte order, whose checksums are the same
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        with pytest.raises(ValueError, match="pool"):
            sa.BackgroundPool.open(tmp_path / "p")


FULL = """
import resource, sys
import numpy as np
import sectoraug as sa
images, sectors = np.full((40, 32, 32), 7, np.uint8), np.zeros((40, 32, 32), bool)
sectors[:, 4:9] = True
pool = sa.BackgroundPool.from_arrays(images, sectors)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    pool.save(sys.argv[1], progress=False)
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("most_bytes", [0, 3, 130, 5_000, 30_000])
def test_no_room_leaves_nothing_and_is_one_sentence(tmp_path: Path, most_bytes: int) -> None:
    words = [sys.executable, "-c", FULL, str(tmp_path / "p"), str(most_bytes)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "p cannot be written to (File too large); expected a disk with room" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_build_left_is_cleared_by_the_next(tmp_path: Path, pool: sa.BackgroundPool) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sectoraug.pool.folder import FolderWriter\n"
        "with FolderWriter(Path(sys.argv[1])) as writer: print(flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "p")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as build:
        assert build.stdout is not None
        build.stdout.readline()
        (other,) = tmp_path.iterdir()
        pool.save(tmp_path / "q", progress=False)
        with under_way(tmp_path / "p"):
            assert other.exists(), "somebody works in it"
        build.send_signal(signal.SIGKILL)
    (tmp_path / "p.01234567.part").mkdir()  # killed before it was locked
    pool.save(tmp_path / "p", progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"p", "q"}


def test_of_two_builds_the_second_says_so(tmp_path: Path, pool: sa.BackgroundPool) -> None:
    from sectoraug.pool.folder import FolderWriter

    with (
        pytest.raises(FileExistsError, match="by another process meanwhile"),
        FolderWriter(tmp_path / "p") as late,
    ):
        late.add(pool.background(0), np.packbits(pool.sector(0)))
        pool.save(tmp_path / "p", progress=False)
        late.finish()
    assert len(sa.BackgroundPool.open(tmp_path / "p")) == len(pool)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_a_pool_sent_to_another_process_is_that_very_pool(
    tmp_path: Path, images: np.ndarray, sectors: np.ndarray
) -> None:
    def built(n: int) -> sa.BackgroundPool:
        return sa.BackgroundPool.from_arrays(images[:n], sectors[:n]).save(tmp_path / "p", progress=False)

    first = built(12)
    sent = [pickle.dumps(first), pickle.dumps(first.subset(0.5, seed=0))]
    (tmp_path / "p").rename(tmp_path / "old")
    second = built(5)
    first.verify(progress=False)  # of the donors that it maps
    for carried in sent:
        with pytest.raises(ValueError, match="holds another pool than the one that was sent"):
            pickle.loads(carried)
    assert len(pickle.loads(pickle.dumps(second))) == 5


def test_a_folder_that_is_replaced_while_it_is_opened_is_refused(
    tmp_path: Path, pool: sa.BackgroundPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sectoraug.pool import folder as module

    pool.save(tmp_path / "p", progress=False)
    pool.subset(0.5, seed=0).save(tmp_path / "new", progress=False)
    mapped = module._mapped

    def replaced(path: Path) -> np.ndarray:
        if path.name == "sectors.bin" and (tmp_path / "new").exists():
            (tmp_path / "p").rename(tmp_path / "old")
            (tmp_path / "new").rename(tmp_path / "p")
            (tmp_path / "old" / "sectors.bin").replace(tmp_path / "p" / "sectors.bin")
            (tmp_path / "old" / "checksums.bin").replace(tmp_path / "p" / "checksums.bin")
        return mapped(path)

    monkeypatch.setattr(module, "_mapped", replaced)
    with pytest.raises(ValueError, match="replaced by another pool while it was opened"):
        sa.BackgroundPool.open(tmp_path / "p")


def test_lines_are_added_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"first\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open(path, "ab", buffering=0) as file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9, before[1]))
        try:
            with pytest.raises(DiskError, match="File too large"), writing_to(path):
                append_all(file, b"second\n")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        append_all(file, b"third\n")
    assert path.read_bytes() == b"first\nthird\n"
