"""Shared material: small images with two kinds of sector, and the switches of the host libraries."""

from __future__ import annotations

import os
import tempfile

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["ALBUMENTATIONS_OFFLINE"] = "1"
os.environ["ALBUMENTATIONS_NO_TELEMETRY"] = "1"
# Two tests run at a time: more threads than cores wait for each other in busy loops.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# torch keeps compiled code for later runs, and takes code that was made for other instructions for its own.
os.environ.setdefault(
    "TORCHINDUCTOR_CACHE_DIR",
    os.path.join(
        tempfile.gettempdir(), f"inductor_{os.getuid()}_{os.environ.get('ATEN_CPU_CAPABILITY', 'all')}"
    ),
)

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa

HEIGHT, WIDTH = 40, 48


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--allowed-skips", metavar="REGEX", help="fail where a test is skipped for another reason"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that skips what its machine should have brought is no green run."""
    allowed = session.config.getoption("--allowed-skips")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if allowed is None or reporter is None:
        return
    reasons = {str(report.longrepr[2]) for report in reporter.stats.get("skipped", ())}
    others = sorted(reason for reason in reasons if not re.search(allowed, reason))
    if others:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"\nskipped, but not for {allowed!r}: {'; '.join(others)}", red=True)


def triangle(apex_x: int) -> np.ndarray:
    sector = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = np.array([[apex_x, 4], [4, HEIGHT - 6], [WIDTH - 5, HEIGHT - 6]])
    cv2.fillPoly(sector, [corners], 1)
    return sector


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (12, HEIGHT, WIDTH), dtype=np.uint8)


@pytest.fixture(scope="session")
def sectors() -> np.ndarray:
    return np.stack([triangle(14 + 2 * k) for k in range(12)])


@pytest.fixture(scope="session")
def pool(images: np.ndarray, sectors: np.ndarray) -> sa.BackgroundPool:
    return sa.BackgroundPool.from_arrays(images, sectors)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("SECTORAUG_REAL_DATA")
    if not folder:
        pytest.skip("SECTORAUG_REAL_DATA names no folder of real clips")
    return Path(folder)
