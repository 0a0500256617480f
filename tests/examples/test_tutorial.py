"""The tutorial notebook: valid, without outputs, of public names; and when run, true to its text."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sectoraug as sa

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "tutorial.ipynb"


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    return json.loads(NOTEBOOK.read_text())


def sources(notebook: dict[str, Any], kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_is_valid(notebook: dict[str, Any]) -> None:
    pytest.importorskip("nbformat").validate(notebook)


def test_it_is_committed_without_outputs(notebook: dict[str, Any]) -> None:
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_it_uses_public_names_only(notebook: dict[str, Any]) -> None:
    used = set()
    for source in sources(notebook, "code"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                assert node.module.split(".")[0] != "sectoraug", ast.unparse(node)
            elif isinstance(node, ast.Import):
                assert not any(alias.name.startswith("sectoraug.") for alias in node.names)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "sa":
                used.add(node.attr)
    assert {"BackMix", "BackgroundPool", "sector_from_clip"} <= used <= set(sa.__all__)


def test_its_links_lead_to_pages(notebook: dict[str, Any]) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", "\n".join(sources(notebook, "markdown")))
    assert len(links) > 5
    assert [link for link in links if not (DOCS / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_shows_what_it_says(notebook: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pydicom")
    said = "import json; json.dump([results, evidence], open('said.json', 'w'))"
    (tmp_path / "tutorial.py").write_text("\n".join([*sources(notebook, "code"), said]))
    done = subprocess.run(
        [sys.executable, "tutorial.py"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert "the sector is untouched: True" in done.stdout
    results, evidence = json.loads((tmp_path / "said.json").read_text())
    baseline, backmix = results["baseline"], results["BackMix"]
    assert baseline["i.d."] - baseline["o.o.d."] > 15  # "the network had read the overlay"
    assert backmix["o.o.d."] - baseline["o.o.d."] > 20
    assert abs(backmix["o.o.d."] - backmix["i.d."]) < 10  # "those of BackMix hardly differ"
    assert results["wBackMix, 5%"]["o.o.d."] > baseline["o.o.d."]
    assert evidence["BackMix"]["%E"] - evidence["baseline"]["%E"] > 10
