"""Imports go only to lower layers, host libraries stay in their plug-in, and the package imports light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sectoraug as sa

PACKAGE = Path(sa.__file__).parent
LAYERS = [
    {"checks", "draws", "progress"},
    {"swap", "fills", "evidence"},
    {"reading", "phantom"},
    {"pool", "sectors"},
    {"batch", "losses"},
    {"plugins"},
    {"workbench"},
]
APART = [("reading", "pool"), ("sectors", "pool"), ("batch", "sectors")]
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


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


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


def room(name: str) -> str:
    return name.split(".")[0]


def imports_of(name: str, path: Path) -> set[str]:
    """The package's own modules that a module imports, for a name its module or, of a face, the face."""
    known = set(modules()) - {"__init__"}
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not str(node.module).startswith("sectoraug"):
            continue
        for alias in node.names:
            whole = f"{node.module}.{alias.name}".removeprefix("sectoraug.")
            found.add(whole if whole in known else str(node.module).removeprefix("sectoraug").lstrip("."))
    return found & known - {name}


def test_every_room_has_a_layer() -> None:
    assert {room(name) for name in modules()} - {"__init__"} == set().union(*LAYERS)


def test_rooms_import_lower_rooms_only() -> None:
    level = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    for name, path in modules().items():
        if name == "__init__":
            continue
        for other in map(room, imports_of(name, path)):
            assert other == room(name) or level[other] <= level[room(name)], (name, other)
            assert (room(name), other) not in APART, (name, other)


def test_no_imports_go_in_a_circle() -> None:
    files = {name: imports_of(name, path) for name, path in modules().items() if name != "__init__"}
    rooms = {name: set() for name in map(room, files)}
    for name, others in files.items():
        rooms[room(name)] |= {room(other) for other in others} - {room(name)}
    for graph in (files, rooms):
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
        private = [m for m in imported(path) if re.match(r"sectoraug\.(?!plugins\.)", m)]
        if path.parent.name == "sector_net":  # it trains the network that those modules load
            private = [m for m in private if not m.startswith("sectoraug.sectors.clues.net")]
        assert not private, (path, private)
