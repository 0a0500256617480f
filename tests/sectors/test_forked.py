"""Sectors in a fork of a process whose torch has threads: torch would wait for them for ever."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import os, signal, sys
import torch
import sectoraug as sa

torch.set_num_threads(4)
clip = sa.phantom.make_clip(frames=8, size=(64, 64))
still = sa.phantom.make_clip(frames=1, size=(120, 120), seed=1).frames[0]
expected = sa.sector_from_image(still).sector, sa.sector_from_clip(clip.frames).sector
torch.rand(800, 800) @ torch.rand(800, 800)
child = os.fork()
if child == 0:
    signal.alarm(30)
    found = sa.sector_from_image(still).sector, sa.sector_from_clip(clip.frames).sector
    os._exit(0 if all((a == b).all() for a, b in zip(found, expected)) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_finds_the_same_sectors() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", FORKED], env=environment, timeout=120)
    assert done.returncode == 0
