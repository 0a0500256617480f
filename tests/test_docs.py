"""The Python blocks of README and docs run, in order, page by page; so do the docstrings' examples."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [p for p in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))) if "```python" in p.read_text()]
MODULES = [
    "swap",
    "fills",
    "pool",
    "losses",
    "plugins.albumentations",
    "evidence.focus",
    "evidence.gradcam",
    "evidence.metric",
    "sectors.geometry",
    "sectors.finder",
]


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_snippets_run(page: Path, tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-1500:]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(f"sectoraug.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_pages() -> None:
    assert len(PAGES) >= 5
