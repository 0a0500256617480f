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
PAGES_MADE_BY_THE_SITE = ROOT / "docs" / "gallery"
DOCS = (
    ROOT / "README.md",
    *(p for p in sorted(ROOT.glob("docs/**/*.md")) if p.parent != PAGES_MADE_BY_THE_SITE),
)
WITH_COMMANDS = [p for p in DOCS if "```bash" in p.read_text()]
PAGES = [p for p in DOCS if "```python" in p.read_text() and p not in WITH_COMMANDS]
MODULES = [
    "swap",
    "fills",
    "pool",
    "losses",
    "batch",
    "plugins.albumentations",
    "plugins.kornia",
    "plugins.monai",
    "plugins.torchvision",
    "evidence.focus",
    "evidence.gradcam",
    "evidence.clustering",
    "evidence.landmarks",
    "evidence.metric",
    "evidence.statistics",
    "sectors.clips",
    "sectors.geometry",
    "sectors.net_model",
    "sectors.finder",
    "workbench.review_journal",
    "workbench.review_tiles",
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


def test_benchmark_tables_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from fill_docs import PAGE, filled

    page = PAGE.read_text()
    assert filled(page) == page, "run python benchmarks/fill_docs.py"
    assert "| swap / memcpy, bool sector | 6" in page


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=[str(p.relative_to(ROOT)) for p in WITH_COMMANDS])
def test_commands_run(page: Path, tmp_path: Path) -> None:
    """Blocks of Python and of commands, in their order, in one folder."""
    pytest.importorskip("typer")
    pytest.importorskip("distributed")
    sectoraug = tmp_path / "bin" / "sectoraug"
    sectoraug.parent.mkdir()
    sectoraug.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sectoraug.workbench.cli "$@"\n')
    sectoraug.chmod(0o700)
    env = {**os.environ, "PATH": f"{sectoraug.parent}:{os.environ['PATH']}"}
    said = ""
    for kind, block in re.findall(r"```(python|bash)\n(.*?)```", page.read_text(), re.DOTALL):
        program = [sys.executable, "-c"] if kind == "python" else ["bash", "-ec"]
        done = subprocess.run(
            [*program, block], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=200
        )
        assert done.returncode == 0, done.stderr[-1500:]
        said += done.stdout
    table = re.search(r"```\n(masks done.*?)```", page.read_text(), re.DOTALL)
    assert table is None or table[1] in said, said


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    module = importlib.import_module(f"sectoraug.{name}")
    assert doctest.testmod(module).failed == 0


def test_there_are_pages() -> None:
    assert len(PAGES) >= 5
