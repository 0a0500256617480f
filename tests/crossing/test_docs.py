"""The Python blocks of README and docs run, in order, page by page; so do the docstrings' examples."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES_MADE_BY_THE_SITE = ROOT / "docs" / "gallery"
DOCS = (
    ROOT / "README.md",
    *(p for p in sorted(ROOT.glob("docs/**/*.md")) if p.parent != PAGES_MADE_BY_THE_SITE),
)
WITH_COMMANDS = [p for p in DOCS if "```bash" in p.read_text()]
PAGES = [p for p in DOCS if "```python" in p.read_text() and p not in WITH_COMMANDS]
RESULTS = sorted(ROOT.glob("benchmarks/results/*.json"))
PACKAGE = ROOT / "sectoraug"
MODULES = [
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("page_runner.py")
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


@pytest.mark.parametrize("page", PAGES, ids=[str(p.relative_to(ROOT)) for p in PAGES])
def test_snippets_run(page: Path, tmp_path: Path, runner: subprocess.Popen[str]) -> None:
    pytest.importorskip("pydicom")
    assert runner.stdin is not None and runner.stdout is not None
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks))
    print(tmp_path / "page.py", file=runner.stdin, flush=True)
    assert runner.stdout.readline() == "0\n", (tmp_path / "page.said").read_text()[-1500:]


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return ROOT / "benchmarks"


@pytest.mark.parametrize("result", RESULTS, ids=[path.stem for path in RESULTS])
def test_benchmark_results_are_of_this_code(benchmarks: Path, result: Path) -> None:
    from timing import stale

    changed = stale(result)
    assert not changed, (
        f"{', '.join(changed)} changed since {result.name} was made: run its benchmark again, --write"
    )


@pytest.mark.parametrize("result", RESULTS, ids=[path.stem for path in RESULTS])
def test_results_of_networks_depend_on_their_weights(result: Path) -> None:
    files = json.loads(result.read_text())["files"]
    networks = "sectoraug/sectors/clues/net_torch.py" in files
    assert ("sectoraug/sectors/clues/sector_net.safetensors" in files) is networks


def test_comments_and_docstrings_make_no_result_stale(benchmarks: Path, tmp_path: Path) -> None:
    from timing import fingerprint

    prints = []
    for source in (
        'def f(x):\n    """One."""\n    return x + 1  # why\n',
        '"""A ± file."""\n\n# more\ndef f(x):\n    """Two\n    lines."""\n    return x + 1\n',
        "def f(x):\n    return x + 2\n",
    ):
        (tmp_path / "f.py").write_text(source)
        prints.append(fingerprint(tmp_path / "f.py"))
    assert prints[0] == prints[1] != prints[2]


def test_a_ratio_twice_the_published_one_stops_the_benchmark(
    benchmarks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import timing

    monkeypatch.setattr(timing, "RESULTS", tmp_path)
    for name, median in (("cpu", 1.0), ("cpu_avx2", 1.5)):
        rows = {"swap / memcpy": median, "torch.where / memcpy": 10.0, "np.where / swap": 2.0}
        published = {"hot": {row: {"median": value} for row, value in rows.items()}}
        (tmp_path / f"{name}.json").write_text(json.dumps({"results": published}))

    def guard(ours: float, peer: float, other: float = 0.1) -> None:
        rows = {
            "swap / memcpy": {"lowest": ours, "median": 99.0},
            "torch.where / memcpy": {"lowest": 0.1, "median": peer},
            "np.where / swap": {"lowest": other, "median": other},
        }
        timing.guard("cpu", {"hot": rows}, ("swap",))

    guard(2.9, peer=10)
    guard(5.9, peer=20)
    for ours, peer in ((3.1, 10), (3.1, 5), (6.1, 20)):
        with pytest.raises(SystemExit, match=rf"hot: swap / memcpy is {ours:.2f}, published 1.50"):
            guard(ours, peer, other=99)


def test_benchmark_tables_are_those_of_the_results(benchmarks: Path) -> None:
    from fill_docs import PAGE, filled

    page = PAGE.read_text()
    assert filled(page) == page, "run python benchmarks/fill_docs.py"
    assert re.search(r"\| swap / memcpy, bool sector \| \d", page)


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
