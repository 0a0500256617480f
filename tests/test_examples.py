"""Every example runs at its smallest size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_plot_backmix(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = subprocess.run(
        [sys.executable, EXAMPLES / "plot_backmix.py", "--out", tmp_path, "--epochs", "1"],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert "pixels changed inside a sector      0" in done.stdout
    picture = cv2.imread(str(tmp_path / "backmix.png"))
    assert picture.std() > 10
