"""Imports go only to lower layers, host libraries stay in their plug-in, and the package imports light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rooms import LAYERS, PACKAGE, PAGE, imports_of, modules, room, rooms, section

import sectoraug as sa

APART = [("reading", "pool"), ("sectors", "pool"), ("batch", "sectors")]
MOST_LINES, MOST_IN_A_FUNCTION, MOST_IN_A_TEST_FILE = 250, 50, 350  # docstrings of functions aside
LONGER = {
    "auditing.run.audit": "the arguments of the public function, one a line, and the report's fields",
    "batch.kernel._swap": "a Triton kernel is one function",
    "batch.kernel.swap_into": "that kernel's arguments, one a line",
}
HEAVY = {
    "torch",
    "triton",
    "kornia",
    "albumentations",
    "cv2",
    "scipy",
    "pydicom",
    "tqdm",
    "matplotlib",
    "numpy",
    "av",
    "nibabel",
}
HOSTS = {"albumentations", "kornia", "torchvision", "monai"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def test_every_room_has_a_layer() -> None:
    assert {room(name) for name in modules()} == {name for layer in LAYERS for name in layer}


def test_rooms_import_lower_rooms_only() -> None:
    level = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    for name, path in modules().items():
        for other in map(room, imports_of(name, path)):
            assert other == room(name) or level[other] <= level[room(name)], (name, other)
            assert (room(name), other) not in APART, (name, other)


def test_no_imports_go_in_a_circle() -> None:
    files = {name: imports_of(name, path) for name, path in modules().items()}
    for graph in (files, rooms()):
        left = dict(graph)
        while left:
            leaves = {name for name, needs in left.items() if not needs & set(left)}
            assert leaves, f"a circle among {sorted(left)}"
            left = {name: needs for name, needs in left.items() if name not in leaves}


def test_a_host_library_is_imported_by_its_plugin_only() -> None:
    for name, path in modules().items():
        tops = {m.split(".")[0] for m in imported(path)}
        if name.startswith("plugins."):
            tops -= {name.removeprefix("plugins.").split("_")[0]}
        assert not tops & HOSTS, name


def test_importing_sectoraug_imports_nothing_heavy() -> None:
    code = "import sys, sectoraug; dir(sectoraug); print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & HEAVY


@pytest.mark.parametrize(
    ("name", "without"), [("BackgroundPool", {"torch"}), ("swap_background", {"torch", "scipy"})]
)
def test_the_numpy_core_needs_no_torch(name: str, without: set[str]) -> None:
    code = f"import sys, sectoraug; sectoraug.{name}; print(*{{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(loaded.stdout.split()) & (without | HOSTS)


def test_public_names_exist_and_have_docstrings() -> None:
    for name in sa.__all__:
        value = getattr(sa, name)
        assert name.startswith("_") or (value.__doc__ and len(value.__doc__) > 40), name
    with pytest.raises(AttributeError, match="no attribute 'Backmix'"):
        sa.Backmix  # noqa: B018


def test_examples_and_benchmarks_use_public_names_only() -> None:
    root = Path(__file__).parents[2]
    for path in [*root.glob("examples/**/*.py"), *root.glob("benchmarks/**/*.py")]:
        if "trust" in path.parts:  # it breaks what the public names stand on
            continue
        private = [
            m
            for m in imported(path)
            if re.match(r"sectoraug\.(?!plugins\.|workbench$|workbench\.kept_masks$)", m)
        ]
        if path.parent.name == "sector_net":  # it trains the network that those modules load
            private = [m for m in private if not m.startswith("sectoraug.sectors.clues.net")]
        assert not private, (path, private)


def test_the_map_shows_the_rooms_as_they_are() -> None:
    assert section() in PAGE.read_text(), "run tests/crossing/rooms.py"


def test_files_and_functions_stay_small() -> None:
    long = {name for name, path in modules().items() if len(path.read_text().splitlines()) > MOST_LINES}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                said = node.body[0] if ast.get_docstring(node) else None
                spoken = said.end_lineno - said.lineno + 1 if said else 0
                if node.end_lineno - node.lineno + 1 - spoken > MOST_IN_A_FUNCTION:
                    long.add(f"{name}.{node.name}")
    assert long == set(LONGER)


def test_tests_mirror_the_package_in_small_files() -> None:
    tests = PACKAGE.parent / "tests"
    for path in tests.rglob("*.py"):
        assert len(path.read_text().splitlines()) <= MOST_IN_A_TEST_FILE, path
        folder = path.parent.relative_to(tests)
        assert folder.parts[:1] in ((), ("crossing",), ("examples",)) or (PACKAGE / folder).is_dir(), path
